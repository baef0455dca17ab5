import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { pathOf } from "../../cloud_api/graph.ts";
import { collect, refusal, withGraph } from "../support/graph.ts";

/** A page of a list; `next` is the place of the next one. */
const page = (ids: string[], after?: string, next: string | null = after ?? null): { json: unknown } => ({
  json: {
    data: ids.map((id) => ({ id })),
    paging: {
      ...after !== undefined && { cursors: { before: "b", after } },
      ...next !== null && { next: `https://graph.example/x?after=${next}` },
    },
  },
});

describe("GraphClient.pages()", () => {
  it("reads page after page, each when it is needed", () =>
    withGraph(() => page([]), async (api, graph) => {
      graph.next.push(page(["1", "2"], "A"), page(["3"], "B"), page(["4"], "C", null));
      const items = api.graph.pages("1022/x", { query: { limit: 2 } });
      assertEquals((await items.next()).value, { id: "1" });
      assertEquals((await items.next()).value, { id: "2" });
      assertEquals(graph.requests.length, 1);
      assertEquals(await collect(items), [{ id: "3" }, { id: "4" }]);
      assertEquals(graph.requests.map(({ path }) => path), [
        "/1022/x?limit=2",
        "/1022/x?limit=2&after=A",
        "/1022/x?limit=2&after=B",
      ]);
    }));

  it("asks no more when the program has left the loop", () =>
    withGraph(() => page(["1", "2"], "A"), async (api, graph) => {
      for await (const item of api.graph.pages("1022/x")) {
        assertEquals(item, { id: "1" });
        break;
      }
      assertEquals(graph.requests.length, 1);
    }));

  it("ends at the last page, an empty one, one without a place, and one that names its own place", async () => {
    const ends = [page(["1"], "A", null), page([], undefined), page(["1"], undefined, "A"), { json: { data: null } }];
    for (const end of ends) {
      await withGraph(() => end, async (api, graph) => {
        await collect(api.graph.pages("1022/x"));
        assertEquals(graph.requests.length, 1);
      });
    }
    await withGraph(() => page(["1"], "A"), async (api, graph) => {
      assertEquals(await collect(api.graph.pages("1022/x")), [{ id: "1" }, { id: "1" }]);
      assertEquals(graph.requests.length, 2);
    });
  });

  it("fails where a page fails, behind those that came", () =>
    withGraph(() => refusal(400, 100), async (api, graph) => {
      graph.next.push(page(["1"], "A"));
      const items = api.graph.pages("1022/x");
      assertEquals((await items.next()).value, { id: "1" });
      await assertRejects(() => items.next(), WhatsAppApiError, "100");
    }));
});

describe("GraphClient", () => {
  it("names the option that is missing", () =>
    withGraph(() => page([]), (api) => {
      assertThrows(() => api.graph.accountId, OptionError, '"accountId"');
      return Promise.resolve();
    }, { accountId: undefined }));

  it("leaves out parameters without a value, and escapes the others", () =>
    withGraph(() => page([]), async (api, graph) => {
      await api.graph.get("1022/x", { query: { fields: "a,b{c}", limit: 5, after: undefined } });
      assertEquals(graph.requests[0]!.path, "/1022/x?fields=a%2Cb%7Bc%7D&limit=5");
    }));

  it("sends forms, bytes, and header fields of the program", () =>
    withGraph(() => ({ json: {} }), async (api, graph) => {
      const form = new FormData();
      form.set("type", "image/png");
      await api.graph.post("1065/media", { body: form });
      await api.graph.post("1065/x", { body: Uint8Array.of(1, 2), headers: { "x-own": "1" } });
      const [first, second] = graph.requests as [typeof graph.requests[0], typeof graph.requests[0]];
      assertEquals(String(first.headers["content-type"]).split(";")[0], "multipart/form-data");
      assertEquals([...second.bytes], [1, 2]);
      assertEquals(second.headers["x-own"], "1");
    }));
});

describe("pathOf()", () => {
  it("makes paths, and refuses ids that would lead elsewhere", () => {
    assertEquals(pathOf("template", "123"), "123");
    assertEquals(pathOf("template", "123", "edge"), "123/edge");
    for (const id of ["", "..", ".", "a/b", "a?b", "a%2fb", "x".repeat(129)]) {
      assertThrows(() => pathOf("template", id), OptionError, "The template is");
    }
  });
});

describe("a redirect", () => {
  it("is an error of the call, and is not followed: the access token must not go astray", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      await withGraph(({ path }) =>
        path === "/1022" ? { json: {}, status, headers: { location: "/v26.0/x" } } : {
          json: { success: true },
        }, async (api, { requests }) => {
        const calls = [() => api.graph.get("1022"), () => api.graph.post("1022", { json: { a: 1 } })];
        for (const call of calls) {
          const error = await assertRejects(call, WhatsAppApiError);
          assertEquals([error.code, error.status], ["ERR_API_REFUSED", status]);
        }
        assertEquals(requests.length, 2);
      });
    }
  });
});
