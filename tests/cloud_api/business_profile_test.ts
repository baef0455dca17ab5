import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { withGraph } from "../support/graph.ts";

describe("WhatsAppBusinessProfile", () => {
  it("takes texts of the greatest length, and refuses longer ones before it calls", () =>
    withGraph(() => ({ json: { success: true } }), async ({ businessProfile }, { requests }) => {
      const limits = { about: 139, address: 256, description: 512, email: 128 } as const;
      for (const [name, max] of Object.entries(limits)) {
        await businessProfile.update({ [name]: "x".repeat(max) });
        const error = await assertRejects(() => businessProfile.update({ [name]: "x".repeat(max + 1) }), OptionError);
        assertEquals(error.message, `The "${name}" has ${max + 1} characters: the Cloud API takes ${max} at most`);
      }
      assertEquals(requests.length, 4);
    }));

  it("refuses an empty about, other websites, no change, and unknown names", () =>
    withGraph(() => ({ json: { success: true } }), async ({ businessProfile }, { requests }) => {
      const refused: [object, string][] = [
        [{ about: "" }, 'The "about" has 0 characters: the Cloud API takes 1 to 139'],
        [
          { websites: ["https://a/", "https://b/", "https://c/"] },
          'The "websites" are 3: the Cloud API takes 2 at most',
        ],
        [{ websites: ["example.com"] }, 'The "website" is "example.com"'],
        [{ websites: [`https://x/${"a".repeat(247)}`] }, 'The "website" has 257 characters'],
        [{}, "The changes of the business profile are empty"],
        [{ about: undefined }, "The changes of the business profile are empty"],
        [{ industry: "RETAIL" }, 'use "vertical"'],
      ];
      for (const [changes, message] of refused) {
        await assertRejects(() => businessProfile.update(changes), OptionError, message);
      }
      assertEquals(requests.length, 0);
      await businessProfile.update({ websites: [], vertical: "SOMETHING_NEW", address: "" });
      assertEquals(requests[0]!.json, {
        messaging_product: "whatsapp",
        websites: [],
        vertical: "SOMETHING_NEW",
        address: "",
      });
    }));

  it("reads the form of Meta's schema, and an empty answer", () =>
    withGraph(({ path }) => ({
      json: path.endsWith("fields=about") ? { data: [{ business_profile: { about: "Hi" } }] } : {},
    }), async ({ businessProfile }) => {
      assertEquals(await businessProfile.get({ fields: ["about"] }), { about: "Hi", raw: { about: "Hi" } });
      assertEquals(await businessProfile.get(), { raw: {} });
    }));
});
