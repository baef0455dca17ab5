/** Uploads over real sockets: what is sent, and what becomes of the file and the connection when an upload fails. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFile } from "node:fs/promises";
import { OptionError } from "../../base/errors.ts";
import type { WhatsAppApi } from "../../cloud_api/api.ts";
import { WhatsAppApiError } from "../../cloud_api/api_error.ts";
import type { UploadOptions, UploadSource } from "../../cloud_api/calls.ts";
import { type GraphRequest, refusal, withGraph } from "../support/graph.ts";
import { RawGraph, rawHead } from "../support/raw_graph.ts";
import { assertSameBytes, encode, FakeClock, settle, turns, until } from "../support/support.ts";

const LARGE = new Uint8Array(3_000_000).map((_, index) => index * 7 + (index >> 8));
const PDF = { mimeType: "application/pdf" };
const stored = () => ({ json: { id: "M1" } });

/** A stream of pieces that tells what became of it. */
class Source {
  pulled = 0;
  cancelled: unknown;
  isRead = false;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;

  constructor(next: (index: number) => Uint8Array<ArrayBuffer> | undefined | Promise<Uint8Array<ArrayBuffer>>) {
    this.stream = new ReadableStream({
      pull: async (controller) => {
        const piece = await next(this.pulled);
        if (piece === undefined) {
          this.isRead = true;
          return controller.close();
        }
        this.pulled++;
        controller.enqueue(piece);
      },
      cancel: (reason) => {
        this.cancelled = reason ?? "no reason";
      },
    }, { highWaterMark: 0 });
  }

  static of(bytes: Uint8Array<ArrayBuffer>, size = 50_000): Source {
    return new Source((index) => {
      const piece = bytes.subarray(index * size, (index + 1) * size);
      return piece.length === 0 ? undefined : piece;
    });
  }
}

/** The form of a request. */
async function formOf({ bytes, headers }: GraphRequest): Promise<[Record<string, FormDataEntryValue>, Uint8Array]> {
  const type = String(headers["content-type"]);
  const form = await new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-type": type } }).formData();
  const fields = Object.fromEntries(form.entries());
  return [fields, new Uint8Array(await (fields.file as File).arrayBuffer())];
}

/** Uploads, and returns the error. */
function failure(api: WhatsAppApi, source: UploadSource, options: UploadOptions = {}): Promise<unknown> {
  return api.uploadMedia(source, options).then(() => assert(false, "the upload succeeded"), (error: unknown) => error);
}

