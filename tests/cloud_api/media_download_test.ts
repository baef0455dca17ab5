/** Downloads: the hosts that the access token may see, redirects, URLs that have expired, sizes and digests. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHash } from "node:crypto";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import { assertSize } from "../../cloud_api/media_download.ts";
import { type GraphAnswer, type GraphRequest, refusal, withGraph } from "../support/graph.ts";
import { encode, FakeClock } from "../support/support.ts";

const BYTES = encode("the bytes of an image".repeat(10_000));

/** A `fetch` that answers by URL, and tells which hosts got the access token. */
class FakeFetch {
  readonly calls: [url: string, token: string | null][] = [];
  constructor(readonly answers: Record<string, () => Response>) {}
  readonly fetch = (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    this.calls.push([String(url), new Headers(init!.headers).get("authorization")]);
    assertEquals(init!.redirect, "manual");
    return Promise.resolve(this.answers[String(url)]!());
  };
}

const GRAPH = "https://graph.facebook.com/v26.0/77?phone_number_id=1065";
const LOOKASIDE = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=3";
const infoOf = (url: unknown) => () => Response.json({ id: "77", url, mime_type: "image/png" });
const redirectTo = (location: string) => () => new Response(null, { status: 302, headers: { location } });
const file = () => new Response(BYTES);

function apiOf({ fetch }: FakeFetch, baseUrl?: string): WhatsAppApi {
  return new WhatsAppApi({ accessToken: "secret", phoneNumberId: "1065", fetch, baseUrl });
}

async function sizeOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  let size = 0;
  for await (const piece of stream) size += piece.length;
  return size;
}

describe("the hosts of a download", () => {
  it("are Meta's; after a redirect only those get the token that look at it", async () => {
    const cdn = "https://scontent.xx.fbcdn.net/v/t61/1.jpg?oh=1";
    const other = "https://mmg.whatsapp.net/v/1";
    const fake = new FakeFetch({
      [GRAPH]: infoOf(LOOKASIDE),
      [LOOKASIDE]: redirectTo("https://www.facebook.com/x"),
      "https://www.facebook.com/x": redirectTo("/y"),
      "https://www.facebook.com/y": redirectTo(cdn),
      [cdn]: redirectTo(other),
      [other]: file,
    });
    const { stream } = await apiOf(fake).media("77");
    assertEquals(await sizeOf(stream), BYTES.length);
    assertEquals(fake.calls, [
      [GRAPH, "Bearer secret"],
      [LOOKASIDE, "Bearer secret"],
      ["https://www.facebook.com/x", "Bearer secret"],
      ["https://www.facebook.com/y", "Bearer secret"],
      [cdn, null],
      [other, null],
    ]);
  });

  it("are no others, in the answer of the API or in a redirect: those are never called", async () => {
    const urls = [
      "https://evil.example/x",
      "https://fbsbx.com.evil.example/x",
      "https://evilfbsbx.com/x",
      "http://lookaside.fbsbx.com/x",
      "https://lookaside.fbsbx.com:8443/x",
      "https://me:pw@lookaside.fbsbx.com/x",
      "https://169.254.169.254/x",
      "https://lookaside.fbsbx.com./x",
      "file:///etc/passwd",
      "//evil.example/x",
    ];
    for (const url of urls) {
      for (const answers of [{ [GRAPH]: infoOf(url) }, { [GRAPH]: infoOf(LOOKASIDE), [LOOKASIDE]: redirectTo(url) }]) {
        const fake = new FakeFetch(answers);
        const error = await assertRejects(() => apiOf(fake).media("77"), WhatsAppApiError);
        assertEquals([error.code, fake.calls.length], ["ERR_API_ANSWER", Object.keys(answers).length], url);
        assert(!error.message.includes("pw"), error.message);
      }
    }
    for (const url of ["nowhere", "", 7, undefined]) {
      const fake = new FakeFetch({ [GRAPH]: infoOf(url) });
      const error = await assertRejects(() => apiOf(fake).media("77"), WhatsAppApiError);
      assertEquals([error.code, fake.calls.length], ["ERR_API_ANSWER", 1]);
    }
  });

  it("are also that of the API itself, with its scheme and port", async () => {
    const base = "http://127.0.0.1:8000";
    const first = `${base}/v26.0/77?phone_number_id=1065`;
    const fake = new FakeFetch({
      [first]: infoOf(`${base}/a`),
      [`${base}/a`]: redirectTo("b"),
      [`${base}/b`]: redirectTo("http://127.0.0.1:8001/c"),
    });
    const error = await assertRejects(() => apiOf(fake, base).media("77"), WhatsAppApiError);
    assertStringIncludes(error.message, "http://127.0.0.1:8001");
    assertEquals(fake.calls.map(([, token]) => token), ["Bearer secret", "Bearer secret", "Bearer secret"]);
  });

  it("do not send a download in a circle", async () => {
    const fake = new FakeFetch({ [GRAPH]: infoOf(LOOKASIDE), [LOOKASIDE]: redirectTo(LOOKASIDE) });
    const error = await assertRejects(() => apiOf(fake).media("77"), WhatsAppApiError);
    assertEquals([error.code, fake.calls.length], ["ERR_API_ANSWER", 7]);
    assertStringIncludes(error.message, "more than 5 redirects");
  });
});

