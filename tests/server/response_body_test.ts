/** Fate of each kind of `Response`: its length, its head, and the next response on the same connection. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { concatAll } from "../../base/bytes.ts";
import { HandlerError } from "../../base/errors.ts";
import { ResponseBody } from "../../server/response_body.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { bun, type NativeServer, serveNatively } from "../support/native_server.ts";
import { type ReadResponse, readResponses, textOf } from "../support/responses.ts";
import { RawSocket } from "../support/sockets.ts";
import { assertSameBytes, decode, encode, tlsFile } from "../support/support.ts";

type Make = () => Response | Promise<Response>;

const PLAIN = "hello ".repeat(5000);
const CODINGS = new Map([["gzip", gzipSync], ["br", brotliCompressSync], ["deflate", deflateSync]]);

/** A server whose bodies are compressed, with their length, as `/gzip` says. */
class Upstream implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(): Promise<Upstream> {
    const server = createServer((request, response) => {
      const coding = request.url!.slice(1);
      const body = CODINGS.get(coding)?.(PLAIN) ?? Buffer.from(PLAIN);
      const headers = { "content-type": "text/plain", "content-length": body.length };
      response.writeHead(200, CODINGS.has(coding) ? { ...headers, "content-encoding": coding } : headers);
      response.end(request.method === "HEAD" ? undefined : body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Upstream(server);
  }

  url(coding: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${coding}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Waits longer than is taken for ready, without a timer that a body that is given up would leave. */
async function pause(): Promise<void> {
  for (let tick = 0; tick < 200; tick++) await undefined;
}

/** A body whose pieces are not ready; it ends, or fails. */
function slowly(...pieces: (string | Error)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await pause();
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else if (piece instanceof Error) controller.error(piece);
      else controller.enqueue(encode(piece));
    },
  }, { highWaterMark: 0 });
}

function atOnce(...pieces: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(encode(piece));
      controller.close();
    },
  });
}

async function* generated(): AsyncGenerator<Uint8Array> {
  yield encode("gener");
  await Promise.resolve();
  yield encode("ated");
}

function form(): FormData {
  const fields = new FormData();
  fields.append("name", "value");
  fields.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  return fields;
}

const sized = (length: string): { headers: Record<string, string> } => ({ headers: { "content-length": length } });

/** Kinds that mean the same here and on the server of the runtime. */
const alike: Record<string, Make> = {
  "a string": () => new Response("grüße"),
  "an empty string": () => new Response(""),
  "no body": () => new Response(null),
  "a Uint8Array": () => new Response(Uint8Array.of(0, 1, 2, 255)),
  "a large Uint8Array": () => new Response(new Uint8Array(300_000).fill(7)),
  "an ArrayBuffer": () => new Response(encode("buffer").buffer),
  "a Blob with a type": () => new Response(new Blob(["a,b"], { type: "text/csv" })),
  "a Blob without a type": () => new Response(new Blob(["blob"])),
  "URLSearchParams": () => new Response(new URLSearchParams({ a: "b c" })),
  "JSON": () => Response.json({ a: [1, 2] }),
  "a redirect": () => Response.redirect("http://example.com/there"),
  "a stream that is ready": () => new Response(atOnce("rea", "dy")),
  "a stream that takes its time": () => new Response(slowly("ti", "me")),
  "an async generator": () => new Response(ReadableStream.from(generated())),
  "204": () => new Response(null, { status: 204 }),
  "204 with a length": () => new Response(null, { status: 204, ...sized("5") }),
  "304": () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
  "its own status and text": () => new Response("teapot", { status: 418, statusText: "Short and stout" }),
  "the right length": () => new Response("abc", sized("3")),
  "too small a length": () => new Response("abc", sized("1")),
  "too large a length": () => new Response("abc", sized("9")),
  "a length that is none": () => new Response("abc", sized("many")),
  "the right length of a stream": () => new Response(slowly("ab", "c"), sized("3")),
  "two cookies": () => new Response("x", { headers: [["set-cookie", "a=1, x"], ["set-cookie", "b=2"]] }),
  "a clone": () => new Response("cloned").clone(),
  "bytes that the program has compressed": () =>
    new Response(new Uint8Array(gzipSync("secret")), { headers: { "content-encoding": "gzip" } }),
  "Response.error()": () => Response.error(),
};
if (bun !== undefined) alike["Bun.file"] = () => new Response(bun!.file(tlsFile("make.sh")));

/** All bytes of a connection with some requests, of which the last asks for its end. */
async function talk(port: number, requests: string[]): Promise<Uint8Array> {
  const socket = await RawSocket.connect(port);
  await socket.write(requests.join(""));
  const pieces: Uint8Array[] = [];
  for (let piece = await socket.read(); piece !== null; piece = await socket.read()) pieces.push(piece);
  await socket.close();
  return concatAll(pieces);
}

