/** Checks and odd answers of `api.templates`; its calls: `tests/cloud_api/api_methods_test.ts`. */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { TemplateChanges, TemplateDefinition, TemplateListOptions } from "../../cloud_api/templates.ts";
import { collect, withGraph } from "../support/graph.ts";

const BODY = { type: "BODY", text: "Hi" } as const;
const DEFINITION: TemplateDefinition = { name: "hi", language: "en", category: "UTILITY", components: [BODY] };
const DONE = { json: { success: true } };

describe("api.templates", () => {
  it("lists all pages, and filters by one value or several", () =>
    withGraph(({ path }) => {
      const after = path.includes("after=B") ? undefined : { cursors: { after: "B" }, next: "https://x/" };
      return { json: { data: [{ id: after ? "1" : "2" }], paging: after } };
    }, async (api, graph) => {
      const options: TemplateListOptions = {
        name: "order",
        content: "way",
        nameOrContent: "x",
        language: ["en", "de"],
        quality: "RED",
        status: [],
        fields: ["id"],
      };
      const ids = (await collect(api.templates.list(options))).map(({ id }) => id);
      assertEquals(ids, ["1", "2"]);
      const query = "fields=id&name=order&content=way&name_or_content=x&language=en%2Cde&quality_score=RED";
      assertEquals(graph.requests.map(({ path }) => path), [
        `/1022/message_templates?${query}`,
        `/1022/message_templates?${query}&after=B`,
      ]);
    }));

  it("deletes all languages of a name without an id", () =>
    withGraph(() => DONE, async (api, graph) => {
      await api.templates.delete("hi");
      assertEquals(graph.requests[0]!.path, "/1022/message_templates?name=hi");
    }));

  it("creates a template of Meta's library, which has no components of its own", () =>
    withGraph(() => ({ json: { id: "1", status: "APPROVED" } }), async (api, graph) => {
      const { components: _, ...definition } = DEFINITION;
      const created = await api.templates.create({ ...definition, fields: { library_template_name: "shipment_1" } });
      assertEquals(created, { id: "1", status: "APPROVED" });
      const json = { name: "hi", language: "en", category: "UTILITY", library_template_name: "shipment_1" };
      assertEquals(graph.requests[0]!.json, json);
      await assertRejects(() => api.templates.create(definition), OptionError, "The components of the template are");
    }));

  it("fails if Meta answers without success, or without an id", () =>
    withGraph(() => ({ json: { success: false } }), async (api) => {
      const calls: [call: () => Promise<unknown>, message: string][] = [
        [() => api.templates.edit("5", { category: "UTILITY" }), "did not edit the template"],
        [() => api.templates.delete("hi"), "did not delete the template"],
        [() => api.templates.deleteByIds(["5"]), "did not delete the templates"],
        [() => api.templates.create(DEFINITION), "created a template, but named no id"],
      ];
      for (const [call, message] of calls) {
        assertEquals((await assertRejects(call, WhatsAppApiError, message)).code, "ERR_API_ANSWER");
      }
    }));

  it("needs the account for what belongs to it", async () => {
    const api = new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065" });
    const message = 'The option "accountId" is missing';
    assertStringIncludes(assertThrows(() => api.templates.list(), OptionError).message, message);
    await assertRejects(() => api.templates.create(DEFINITION), OptionError, message);
    await assertRejects(() => api.templates.delete("hi"), OptionError, message);
    await assertRejects(() => api.templates.deleteByIds(["5"]), OptionError, message);
  });

  it("refuses what Meta would, before it calls", () =>
    withGraph(() => DONE, async (api, graph) => {
      const { templates } = api;
      const change = (changes: unknown) => () => templates.edit("5", changes as TemplateChanges);
      const define = (more: unknown) => () => templates.create({ ...DEFINITION, ...more as object });
      const calls: [call: () => Promise<unknown>, message: string][] = [
        [define({ name: "Hi" }), 'The name of the template has the character "H"'],
        [define({ language: "x".repeat(21) }), 'The "language" has 21 characters'],
        [define({ category: "" }), 'The "category" has 0 characters'],
        [define({ messageTtl: 1.5 }), "The messageTtl of the template is 1.5 instead of a number of seconds"],
        [define({ parameter_format: "NAMED" }), 'A template has no option "parameter_format"; use "parameterFormat"'],
        [define({ components: [{ type: "FOOTER", text: "x".repeat(61) }] }), '"components[0].text" has 61 characters'],
        [change({}), "The template is not changed: give components, a category, or another change"],
        [change({ name: "x" }), 'A change of a template has no option "name"'],
        [change({ components: [] }), "The components of the template are empty"],
        [() => templates.edit("../5", { category: "x" }), 'The template is "../5": not an id'],
        [() => templates.get("a/b"), 'The template is "a/b": not an id'],
        [() => templates.get("5", { fields: [] }), 'The option "fields" wants an array with names of fields'],
        [() => templates.delete("hi", { hsm_id: "5" } as object), 'has no option "hsm_id"; use "id"'],
        [() => templates.delete("hi", { language: "en" } as object), 'use "id", that of the template in this language'],
        [() => templates.deleteByIds([]), 'The "ids" are 0: the Cloud API takes at least 1'],
        [() => templates.deleteByIds(new Array(101).fill("5")), 'The "ids" are 101: the Cloud API takes 100 at most'],
      ];
      for (const [call, message] of calls) await assertRejects(call, OptionError, message);
      const list = (options: unknown) => () => templates.list(options as TemplateListOptions);
      const lists: [call: () => unknown, message: string][] = [
        [list({ limit: 5 }), 'templates.list has no option "limit"; use "pageSize"'],
        [list({ pageSize: 0 }), 'The option "pageSize" is 0'],
        [list({ status: 5 }), 'The option "status" is 5 instead of a text, or an array of texts'],
      ];
      for (const [call, message] of lists) assertStringIncludes(assertThrows(call, OptionError).message, message);
      assertEquals(graph.requests, []);
    }));
});