/** Runs a test with an API whose files are at `/file`. */
function withFile(
  answers: (request: GraphRequest, url: string) => GraphAnswer,
  action: (api: WhatsAppApi, requests: GraphRequest[], clock: FakeClock) => Promise<void>,
): Promise<void> {
  let url = "";
  const clock = new FakeClock();
  return withGraph((request) => answers(request, url), (api, graph) => {
    url = graph.url;
    return action(api, graph.requests, clock);
  }, { clock });
}

const FILE = "/files/77";
const standard = (info: object = {}) => ({ path }: GraphRequest, url: string): GraphAnswer =>
  path === "/77" ? { bytes: BYTES } : { json: { url: `${url}${FILE}`, mime_type: "image/png", ...info } };

describe("a download", () => {
  it("follows real redirects on each runtime, and sends a User-Agent", () =>
    withFile(({ path }, url) => {
      if (path === "/77?phone_number_id=1065") return { json: { url: `${url}/files/a` } };
      if (path === "/a") return { json: {}, status: 307, headers: { location: "/files/b" } };
      return { bytes: BYTES };
    }, async (api, requests, clock) => {
      assertEquals(await sizeOf((await api.media("77")).stream), BYTES.length);
      assertEquals(requests.map(({ path }) => path), ["/77?phone_number_id=1065", "/a", "/b"]);
      for (const { headers } of requests) assertEquals(headers["user-agent"], "tackline-websocket");
      assertEquals(clock.pending, 0);
    }));

  it("asks once for another URL when the first has expired (404)", async () => {
    for (const [failures, requested] of [[1, 4], [2, 4]] as const) {
      let left: number = failures;
      const answers = (request: GraphRequest, url: string) =>
        request.path === "/77" && left-- > 0 ? refusal(404, 100) : standard()(request, url);
      await withFile(answers, async (api, requests) => {
        const result = await api.media("77").catch((error: unknown) => error);
        if (failures === 1) assert(!(result instanceof Error), String(result));
        else assert(result instanceof WhatsAppApiError && result.status === 404, String(result));
        if (!(result instanceof Error)) await (result as { stream: ReadableStream }).stream.cancel();
        assertEquals(requests.length, requested);
      });
    }
  });

  it("does not ask again after another error, or when the file itself is unknown", async () => {
    for (const status of [400, 401, 403, 410]) {
      const answers = (request: GraphRequest, url: string) =>
        request.path === "/77" ? refusal(status, 100) : standard()(request, url);
      await withFile(answers, async (api, requests) => {
        const error = await assertRejects(() => api.media("77"), WhatsAppApiError);
        assertEquals([error.status, requests.length], [status, 2]);
      });
    }
    await withFile(() => refusal(404, 100), async (api, requests) => {
      await assertRejects(() => api.media("77"), WhatsAppApiError);
      assertEquals(requests.length, 1);
    });
  });

  it("fails with ERR_MEDIA_TOO_LARGE: before the first byte if the size is reported, else in time", async () => {
    await withFile(standard({ file_size: BYTES.length }), async (api, requests) => {
      const error = await assertRejects(() => api.media("77", { maxSize: BYTES.length - 1 }), WhatsAppApiError);
      assertEquals([error.code, requests.length], ["ERR_MEDIA_TOO_LARGE", 1]);
      const { stream, size } = await api.media("77", { maxSize: BYTES.length });
      assertEquals([await sizeOf(stream), size], [BYTES.length, BYTES.length]);
    });
    // The API reports too little, or nothing.
    for (const file_size of [1, undefined]) {
      await withFile(standard({ file_size }), async (api, _, clock) => {
        const { stream } = await api.media("77", { maxSize: 1000 });
        const error = await assertRejects(() => sizeOf(stream), WhatsAppApiError);
        assertEquals([error.code, clock.pending], ["ERR_MEDIA_TOO_LARGE", 0]);
        await assertRejects(() => api.media("77", { maxSize: -1 }), OptionError, "maxSize");
      });
    }
    assertSize("77", 10, 0);
    assertThrows(() => assertSize("77", 10, 9), WhatsAppApiError, "9");
  });

  it("checks the digest in both forms", async () => {
    const digest = createHash("sha256").update(BYTES).digest();
    for (const sha256 of [digest.toString("hex"), digest.toString("base64")]) {
      await withFile(standard({ sha256 }), async (api) => {
        assertEquals(await sizeOf((await api.media("77")).stream), BYTES.length);
      });
    }
    await withFile(standard({ sha256: digest.toString("hex").replaceAll("a", "b") }), async (api, _, clock) => {
      const { stream } = await api.media("77");
      const error = await assertRejects(() => sizeOf(stream), WhatsAppApiError);
      assertEquals([error.code, clock.pending], ["ERR_MEDIA_DIGEST", 0]);
    });
  });

  it("does not use the URL of a notification, which may have expired", () =>
    withFile(standard(), async (api, requests) => {
      const { stream } = await api.media({ id: "77", url: "https://lookaside.fbsbx.com/x" });
      assertEquals(await sizeOf(stream), BYTES.length);
      assertEquals(requests.map(({ path }) => path), ["/77?phone_number_id=1065", "/77"]);
    }));
});