describe("uploadMedia", () => {
  it("sends a form with product, type, name and bytes, of a file in each form", async () => {
    const small = encode("%PDF-1.7 small");
    const sources: [UploadSource, UploadOptions, name: string, bytes: Uint8Array][] = [
      [new Blob([small], { type: "application/pdf" }), {}, "file.pdf", small],
      [new File([small], "bill.pdf"), {}, "bill.pdf", small],
      [small, PDF, "file.pdf", small],
      [small.buffer, { filename: "a.pdf" }, "a.pdf", small],
      [Source.of(small, 5).stream, PDF, "file.pdf", small],
      [Source.of(small, 5).stream, { ...PDF, size: small.length }, "file.pdf", small],
      [new Blob([LARGE]), { filename: 'x/y/the "big"\r\n\u00e9.pdf' }, 'the "big"\r\n\u00e9.pdf', LARGE],
      [LARGE, PDF, "file.pdf", LARGE],
      [Source.of(LARGE).stream, PDF, "file.pdf", LARGE],
      [Source.of(LARGE, 1_000_000).stream, { ...PDF, size: LARGE.length }, "file.pdf", LARGE],
    ];
    for (const [source, options, name, bytes] of sources) {
      await withGraph(stored, async (api, { requests }) => {
        assertEquals(await api.uploadMedia(source, options), { id: "M1" });
        const [request] = requests as [GraphRequest];
        assertEquals([request.method, request.path], ["POST", "/1065/media"]);
        assertEquals([request.headers.authorization, requests.length], ["Bearer secret", 1]);
        const [{ messaging_product, type, file }, content] = await formOf(request);
        assertEquals([messaging_product, type], ["whatsapp", "application/pdf"]);
        // Form parsers differ in undoing what browsers escape.
        const decoded = (file as File).name.replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n");
        assertEquals([decoded, (file as File).type], [name, "application/pdf"]);
        assertSameBytes(content, bytes);
      });
    }
  });

  it("takes what readFile of node:fs gives, and shared memory", () =>
    withGraph(stored, async (api, { requests }) => {
      const shared = new Uint8Array(new SharedArrayBuffer(3));
      shared.set([1, 2, 3]);
      const large = new Uint8Array(new SharedArrayBuffer(LARGE.length));
      large.set(LARGE);
      const read = await readFile(new URL(import.meta.url));
      for (const file of [read, shared, large]) await api.uploadMedia(file, PDF);
      const sent = await Promise.all(requests.map(async (request) => (await formOf(request))[1]));
      assertSameBytes(sent[0]!, new Uint8Array(read));
      assertEquals([...sent[1]!], [1, 2, 3]);
      assertSameBytes(sent[2]!, LARGE);
    }));

  it("sends the type without what runtimes add, but with the codec of audio, and tells it by the name", async () => {
    const cases = [
      [new Blob(["a"], { type: "text/plain;charset=utf-8" }), "text/plain"],
      [new Blob(["a"], { type: "audio/ogg; codecs=opus" }), "audio/ogg; codecs=opus"],
      // What a program takes for unknown: the name tells.
      [new File(["a"], "a.png", { type: "application/octet-stream" }), "image/png"],
    ] as const;
    for (const [source, type] of cases) {
      await withGraph(stored, async (api, { requests }) => {
        await api.uploadMedia(source);
        assertEquals((await formOf(requests[0]!))[0].type, type);
      });
    }
  });

  it("refuses a wrong file before anything is sent, and leaves a stream alone", () =>
    withGraph(stored, async (api, { requests }) => {
      const locked = Source.of(LARGE).stream;
      locked.getReader();
      const cases: [UploadSource, UploadOptions, string][] = [
        [new Blob(["a"], { type: "image/gif" }), {}, '"image/gif"'],
        [new Blob(["a"]), {}, '"mimeType"'],
        [new Blob(["a"]), { filename: "a.exe" }, '"mimeType"'],
        [new Blob(["a"]), { mimeType: "png", checkType: false }, "not a MIME type"],
        [new Blob(["a"]), { mimeType: 5 as unknown as string }, "not a MIME type"],
        [new Blob(["a"]), { mimeType: "a/b\r\nx: y", checkType: false }, "not a MIME type"],
        [new Blob(["a"]), { mimeType: "a/b\r\n", checkType: false }, "not a MIME type"],
        [new Blob(["a"], { type: "image/webp" }), { kind: "image" }, '"image/webp"'],
        [new Blob([], { type: "image/png" }), {}, "empty"],
        [new Uint8Array(5_242_881), { mimeType: "image/png" }, "5242881"],
        [encode(`RIFF....WEBPVP8L${"x".repeat(102_400)}`), { mimeType: "image/webp" }, "static sticker"],
        [Source.of(LARGE).stream, { mimeType: "image/png", size: 5_242_881 }, "5242881"],
        [Source.of(LARGE).stream, { ...PDF, size: -1 }, '"size"'],
        [locked, PDF, "another reader"],
        ["path.pdf" as unknown as Blob, PDF, "no Blob"],
        [null as unknown as Blob, PDF, "no Blob"],
        [new Blob(["a"]), { ...PDF, kind: "file" as "image" }, '"file"'],
        [new Blob(["a"]), { type: "image/png" } as UploadOptions, 'use "mimeType"'],
      ];
      for (const [source, options, part] of cases) {
        const error = await failure(api, source, options);
        assert(error instanceof OptionError, `${part}: ${error}`);
        assertStringIncludes(error.message, part);
        if (source instanceof ReadableStream && source !== locked) assertEquals(source.locked, false);
      }
      assertEquals(requests.length, 0);
      await api.uploadMedia(new Blob([new Uint8Array(5_242_881)], { type: "image/gif" }), { checkType: false });
      await api.uploadMedia(new Uint8Array(5_242_881), { mimeType: "image/png", kind: "document" });
      assertEquals(requests.length, 2);
    }));

  it("sends a Blob again after 429, and a stream not", async () => {
    for (const bytes of [encode("small"), LARGE]) {
      await withGraph(stored, async (api, graph) => {
        graph.next.push(refusal(429, 4));
        assertEquals(await api.uploadMedia(new Blob([bytes]), PDF), { id: "M1" });
        const [first, second] = await Promise.all(graph.requests.map(formOf));
        assertEquals(graph.requests.length, 2);
        assertSameBytes(first![1], bytes);
        assertSameBytes(second![1], bytes);
      }, { retryDelay: 0 });
    }
    await withGraph(stored, async (api, graph) => {
      graph.next.push(refusal(429, 4));
      const error = await failure(api, Source.of(LARGE).stream, PDF);
      assert(error instanceof WhatsAppApiError);
      assertEquals([error.code, error.status, error.graph?.code], ["ERR_API_REFUSED", 429, 4]);
      assertStringIncludes(error.message, "a stream cannot be sent again");
      assertEquals(graph.requests.length, 1);
    }, { retryDelay: 0 });
  });

  it("fails without an id in the answer", () =>
    withGraph(() => ({ json: {} }), async (api) => {
      const error = await failure(api, new Blob(["a"]), PDF);
      assert(error instanceof WhatsAppApiError);
      assertEquals(error.code, "ERR_API_ANSWER");
    }));
});

