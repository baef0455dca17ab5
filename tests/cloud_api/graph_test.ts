import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { pathOf } from "../../cloud_api/graph.ts";
import { collect, GraphServer, refusal, withGraph } from "../support/graph.ts";
import { encode, FakeClock, until } from "../support/support.ts";

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

  it("ends where places come again, in whatever order", () =>
    withGraph(() => page([]), async (api, graph) => {
      const places = ["A", "B", "C", "A", "B", "C"];
      graph.next.push(...places.map((place, at) => page([String(at)], place)));
      assertEquals((await collect(api.graph.pages("1022/x"))).length, 4);
      assertEquals(graph.requests.length, 4);
    }));

  it("takes some empty pages, but fails when nothing else comes: the program could not leave the loop", async () => {
    let count = 0;
    const places = (more: string[]): { json: unknown } => page(more, String(++count));
    await withGraph(() => places([]), async (api, graph) => {
      const error = await assertRejects(() => collect(api.graph.pages("1022/x")), WhatsAppApiError, "100 empty pages");
      assertEquals([error.code, graph.requests.length], ["ERR_API_ANSWER", 100]);
      count = 0;
      graph.answer = () => count === 220 ? page(["9"]) : places(count === 90 ? ["8"] : count === 150 ? ["7"] : []);
      assertEquals((await collect(api.graph.pages("1022/x"))).map(({ id }) => id), ["8", "7", "9"]);
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

  it("keeps all digits of ids", () => {
    const bytes = encode('{"id":12345678901234567890,"small":7,"data":[{"id":9007199254740993}]}');
    return withGraph(() => ({ bytes }), async (api) => {
      const answer = { id: "12345678901234567890", small: 7, data: [{ id: "9007199254740993" }] };
      assertEquals(await api.graph.get("1065"), answer);
    });
  });

  it("refuses paths that would lead elsewhere, and unknown options of a call", () =>
    withGraph(() => ({ json: {} }), async (api, { requests }) => {
      const wrong: [path: unknown, call: object, text: string][] = [
        ["/1022/x", {}, 'The path is "/1022/x" instead of the path behind the version'],
        ["https://graph.facebook.com/v26.0/1022?access_token=secret", {}, "instead of the path behind the version"],
        ["", {}, "The path is empty"],
        [undefined, {}, "The path is undefined"],
        ["1022", { fields: "name" }, "use query: { fields }"],
        ["1022", { jsn: {} }, 'did you mean "json"?'],
      ];
      for (const [path, call, text] of wrong) {
        const error = await assertRejects(() => api.graph.get(path as string, call), OptionError, text);
        assert(!error.message.includes("secret"));
        await assertRejects(() => api.graph.pages(path as string, call).next(), OptionError, text);
      }
      assertEquals(requests.length, 0);
    }));

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

describe("an answer that quotes the access token", () => {
  const token = "EAAB|odd+token/1234567890";

  it("makes an error without it, in any of its texts", () =>
    withGraph(() => refusal(400, 190), async (api, graph) => {
      const text = `${"x".repeat(990)} Malformed access token ${token} (${encodeURIComponent(token)})`;
      const people = { error_user_title: token, error_user_msg: token };
      const more = { message: text, type: token, error_data: { details: token }, fbtrace_id: token, ...people };
      graph.next.push(refusal(400, 190, more), refusal(400, 190, { message: "a".repeat(100_000) }));
      const error = await assertRejects(() => api.graph.get("1065"), WhatsAppApiError);
      const shown = `${error.message}${JSON.stringify(error)}${JSON.stringify(error.graph)}${error.stack}`;
      assert(!shown.includes("EAAB"), shown);
      assertStringIncludes(error.graph?.message ?? "", "Malformed access token … (…)");
      const long = await assertRejects(() => api.graph.get("1065"), WhatsAppApiError);
      assertEquals(long.graph?.message?.length, 4096);
    }, { accessToken: () => Promise.resolve(token) }));

  it("is not quoted when it is no JSON", () =>
    withGraph(() => ({ bytes: encode(`"${token}`), headers: { "content-type": "text/plain" } }), async (api) => {
      const error = await assertRejects(() => api.graph.get("1065"), WhatsAppApiError, 'of the type "text/plain"');
      const shown = `${error.message}${error.stack}${error.cause}`;
      assertEquals([error.code, shown.includes("EAAB")], ["ERR_API_ANSWER", false], shown);
    }, { accessToken: token }));
});

describe("a function that is asked for the access token", () => {
  it("has a time limit of its own, which leaves the call all of its time", async () => {
    await using graph = await new GraphServer().start();
    const clock = new FakeClock();
    const asked: PromiseWithResolvers<string>[] = [];
    const accessToken = (): Promise<string> => {
      asked.push(Promise.withResolvers<string>());
      return asked.at(-1)!.promise;
    };
    const api = graph.api({ clock, accessToken, requestTimeout: 1000 });
    const late = assertRejects(() => api.graph.get("1065"), WhatsAppApiError, '"accessToken" returned nothing');
    await until(() => clock.pending === 1, "the limit");
    clock.advance(1000);
    assertEquals((await late).code, "ERR_API_UNREACHABLE");
    assertEquals([clock.pending, graph.requests.length], [0, 0]);
    graph.answer = () => ({ fault: "silence" });
    const slow = assertRejects(() => api.graph.get("1065"), WhatsAppApiError, "1000 ms");
    await until(() => clock.pending === 1, "the limit");
    clock.advance(999);
    asked[1]!.resolve("secret");
    await graph.count(1);
    clock.advance(999);
    assertEquals(clock.pending, 1);
    clock.advance(1);
    await slow;
    // A failure that comes too late is ignored.
    asked[0]!.reject(new Error("late"));
    assertEquals(clock.pending, 0);
  });

  it("is not waited for when the call is given up", async () => {
    await using graph = await new GraphServer().start();
    const clock = new FakeClock();
    const api = graph.api({ clock, accessToken: () => new Promise<string>(() => {}) });
    const abort = new AbortController();
    const reason = new Error("given up");
    const sent = api.sendText("4917", "Hi", { signal: abort.signal }).catch((error: unknown) => error);
    await until(() => clock.pending === 1, "the limit");
    abort.abort(reason);
    assertEquals([await sent, clock.pending, api.queue.sending], [reason, 0, 0]);
  });

  it("may throw, and is named when it returns something else than a token", async () => {
    await using graph = await new GraphServer().start();
    const clock = new FakeClock();
    const failure = new Error("the vault is closed");
    const call = (accessToken: () => unknown): Promise<unknown> =>
      graph.api({ clock, accessToken: accessToken as () => string }).graph.get("1065").catch((error) => error);
    assertEquals(await call(() => Promise.reject(failure)), failure);
    assertEquals(
      await call(() => {
        throw failure;
      }),
      failure,
    );
    for (const rubbish of [undefined, null, 7, {}, ["secret"], "", " ", "two\nlines", "secret\r\nx: y", "\u20ac"]) {
      const error = await call(() => rubbish);
      assert(error instanceof OptionError, String(error));
      assertStringIncludes(error.message, '"accessToken"');
      assert(!error.message.includes("secret"), error.message);
    }
    assertThrows(() => graph.api({ accessToken: ["secret"] as unknown as string }), OptionError, "an array");
    assertEquals([clock.pending, graph.requests.length], [0, 0]);
  });

  it("leaves no timer when the stream of an upload was taken meanwhile", async () => {
    await using graph = await new GraphServer().start();
    const clock = new FakeClock();
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>();
    const accessToken = (): string => {
      stream.getReader();
      return "secret";
    };
    await assertRejects(() => graph.api({ clock, accessToken }).uploadMedia(stream, { mimeType: "image/png" }));
    assertEquals([clock.pending, graph.requests.length], [0, 0]);
  });
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