const ask = (path: string, method = "GET", last = false): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\n${last ? "Connection: close\r\n" : ""}\r\n`;

/** A server that answers with what a test makes, and with "next" at `/next`. */
class Answering implements AsyncDisposable {
  readonly errors: unknown[] = [];
  readonly #server: WebSocketServer;
  make: Make = () => new Response("unset");

  private constructor(options: WebSocketServerOptions) {
    this.#server = new WebSocketServer({
      hostname: "127.0.0.1",
      port: 0,
      onCommandGet: (request) => request.url.endsWith("/next") ? new Response("next") : this.make(),
      onError: (error) => void this.errors.push(error),
      ...options,
    });
  }

  static async start(options: WebSocketServerOptions = {}): Promise<Answering> {
    const answering = new Answering(options);
    await answering.#server.start();
    return answering;
  }

  get port(): number {
    return this.#server.address!.port;
  }

  /** Asks for what is made, and on the same connection for another. */
  async pipelined(make: Make, method = "GET"): Promise<ReadResponse> {
    this.make = make;
    const bytes = await talk(this.port, [ask("/", method), ask("/next", "GET", true)]);
    const [first, next, ...rest] = readResponses(bytes, [method]);
    assert(next !== undefined, `no second response: ${JSON.stringify(decode(bytes).slice(0, 500))}`);
    assertEquals([next.status, textOf(next), rest], [200, "next", []]);
    return first!;
  }

  /** Asks for what is made on a connection that must end. */
  async alone(make: Make): Promise<string> {
    this.make = make;
    return decode(await talk(this.port, [ask("/"), ask("/next", "GET", true)]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop();
  }
}

/** Parts that must not differ from the server of the runtime. */
function essence({ status, headers, body }: ReadResponse): unknown[] {
  const type = headers.get("content-type") ?? "";
  // Each form has a boundary of its own.
  return [status, type.split("boundary=")[0], headers.get("location"), headers.getSetCookie(), decode(body)];
}

describe("a Response", () => {
  for (const [name, make] of Object.entries(alike)) {
    it(`with ${name} is sent as the server of the runtime sends it, and the next one behind it`, async () => {
      await using ours = await Answering.start();
      await using native: NativeServer = serveNatively(make);
      const seen = await ours.pipelined(make);
      const [expected] = readResponses(await talk(native.port, [ask("/", "GET", true)]));
      const compared = essence(expected!);
      if (name === "Response.error()") {
        compared.splice(0, 5, 500, "text/plain; charset=utf-8", null, [], "Internal server error\n");
      }
      // Bun guesses the type of texts and bytes when it sends them; a Response does not tell.
      if (bun !== undefined && !seen.headers.has("content-type")) compared[1] = "";
      assertEquals(essence(seen), compared);
      assertEquals(seen.headers.get("content-encoding"), expected!.headers.get("content-encoding"));
      assertSameBytes(seen.body, name === "Response.error()" ? seen.body : expected!.body);
      assertEquals(ours.errors.length, name === "Response.error()" ? 1 : 0);
    });
  }

  it("with a form tells the boundary that the form has", async () => {
    await using ours = await Answering.start();
    const { headers, body } = await ours.pipelined(() => new Response(form()));
    const read = await new Response(body.slice(), { headers }).formData();
    assertEquals([read.get("name"), await (read.get("file") as File).text()], ["value", "content"]);
  });

  it("has its true length if all of it is ready, else chunks; HTTP/1.0 gets it until the end", async () => {
    await using ours = await Answering.start();
    for (const [name, make] of Object.entries(alike)) {
      const { framing, status } = await ours.pipelined(make);
      const slow = name === "a stream that takes its time" || name === "Bun.file";
      const expected = status === 204 || status === 304 ? "none" : slow ? "chunked" : "length";
      if (name !== "Bun.file") assertEquals(framing, expected, name);
    }
    ours.make = () => new Response(slowly("o", "ld"));
    const [old] = readResponses(await talk(ours.port, ["GET / HTTP/1.0\r\n\r\n"]));
    assertEquals([old!.framing, textOf(old!)], ["close", "old"]);
  });

  it("to HEAD has no body, the length that is known, and none that is wrong", async () => {
    await using upstream = await Upstream.listen();
    await using ours = await Answering.start();
    const lengths: [name: string, make: Make, length: string | null][] = [
      ["string", () => new Response("abc"), "3"],
      ["wrong length", () => new Response("abc", sized("9")), "3"],
      ["only a length", () => new Response(null, sized("12345")), "12345"],
      ["nothing", () => new Response(null), null],
      ["stream", () => new Response(slowly("never", "read")), null],
      ["stream of a length", () => new Response(slowly("never", "read"), sized("9")), "9"],
      ["fetched", () => fetch(upstream.url("gzip"), { method: "HEAD" }), null],
      ["fetched as it is", () => fetch(upstream.url("plain"), { method: "HEAD" }), String(PLAIN.length)],
    ];
    for (const [name, make, length] of lengths) {
      const { status, headers } = await ours.pipelined(make, "HEAD");
      assertEquals([status, headers.get("content-length"), headers.get("content-encoding")], [200, length, null], name);
    }
    assertEquals(ours.errors, []);
  });

  it("of fetch has lost the coding and the length that its body had", async () => {
    await using upstream = await Upstream.listen();
    await using ours = await Answering.start();
    const copies: Record<string, (response: Response) => Response> = {
      "as it is": (response) => response,
      "a clone": (response) => response.clone(),
      "a copy": (response) => new Response(response.body, response),
      "a copy of body and headers": ({ body, headers }) => new Response(body, { headers }),
      "through another stream": ({ body, headers }) =>
        new Response(body!.pipeThrough(new TransformStream<Uint8Array, Uint8Array>()), { headers }),
    };
    for (const coding of ["gzip", "br", "deflate", "plain"]) {
      for (const [name, copy] of Object.entries(copies)) {
        const { headers, body } = await ours.pipelined(async () => copy(await fetch(upstream.url(coding))));
        const left = headers.get("content-encoding");
        // Deno leaves "deflate" as it is.
        if (left === null) assertEquals(decode(body), PLAIN, `${coding}, ${name}`);
        else assertSameBytes(body, CODINGS.get(left)!(PLAIN));
        if (coding !== "deflate") assertEquals(left, null, `${coding}, ${name}`);
      }
    }
    assertEquals(ours.errors, []);
  });

  it("has no more bytes than it declares, and the connection ends behind them", async () => {
    await using ours = await Answering.start();
    for (const pieces of [["abc"], ["a", "bc"], ["ab", "c"], ["abc", "d"]]) {
      const text = await ours.alone(() => new Response(slowly(...pieces), sized("2")));
      const [first, ...rest] = readResponses(encode(text));
      assertEquals([textOf(first!), rest], ["ab", []]);
    }
    const none = await ours.alone(() => new Response(slowly("abc"), sized("0")));
    assertEquals([none.endsWith("\r\n\r\n"), none.includes("next")], [true, false]);
    const open = new ReadableStream<Uint8Array>({ start: (body) => body.enqueue(encode("abc")) });
    const ready = await ours.alone(() => new Response(open, sized("0")));
    assertEquals([ready.includes("content-length: 0\r\n"), ready.endsWith("\r\n\r\n")], [true, true]);
    assertEquals(ours.errors.length, 6);
    for (const error of ours.errors) {
      assert(error instanceof HandlerError);
      assertStringIncludes(error.message, 'The handler "onCommandGet" failed: its Response has more bytes than the');
    }
  });

  it("with fewer bytes than it declares ends the connection, so that nothing is taken for the rest", async () => {
    await using ours = await Answering.start();
    const text = await ours.alone(() => new Response(slowly("ab", "c"), sized("9")));
    assertStringIncludes(text, "content-length: 9\r\n");
    assertEquals([text.endsWith("\r\n\r\nabc"), text.includes("next")], [true, false]);
    assertStringIncludes(String(ours.errors[0]), "its Response has 3 bytes instead of the 9 it declares");
  });

  it("cannot say what belongs to the connection", async () => {
    await using ours = await Answering.start();
    const headers = {
      "connection": "close, x-a",
      "keep-alive": "timeout=5",
      "proxy-connection": "keep-alive",
      "transfer-encoding": "gzip, chunked",
      "te": "trailers",
      "trailer": "x",
      "upgrade": "h2c",
      "x-a": "stays",
    };
    const response = await ours.pipelined(() => new Response("body", { headers }));
    assertEquals([textOf(response), response.headers.get("x-a")], ["body", "stays"]);
    for (const name of Object.keys(headers)) if (name !== "x-a") assertEquals(response.headers.get(name), null, name);
  });

  it("that cannot be sent is answered with 500: its status, a character, a body that has failed", async () => {
    await using ours = await Answering.start();
    const failed = (): ReadableStream =>
      new ReadableStream({ start: (controller) => controller.error(new Error("disk")) });
    const cases: [make: Make, says: string][] = [
      [() => Response.error(), "status 0"],
      [() => new Response("a", { headers: { "x-a": "a\u0001b" } }), "x-a"],
      [() => new Response(failed()), "disk"],
      [() => new Response(ReadableStream.from([{}]) as ReadableStream), "stream of Uint8Array"],
    ];
    if (bun === undefined) cases.push([() => new Response(null, { status: 101 }), "with { headers }"]);
    for (const [make, says] of cases) {
      const [first] = readResponses(encode(await ours.alone(make)));
      assertEquals([first!.status, textOf(first!)], [500, "Internal server error\n"]);
      assertStringIncludes(String(ours.errors.pop()), says);
    }
    assertEquals(ours.errors, []);
  });

  it("whose body breaks off ends without a last chunk", async () => {
    await using ours = await Answering.start();
    const text = await ours.alone(() => new Response(slowly("some", new Error("disk"))));
    assertEquals([text.endsWith("4\r\nsome\r\n"), ours.errors.length], [true, 1]);
  });

  it("has its head sent before a body that takes its time", async () => {
    await using ours = await Answering.start();
    const source = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    ours.make = () => new Response(new ReadableStream({ start: (controller) => source.resolve(controller) }));
    const socket = await RawSocket.connect(ours.port);
    await socket.write(ask("/", "GET", true));
    assertStringIncludes(decode((await socket.read())!), "transfer-encoding: chunked\r\n");
    const controller = await source.promise;
    controller.enqueue(encode("at last"));
    assertEquals(decode((await socket.read())!), "7\r\nat last\r\n");
    controller.close();
    assertEquals(await socket.readText(), "0\r\n\r\n");
  });
});

describe("a stream without events", () => {
  it("is cancelled when its reader resets the connection", async () => {
    await using ours = await Answering.start();
    const cancelled = Promise.withResolvers<void>();
    ours.make = () => new Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
    const socket = await RawSocket.connect(ours.port);
    await socket.write(ask("/", "GET", true));
    await socket.read();
    socket.reset();
    await cancelled.promise;
    assertEquals(ours.errors, []);
  });
});

describe("a Response whose coding no body shows", () => {
  // A frequent way to keep proxies from compressing a stream of events.
  for (const coding of ["none", "identity", "x-own"]) {
    it(`has its head sent before its first event, with content-encoding: ${coding}`, async () => {
      await using ours = await Answering.start();
      const headers = { "content-encoding": coding, "content-type": "text/event-stream" };
      let finish = (): void => {};
      ours.make = () =>
        new Response(new ReadableStream({ start: (events) => void (finish = () => events.close()) }), { headers });
      const socket = await RawSocket.connect(ours.port);
      await socket.write(ask("/", "GET", true));
      assertStringIncludes(decode((await socket.read())!), `content-encoding: ${coding}\r\n`);
      finish();
      assertEquals(await socket.readText(), "0\r\n\r\n");
    });
  }
});

describe("ResponseBody", () => {
  const pieces = (count: number, length: number): ReadableStream<Uint8Array> & { pulled: () => number } => {
    let pulled = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulled++ === count) controller.close();
        else controller.enqueue(new Uint8Array(length));
      },
    }, { highWaterMark: 0 });
    return Object.assign(stream, { pulled: () => pulled });
  };

  it("reads ahead at most 64 KiB and 16 pieces, and sees an end right behind", async () => {
    for (
      const [count, length, ahead, complete] of [
        [3, 10, 30, true],
        [16, 10, 160, true],
        [100, 10, 160, false],
        [1, 1_000_000, 1_000_000, true],
        [9, 40_000, 80_000, false],
        [100, 0, 0, false],
        [0, 0, 0, true],
      ] as const
    ) {
      const stream = pieces(count, length);
      const body = new ResponseBody(stream);
      await body.lookAhead(false);
      assertEquals([body.start.length, body.complete], [ahead, complete], `${count} of ${length}`);
      assert(stream.pulled() <= 18, `${stream.pulled()} pulls`);
      let total = 0;
      for (let piece = await body.read(); piece !== undefined; piece = await body.read()) total += piece.length;
      assertEquals(total, count * length);
    }
  });

  it("waits for the first piece only if it is patient", async () => {
    const hasty = new ResponseBody(slowly("a", "b"));
    await hasty.lookAhead(false);
    assertEquals([hasty.start.length, decode((await hasty.read())!)], [0, "a"]);
    const patient = new ResponseBody(slowly("a", "b"));
    await patient.lookAhead(true);
    assertEquals([decode(patient.start), patient.complete], ["a", false]);
  });

  it("fails with its stream", async () => {
    const failing = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("disk")) });
    await assertRejects(() => new ResponseBody(failing).lookAhead(false), Error, "disk");
  });

  it("says what a stream of texts lacks", async () => {
    const texts = new ReadableStream({ start: (controller) => controller.enqueue("text") });
    await assertRejects(() => new ResponseBody(texts).lookAhead(false), TypeError, "TextEncoderStream");
  });
});