describe("uploadMedia: a stream", () => {
  it("fails with an OptionError when its size is not the given one, or above the limit, and is cancelled", async () => {
    const endless = () => new Source(() => LARGE.subarray(0, 100_000));
    const cases: [Source, UploadOptions, string][] = [
      [Source.of(LARGE), { ...PDF, size: LARGE.length - 1 }, "more than its 2999999 bytes"],
      [Source.of(LARGE), { ...PDF, size: LARGE.length + 1 }, "3000000 of its 3000001 bytes"],
      [endless(), { mimeType: "image/png" }, "the limit for image is 5242880"],
      [Source.of(new Uint8Array()), PDF, "empty"],
      [new Source(() => "text" as unknown as Uint8Array<ArrayBuffer>), PDF, "no Uint8Array"],
    ];
    for (const [source, options, part] of cases) {
      await using graph = await new RawGraph().start();
      const clock = new FakeClock();
      const error = await failure(graph.api({ clock }), source.stream, options);
      assert(error instanceof OptionError, String(error));
      assertStringIncludes(error.message, part);
      await until(() => graph.open === 0, "the end of the connection");
      assertEquals([clock.pending, source.stream.locked], [0, true]);
      assertEquals(source.cancelled !== undefined || source.isRead, true, "the stream is cancelled");
      assert(graph.received < 6_000_000, `${graph.received} bytes were sent`);
    }
  });

  it("fails with its own error", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    const reason = new Error("the disk is gone");
    const source = new Source((index) => index < 3 ? LARGE.subarray(0, 1000) : Promise.reject(reason));
    assertEquals(await failure(graph.api({ clock }), source.stream, PDF), reason);
    await until(() => graph.open === 0, "the end of the connection");
    assertEquals(clock.pending, 0);
  });

  it("is not collected while the network stalls; the time limit ends the upload", async () => {
    await using graph = await new RawGraph().start();
    graph.onHead = ({ socket }) => socket.pause();
    const clock = new FakeClock();
    const source = new Source(() => new Uint8Array(65_536));
    const failed = failure(graph.api({ clock, requestTimeout: 1000 }), source.stream, PDF);
    // As long as the operating system takes pieces, the timer starts anew with each.
    await until(async () => {
      const before = source.pulled;
      await turns(30);
      return graph.calls.length === 1 && source.pulled === before;
    }, "full buffers");
    assert(source.pulled * 65_536 < 40_000_000, `${source.pulled} pieces were read`);
    assertEquals(clock.pending, 1);
    clock.advance(1000);
    const error = await failed;
    assert(error instanceof WhatsAppApiError);
    assertEquals(error.code, "ERR_API_UNREACHABLE");
    assertStringIncludes(error.message, "1000 ms");
    await until(() => source.cancelled !== undefined, "the cancelled stream");
    graph.calls[0]!.socket.resume();
    await until(() => graph.open === 0, "the end of the connection");
    assertEquals(clock.pending, 0);
  });

  it("may be slow: the time limit is for the API alone, and for each piece", async () => {
    await using graph = await new RawGraph().start();
    const clock = new FakeClock();
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<Uint8Array<ArrayBuffer>>());
    let asked = 0;
    const source = new Source((index) => {
      asked = index + 1;
      return gates[index]?.promise;
    });
    const sent = graph.api({ clock, requestTimeout: 1000 }).uploadMedia(source.stream, PDF);
    for (const [index, gate] of gates.entries()) {
      await until(() => clock.pending === 0 && asked === index + 1, "the wait for the source");
      clock.advance(60_000);
      await settle();
      gate.resolve(new Uint8Array(100));
    }
    await until(() => graph.calls.length === 1 && graph.received > 400 && clock.pending === 1, "the whole body");
    clock.advance(999);
    const body = '{"id":"M1"}';
    graph.calls[0]!.socket.end(rawHead(200, { "content-length": body.length, connection: "close" }) + body);
    assertEquals(await sent, { id: "M1" });
    assertEquals(clock.pending, 0);
  });

  it("is let go of when the API answers early, without reading the rest", async () => {
    await using graph = await new RawGraph().start();
    graph.onHead = ({ socket }) => {
      socket.pause();
      socket.write(rawHead(413, { "content-length": 2 }) + "{}");
    };
    const clock = new FakeClock();
    const source = new Source(() => new Uint8Array(65_536));
    const error = await failure(graph.api({ clock }), source.stream, PDF);
    assert(error instanceof WhatsAppApiError);
    assertEquals([error.code, error.status], ["ERR_API_REFUSED", 413]);
    await until(() => source.cancelled !== undefined, "the cancelled stream");
    graph.calls[0]!.socket.resume();
    await until(() => graph.open === 0, "the end of the connection");
    assertEquals(clock.pending, 0);
  });

  it("is let go of when the program gives the upload up, even if the stream itself stalls", async () => {
    for (const stalls of [false, true]) {
      await using graph = await new RawGraph().start();
      const clock = new FakeClock();
      const abort = new AbortController();
      const reason = new Error("given up");
      const never = new Promise<Uint8Array<ArrayBuffer>>(() => {});
      const source = new Source((index) => stalls && index === 2 ? never : new Uint8Array(65_536));
      if (!stalls) graph.onHead = ({ socket }) => socket.pause();
      const failed = failure(graph.api({ clock }), source.stream, { ...PDF, signal: abort.signal });
      await until(() => graph.calls.length === 1 && source.pulled >= 2, "the upload");
      abort.abort(reason);
      assertEquals(await failed, reason);
      await until(() => source.cancelled !== undefined, "the cancelled stream");
      graph.calls[0]!.socket.resume();
      await until(() => graph.open === 0, "the end of the connection");
      assertEquals(clock.pending, 0);
    }
  });

  it("is let go of when the connection is cut, without another attempt", async () => {
    await using graph = await new RawGraph().start();
    graph.onHead = ({ socket }) => socket.destroy();
    const clock = new FakeClock();
    for (const make of [() => new Blob([LARGE]), () => new Source(() => new Uint8Array(65_536)).stream]) {
      const error = await failure(graph.api({ clock }), make(), PDF);
      assert(error instanceof WhatsAppApiError);
      assertEquals([error.code, clock.pending], ["ERR_API_UNREACHABLE", 0]);
    }
    assertEquals(graph.calls.length, 2);
  });
});

describe("a stream that no call has begun to read", () => {
  it("is refused if another upload reads it", () =>
    withGraph(stored, async (api, { requests }) => {
      const { stream } = Source.of(encode("abc"));
      const results = await Promise.allSettled([api.uploadMedia(stream, PDF), api.uploadMedia(stream, PDF)]);
      assertEquals(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
      const [refused] = results.filter((result) => result.status === "rejected");
      assert(refused!.reason instanceof OptionError, String(refused!.reason));
      assertStringIncludes(refused!.reason.message, "the stream has another reader");
      assertEquals(requests.length, 1);
    }));

  it("is cancelled if the access token does not come, or no session is opened", () =>
    withGraph(() => refusal(400, 100), async (api, graph) => {
      const reason = new Error("no token");
      const tokenless = graph.api({ accessToken: () => Promise.reject(reason) });
      const options = { ...PDF, size: 3 };
      const calls: ((stream: ReadableStream<Uint8Array>) => Promise<unknown>)[] = [
        (stream) => tokenless.uploadMedia(stream, options),
        (stream) => api.uploadHandle(stream, { ...options, appId: "77" }),
      ];
      for (const call of calls) {
        const source = Source.of(encode("abc"));
        const error = await assertRejects(() => call(source.stream));
        assertEquals([source.cancelled, source.pulled], [error, 0]);
      }
      assertEquals(graph.requests.length, 1);
    }));
});

describe("uploadHandle", () => {
  const id = "upload:MTphdHRhY2htZW50OjE=?sig=ARZ_q";

  it("opens a session, sends the bytes with its id and signature, and returns the handle", async () => {
    const png = encode("\x89PNG");
    for (const bytes of [png, LARGE]) {
      for (const source of [new Blob([bytes]), Source.of(bytes).stream]) {
        const answer = ({ path }: GraphRequest) => ({ json: path.startsWith("/77") ? { id } : { h: "2:handle" } });
        await withGraph(answer, async (api, { requests }) => {
          const options = { appId: "77", mimeType: "image/png", filename: "a b.png", size: bytes.length };
          assertEquals(await api.uploadHandle(source, options), { handle: "2:handle" });
          const [first, second] = requests as [GraphRequest, GraphRequest];
          const query = `file_name=a+b.png&file_length=${bytes.length}&file_type=image%2Fpng`;
          assertEquals([first.method, first.path], ["POST", `/77/uploads?${query}`]);
          assertEquals([second.method, second.path], ["POST", `/${id}`]);
          const { authorization, file_offset, "content-type": type } = second.headers;
          assertEquals([authorization, file_offset, type], ["OAuth secret", "0", "image/png"]);
          assertSameBytes(second.bytes, bytes);
        });
      }
    }
  });

  it("refuses what the upload does not take, before anything is sent", () =>
    withGraph(() => ({ json: { id } }), async (api, { requests }) => {
      const cases = [
        [Source.of(LARGE).stream, { appId: "77", mimeType: "image/png" }, '"size"'],
        [new Blob(["a"]), { appId: "77", mimeType: "text/plain" }, '"text/plain"'],
        [new Blob(["a"]), { appId: "7/7", mimeType: "image/png" }, "appId"],
      ] as const;
      for (const [source, options, part] of cases) {
        await assertRejects(() => api.uploadHandle(source, options), OptionError, part);
      }
      assertEquals(requests.length, 0);
    }));

  it("fails when the API gives no usable session or handle", async () => {
    for (const session of [undefined, "", "77", "upload:a/../../x", "../upload:a", "https://example.com/upload:a"]) {
      await withGraph(() => ({ json: { id: session } }), async (api, { requests }) => {
        const call = api.uploadHandle(new Blob(["a"]), { appId: "77", mimeType: "image/png" });
        const error = await assertRejects(() => call, WhatsAppApiError);
        assertEquals([error.code, requests.length], ["ERR_API_ANSWER", 1], session);
      });
    }
    await withGraph(() => ({ json: { id } }), async (api) => {
      const call = api.uploadHandle(new Blob(["a"]), { appId: "77", mimeType: "image/png" });
      assertEquals((await assertRejects(() => call, WhatsAppApiError)).code, "ERR_API_ANSWER");
    });
  });
});
