import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { AcceptSession } from "../../server/accept.ts";
import type { AcceptHost } from "../../server/accept_host.ts";
import { Admission, type AdmissionTicket } from "../../server/admission.ts";
import { CONNECTION_DEFAULTS } from "../../connection/options.ts";
import { createConnection, type WebSocketConnection } from "../../connection/connection.ts";
import { LockableSettings } from "../../server/settings.ts";
import { TextReply } from "../../server/text_reply.ts";
import { type HandshakeError, TransportError } from "../../base/errors.ts";
import { MemoryBudget } from "../../base/memory_budget.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { readResponses, textOf } from "../support/responses.ts";
import { RawSocket } from "../support/sockets.ts";
import {
  decode,
  defer,
  encode,
  FakeClock,
  FakeTransport,
  pipe,
  Recorder,
  settle,
  turns,
  until,
} from "../support/support.ts";

/** The side of a server, over a transport of the test. */
function session(host: Partial<AcceptHost<unknown>>): {
  transport: FakeTransport;
  recorder: Recorder;
  connection: WebSocketConnection;
} {
  const transport = new FakeTransport();
  const recorder = new Recorder();
  const settings = { ...CONNECTION_DEFAULTS, pingInterval: 0, clock: new FakeClock() };
  const connection = createConnection(transport, "server", recorder, settings);
  const ticket = new Admission(() => new WebSocketServer(), () => {}).enter(
    transport.remoteAddress,
    0,
  ) as AdmissionTicket;
  new AcceptSession(transport, connection, {
    settings: () => ({ ...acceptDefaults, clock: settings.clock }),
    stopping: () => false,
    bodies: new MemoryBudget(() => 0),
    identify: () => {},
    allow: () => true,
    selectProtocol: () => "",
    respond: () => Promise.resolve(new Response("plain")),
    opened: () => {},
    refused: () => {},
    error: () => {},
    ...host,
  }, ticket).begin();
  return { transport, recorder, connection };
}

/** A server over a pair of streams: exact bytes in, exact bytes out. */
class Rig {
  readonly server: WebSocketServer;
  readonly errors: unknown[] = [];
  readonly clock = new FakeClock();
  disconnects = 0;
  /** Parts that the server has taken. */
  taken = 0;
  text = "";
  ended = false;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #reading: Promise<void> | undefined;

  constructor(options: WebSocketServerOptions = {}, read = true) {
    const [ours, theirs] = pipe();
    this.#writer = ours.writable.getWriter();
    this.#writer.closed.catch(() => {});
    this.#reader = ours.readable.getReader();
    this.server = new WebSocketServer({
      clock: this.clock,
      onError: (error) => this.errors.push(error),
      onDisconnect: () => void this.disconnects++,
      ...options,
    });
    this.server.acceptStream(theirs);
    if (read) this.#reading = this.#readAll();
  }

  async #readAll(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        this.text += decode(value);
      }
    } catch {
      // The server broke off.
    }
    this.ended = true;
  }

  write(...parts: string[]): void {
    for (const part of parts) this.#writer.write(encode(part)).then(() => this.taken++, () => {});
  }
  /** Writes of the server, piece by piece. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) yield part.value;
  }
  /** Breaks both ways off. */
  lose(): void {
    this.#writer.abort("lost").catch(() => {});
    this.#reader.cancel("lost").catch(() => {});
  }
  /** Sends FIN. */
  end(): void {
    this.#writer.close().catch(() => {});
  }
  async finished(): Promise<string> {
    await this.#reading;
    return this.text;
  }
  async until(text: string): Promise<void> {
    await until(() => this.text.includes(text), text);
  }
}

/** Limits and habits of a session. */
const acceptDefaults = {
  pathName: "",
  healthPath: "",
  options: new LockableSettings({}).current.options,
  origins: [],
  hosts: [],
  compression: undefined,
  handshakeTimeout: 0,
  keepAliveTimeout: 0,
  bodyTimeout: 0,
  maxRequests: 0,
  closeTimeout: 0,
  maxBodySize: 1024 * 1024,
  maxHeadSize: 16 * 1024,
  maxHeaderFields: 0,
};

const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

const get = (path: string, lines = ""): string => `GET ${path} HTTP/1.1\r\nHost: example.com\r\n${lines}\r\n`;
const post = (path: string, lines: string, body = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`;
const CLOSE = "Connection: close\r\n";

const echo: WebSocketServerOptions = {
  onCommandGet: async (request) =>
    new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`),
};

/** Answers with the path of a request; that for `slow` only after `gate`. */
function pathOf(slow: string, gate: Promise<void>): (request: Request) => Promise<Response> {
  return async ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === slow) await gate;
    return new Response(pathname);
  };
}

/** The bodies of responses; none while the last one is not complete. */
function bodies(text: string): string[] {
  try {
    return readResponses(encode(text)).map(textOf);
  } catch {
    return [];
  }
}

describe("plain HTTP on the port", () => {
  it("gets 426 with the version when no handler is set, or the handler returns no response", async () => {
    for (const onCommandGet of [undefined, () => {}]) {
      const rig = new Rig({ onCommandGet });
      rig.write(get("/", CLOSE));
      rig.end();
      const text = (await rig.finished()).toLowerCase();
      assertStringIncludes(text, "http/1.1 426 upgrade required\r\n");
      assertStringIncludes(text, "sec-websocket-version: 13\r\n");
      assertStringIncludes(text, "connection: upgrade, close\r\n");
    }
  });

  it("is answered by onCommandGet, with bodies of known length and in chunks, byte by byte too", async () => {
    for (const bytewise of [false, true]) {
      const rig = new Rig(echo);
      const requests = get("/a") + post("/b", "Content-Length: 5\r\n", "Hello") +
        post("/c", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n") + get("/d", CLOSE);
      if (bytewise) { for (const char of requests) rig.write(char); }
      else rig.write(requests);
      await until(() => bodies(rig.text).length === 4, "4 answers");
      assertEquals(bodies(rig.text), ["GET /a ", "POST /b Hello", "POST /c abcdef", "GET /d "]);
      rig.end();
      await rig.finished();
      await until(() => rig.disconnects === 1, "the end");
      assertEquals([rig.errors, rig.clock.pending], [[], 0]);
    }
  });

  it("answers pipelined requests in order, though the first takes longer", async () => {
    const gate = defer<void>();
    const rig = new Rig({ onCommandGet: pathOf("/slow", gate.promise) });
    rig.write(get("/slow") + get("/fast", CLOSE));
    await settle();
    assertEquals(rig.text, "");
    gate.resolve();
    await rig.until("/fast");
    assertEquals(bodies(rig.text), ["/slow", "/fast"]);
  });

  it("stops reading while a request is answered, for any amount pipelined behind it", async () => {
    const gate = defer<void>();
    const rig = new Rig({ onCommandGet: pathOf("/slow", gate.promise) });
    rig.write(get("/slow"));
    for (let index = 0; index < 50; index++) rig.write(get(`/${index}`, index === 49 ? CLOSE : ""));
    await settle();
    assert(rig.taken < 10, `${rig.taken} parts`);
    gate.resolve();
    await rig.finished();
    assertEquals(bodies(rig.text), ["/slow", ...Array.from({ length: 50 }, (_, index) => `/${index}`)]);
    assertEquals(rig.taken, 51);
  });

  it("answers requests pipelined before the server stops, and marks the next response as the last", async () => {
    const gate = defer<void>();
    const rig = new Rig({ onCommandGet: pathOf("/1", gate.promise) });
    rig.write(get("/1") + get("/2") + get("/3"));
    await settle();
    gate.resolve();
    await rig.until("/1");
    const stopped = rig.server.stop();
    await rig.until("/2");
    rig.end();
    await stopped;
    assertEquals(bodies(rig.text), ["/1", "/2"]);
    assertEquals(rig.text.split("connection: close").length - 1, 1);
  });

  it("reads on behind an answer, so that it arrives, but not without end", async () => {
    const tooLong = `GET / HTTP/1.1\r\nX: ${"a".repeat(20_000)}`;
    for (
      const [head, status, limit] of [
        [tooLong, 431, 128 * 1024],
        [get("/", CLOSE), 200, 1024 * 1024],
        [post("/", "Content-Length: 3000000\r\n"), 413, 1024 * 1024 + 3_000_000],
        [post("/", "Content-Length: 99999999\r\n"), 413, 65 * 1024 * 1024],
        [post("/", "Transfer-Encoding: chunked\r\n"), 200, 65 * 1024 * 1024],
        // The end of its body is ambiguous.
        [post("/", "Content-Length: 3000000\r\nTransfer-Encoding: chunked\r\n"), 400, 1024 * 1024],
      ] as const
    ) {
      const { transport } = session({});
      transport.receive(encode(head));
      await until(() => transport.ended, "the answer");
      assertStringIncludes(decode(transport.written), `HTTP/1.1 ${status} `);
      transport.receive(new Uint8Array(limit));
      assert(!transport.destroyed);
      transport.receive(new Uint8Array(1));
      assert(transport.destroyed);
      await settle();
    }
  });

  it("ends a connection whose answer was being written when the server began to stop", async () => {
    let stopping = false;
    const { transport, recorder } = session({ stopping: () => stopping });
    transport.stalled = true;
    transport.receive(encode(get("/")));
    await until(() => transport.written.length > 0, "the answer");
    assert(!decode(transport.written).toLowerCase().includes("connection: close"));
    stopping = true;
    // Each part of the answer waits for the one before.
    for (let part = 0; part < 10; part++) {
      transport.drain();
      await settle();
    }
    assert(transport.destroyed);
    await until(() => recorder.info !== undefined, "its end");
  });

  it("reports a FIN to a WebSocket that was received before the upgrade", async () => {
    const gate = defer<boolean>();
    const { transport, recorder, connection } = session({ allow: () => gate.promise });
    transport.receive(encode(get("/first") + UPGRADE));
    // With TLS, FIN is seen while reading pauses.
    transport.handler.end();
    await until(() => transport.written.length > 0, "the answer");
    gate.resolve(true);
    await until(() => decode(transport.written).includes(" 101 "), "the handshake");
    await until(() => recorder.info !== undefined, "its end");
    assertEquals([connection.state, recorder.info!.code], ["closed", 1006]);
  });

  it("counts a body that does not arrive as time spent waiting for the peer", async () => {
    await using server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      maxHandshakes: 5,
      onCommandGet: async (request) => new Response(await request.text().catch(() => "")),
      onError: () => {},
    });
    await server.start();
    const sockets: RawSocket[] = [];
    for (let index = 0; index < 20; index++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(post("/", "Content-Length: 1000\r\n", "x"));
      sockets.push(socket);
      const gone = Math.max(0, index - 4);
      await until(() => (server.stats().refusals.maxHandshakes ?? 0) >= gone, "one that had to go");
    }
    await until(() => server.stats().refusals.maxHandshakes === 15, "those that had to go");
    assertEquals(server.stats().connections.handshaking, 5);
    for (const socket of sockets) await socket.close();
  });

  it("reads on while the program decides, but no more than 64 KiB and one read", () => {
    const { transport } = session({ allow: () => new Promise<boolean>(() => {}) });
    transport.receive(encode(UPGRADE + "early"));
    assertEquals(transport.paused, false);
    transport.receive(new Uint8Array(64 * 1024));
    assertEquals([transport.paused, transport.destroyed], [true, false]);
    transport.handler.end();
    assertEquals(transport.destroyed, true);
  });

  it("reads on while a handler watches its signal, but no more than 64 KiB and one read", async () => {
    for (const watches of [true, false]) {
      const asked: Request[] = [];
      const { transport } = session({
        respond: (request) => {
          if (watches) assertEquals(request.signal.aborted, false);
          asked.push(request);
          return new Promise<Response>(() => {});
        },
      });
      transport.receive(encode(get("/") + get("/next")));
      assertEquals(transport.paused, !watches);
      transport.receive(encode(get("/third")));
      assertEquals(transport.paused, !watches);
      transport.receive(new Uint8Array(64 * 1024));
      assertEquals([transport.paused, transport.destroyed], [true, false]);
      transport.handler.end();
      assertEquals([asked.length, asked[0]!.signal.aborted, transport.destroyed], [1, true, false]);
      transport.destroy();
      await settle();
    }
  });

  it("counts connections given up by the server, not those given up by the peer", async () => {
    const rig = new Rig();
    for (const error of [new Error("reset"), new TransportError("ERR_OVERLOAD", "too many bytes")]) {
      const readable = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(error) });
      rig.server.acceptStream({ readable, writable: new WritableStream() });
    }
    await until(() => rig.server.stats().connections.handshaking === 1, "the ends");
    assertEquals(rig.server.stats().refusals, { ERR_OVERLOAD: 1 });
    rig.lose();
    await settle();
  });

  it("closes after HTTP/1.0 and Connection: close, keeps alive otherwise until keepAliveTimeout", async () => {
    const old = new Rig(echo);
    old.write("GET /a HTTP/1.0\r\n\r\n");
    await until(() => old.ended, "the end");
    assertStringIncludes(old.text, "connection: close\r\n");
    assertStringIncludes(old.text, "\r\n\r\nGET /a ");

    const idle = new Rig({ ...echo, keepAliveTimeout: 5000 });
    idle.write(get("/a"));
    await idle.until("GET /a");
    await until(() => idle.clock.pending === 1, "the timer");
    idle.clock.advance(5000);
    await idle.finished();
    assertEquals([idle.disconnects, idle.errors], [1, []]);
  });

  it("answers a request whose peer sent FIN right behind it", async () => {
    const gate = defer<void>();
    const called = defer<void>();
    const rig = new Rig({
      onCommandGet: async () => {
        called.resolve();
        await gate.promise;
        return new Response("late");
      },
    });
    rig.write(get("/a"));
    rig.end();
    await called.promise;
    await turns();
    gate.resolve();
    assertEquals(bodies(await rig.finished()), ["late"]);
    assertEquals(rig.disconnects, 1);
  });

  it("upgrades after plain requests on the same connection", async () => {
    const rig = new Rig(echo);
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    rig.write(get("/a") + get("/ws", `Upgrade: websocket\r\nConnection: Upgrade\r\n${key}`));
    await rig.until("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assertEquals(rig.server.connections.size, 1);
    for (const connection of rig.server.connections) connection.terminate();
    await rig.finished();
  });

  it("refuses ambiguous requests and ends the connection, so that no request is smuggled in", async () => {
    const forms = [
      post("/", "Content-Length: 5\r\nContent-Length: 6\r\n", "Hello"),
      post("/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("/", "Content-Length: 5\r\nTransfer-Encoding:\r\n", "Hello"),
      post("/", "Transfer-Encoding: xchunked\r\n"),
      post("/", "Transfer-Encoding : chunked\r\n"),
      post("/", "Content-Length: +5\r\n", "Hello"),
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
    ];
    for (const form of forms) {
      const paths: string[] = [];
      const rig = new Rig({
        onCommandGet: (request) => {
          paths.push(request.url);
          return new Response("taken");
        },
      });
      rig.write(form + get("/smuggled"));
      rig.end();
      const text = await rig.finished();
      assertEquals([paths, text.split("HTTP/1.1 ").length], [[], 2], form);
      assert(text.startsWith("HTTP/1.1 4") || text.startsWith("HTTP/1.1 501"), text);
      assertStringIncludes(text, "connection: close");
      assertEquals(rig.errors.length, 1);
    }
  });

  it("names clients that do not speak HTTP, at their first bytes, and ends the connection", async () => {
    const cases: [begin: string, message: string][] = [
      ["\x16\x03\x01", "The client speaks TLS, and this port does not"],
      ["SSH-2.0-x\r\n", "The client does not speak HTTP: it seems to speak SSH"],
      ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 'A proxy sends the PROXY protocol: set "proxyProtocol"'],
      ["\r\n\r\n\0", 'A proxy sends the PROXY protocol: set "proxyProtocol"'],
      ["\x05", "The client does not speak HTTP: it seems to speak SOCKS 5"],
    ];
    for (const [begin, message] of cases) {
      for (const bytewise of [false, true]) {
        const rig = new Rig();
        if (bytewise) { for (const char of begin) rig.write(char); }
        else rig.write(begin);
        await rig.until("400 Bad Request");
        rig.end();
        assertStringIncludes(await rig.finished(), message);
        const [error] = rig.errors as HandshakeError[];
        assertEquals([rig.errors.length, error!.code, error!.status], [1, "ERR_HEAD_SYNTAX", 400]);
        assertStringIncludes(error!.message, message);
        await until(() => rig.disconnects === 1, "the end");
        assertEquals(rig.clock.pending, 0);
      }
    }
  });

  it("refuses a chunked body that is malformed while the handler reads it", async () => {
    const rig = new Rig(echo);
    rig.write(post("/", "Transfer-Encoding: chunked\r\n", "5\r\nHelloX") + get("/smuggled"));
    rig.end();
    const text = await rig.finished();
    assertStringIncludes(text, "HTTP/1.1 400 ");
    assertEquals(text.split("HTTP/1.1 ").length, 2);
  });

  it("refuses a body over maxBodySize by its length, before it is sent, or at the chunk that exceeds it", async () => {
    for (const body of [post("/", "Content-Length: 11\r\n"), post("/", "Transfer-Encoding: chunked\r\n", "b\r\n")]) {
      const rig = new Rig({ ...echo, maxBodySize: 10 });
      rig.write(body);
      await until(() => rig.ended, "the end");
      assertStringIncludes(rig.text, "HTTP/1.1 413 ");
    }
  });

  it("reads a body and sends 100 Continue only when the handler reads the body", async () => {
    const lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    const refused = new Rig({ onCommandGet: () => new Response("no", { status: 401 }) });
    refused.write(post("/", lines));
    await until(() => refused.ended, "the end");
    assertEquals(refused.text.includes("100 Continue"), false);
    assertStringIncludes(refused.text, "HTTP/1.1 401 ");
    assertStringIncludes(refused.text, "connection: close");

    const taken = new Rig(echo);
    taken.write(post("/", lines));
    await taken.until("HTTP/1.1 100 Continue\r\n\r\n");
    taken.write("Hello");
    await taken.until("POST / Hello");
  });

  it("keeps the connection when the handler did not read a small body", async () => {
    const rig = new Rig({ onCommandGet: (request) => new Response(new URL(request.url).pathname) });
    rig.write(post("/a", "Content-Length: 5\r\n", "Hello") + get("/b", CLOSE));
    await rig.until("/b");
    assertEquals(bodies(rig.text), ["/a", "/b"]);
  });

  it("stops reading a large body that the handler does not consume", async () => {
    const got = defer<ReadableStream<Uint8Array>>();
    const done = defer<Response>();
    const rig = new Rig({
      onCommandGet: (request) => {
        got.resolve(request.body!);
        return done.promise;
      },
    });
    rig.write(post("/", "Content-Length: 3000000\r\n"));
    const part = "x".repeat(100_000);
    for (let index = 0; index < 30; index++) rig.write(part);
    const reader = (await got.promise).getReader();
    let length = 0;
    for (let index = 0; index < 3; index++) length += (await reader.read()).value!.length;
    await turns();
    assert(length <= 300_000, `${length}`);
    assert(rig.taken < 10, `${rig.taken} of 31 parts taken`);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
    }
    assertEquals(length, 3_000_000);
    done.resolve(new Response("ok"));
    await rig.until("ok");
  });

  it("fails the body when the peer is lost, too slow, or answered before", async () => {
    const lost = new Rig(echo);
    lost.write(post("/", "Content-Length: 5\r\n", "He"));
    await settle();
    lost.end();
    await lost.finished();
    assertStringIncludes(lost.text, "HTTP/1.1 400 ");
    assertEquals(lost.disconnects, 1);

    const slow = new Rig({ ...echo, handshakeTimeout: 5000 });
    slow.write(post("/", "Content-Length: 5\r\n", "He"));
    await until(() => slow.clock.pending === 1, "the timer");
    await turns();
    slow.clock.advance(5000);
    await until(() => slow.ended, "the end");
    assertStringIncludes(slow.text, "HTTP/1.1 408 ");

    const failed = defer<unknown>();
    const early = new Rig({
      closeTimeout: 1000,
      onCommandGet: (request) => {
        request.text().catch(failed.resolve);
        return new Response("early");
      },
    });
    early.write(post("/", "Content-Length: 50\r\n", "He"));
    await early.until("early");
    assertStringIncludes(String(await failed.promise), "answered before");
    await until(() => early.clock.pending === 1, "the linger timer");
    early.clock.advance(1000);
    await until(() => early.disconnects === 1, "the end");
  });

  it("sets no time limit for a handler once the body has arrived", async () => {
    const gate = defer<void>();
    const read = defer<void>();
    const rig = new Rig({
      handshakeTimeout: 5000,
      onCommandGet: async (request) => {
        const body = await request.text();
        read.resolve();
        await gate.promise;
        return new Response(body);
      },
    });
    rig.write(post("/", `Content-Length: 5\r\n${CLOSE}`, "Hello"));
    await read.promise;
    rig.clock.advance(60_000);
    gate.resolve();
    await rig.until("Hello");
  });

  it("answers 500 without details when a handler throws, and reports the error", async () => {
    const rig = new Rig({
      onCommandGet: () => {
        throw new Error("secret");
      },
    });
    rig.write(get("/", CLOSE));
    await until(() => rig.ended, "the end");
    assertStringIncludes(rig.text, "HTTP/1.1 500 ");
    assertEquals([rig.text.includes("secret"), rig.errors.length], [false, 1]);
  });

  it("sends no body for HEAD, and breaks off when a response body fails on its way", async () => {
    const head = new Rig({ onCommandGet: () => new Response("body", { headers: { "content-length": "4" } }) });
    head.write(get("/", CLOSE).replace("GET", "HEAD"));
    await until(() => head.ended, "the end");
    assertStringIncludes(head.text, "content-length: 4\r\n");
    assertEquals(head.text.endsWith("\r\n\r\n"), true);

    const source = defer<ReadableStreamDefaultController<Uint8Array>>();
    const broken = new Rig({
      onCommandGet: () => new Response(new ReadableStream({ start: (controller) => source.resolve(controller) })),
    });
    broken.write(get("/"));
    const controller = await source.promise;
    controller.enqueue(encode("part"));
    await broken.until("part");
    controller.error(new Error("disk"));
    await until(() => broken.disconnects === 1, "the end");
    assertEquals([broken.text.includes("\r\n0\r\n"), broken.errors.length], [false, 1]);
    assertStringIncludes(String(broken.errors[0]), 'The handler "onCommandGet" failed: disk');
  });

  it("never writes 100 Continue into a response that has begun", async () => {
    const rig = new Rig({
      onCommandGet: (request) => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        (async () => {
          await writer.write(encode("first "));
          await writer.write(new Uint8Array(await request.arrayBuffer()));
          await writer.close();
        })().catch(() => {});
        return new Response(readable);
      },
    });
    rig.write(post("/", `Content-Length: 5\r\nExpect: 100-continue\r\n${CLOSE}`));
    await rig.until("first ");
    rig.write("Hello");
    await rig.until("Hello");
    const [before, after = ""] = rig.text.split("HTTP/1.1 200 OK");
    assertEquals([before === "" || before === "HTTP/1.1 100 Continue\r\n\r\n", after.includes("100 Continue")], [
      true,
      false,
    ]);
  });

  it("gives a steady but slow reader of a large response its time", async () => {
    const rig = new Rig({ handshakeTimeout: 5000, onCommandGet: () => new Response(new Uint8Array(1_000_000)) }, false);
    rig.write(get("/", CLOSE));
    let length = 0;
    for await (const bytes of rig.chunks()) {
      assert(bytes.length < 70_000, `${bytes.length} in one write`);
      length += bytes.length;
      rig.clock.advance(4000);
    }
    assert(length > 1_000_000, `${length}`);
  });

  it("cancels the body of a response when its peer is lost", async () => {
    const read = defer<void>();
    const cancelled = defer<void>();
    const source = { pull: () => read.resolve(), cancel: () => cancelled.resolve() };
    const rig = new Rig({
      onCommandGet: () => new Response(new ReadableStream(source, { highWaterMark: 0 })),
    }, false);
    rig.write(get("/events"));
    await read.promise;
    rig.lose();
    await cancelled.promise;
  });

  it("gives up a peer that does not read its response", async () => {
    const rig = new Rig({ handshakeTimeout: 5000, onCommandGet: () => new Response("x".repeat(1_000_000)) }, false);
    rig.write(get("/"));
    await until(() => rig.clock.pending === 1, "the timer");
    rig.clock.advance(5000);
    await until(() => rig.disconnects === 1, "the end");
  });

  it("ends idle connections at once when the server stops, busy ones after their response", async () => {
    const gate = defer<void>();
    const idle = new Rig();
    await settle();
    await idle.server.stop();
    assertEquals(idle.disconnects, 1);

    const called = defer<void>();
    const busy = new Rig({
      onCommandGet: async () => {
        called.resolve();
        await gate.promise;
        return new Response("done");
      },
    });
    busy.write(get("/"));
    await called.promise;
    const stopped = busy.server.stop();
    gate.resolve();
    await busy.until("done");
    assertStringIncludes(busy.text, "connection: close");
    busy.end();
    await stopped;
  });
});

describe("a request that is answered directly", () => {
  it("reads its body once, even if the peer sends more while the answer is pending", async () => {
    const taken: string[] = [];
    const answers: ((reply: TextReply) => void)[] = [];
    const errors: unknown[] = [];
    const { transport } = session({
      direct: () => (body) => {
        taken.push(decode(body));
        return new Promise((resolve) => answers.push(resolve));
      },
      error: (error) => errors.push(error),
    });
    const request = (body: string): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n${body}`;
    transport.receive(encode(request("first")));
    // What was on its way when the transport was paused, each piece long enough for a body; and FIN.
    const behind = request("other");
    transport.receive(encode(behind.slice(0, 20)));
    transport.receive(encode(behind.slice(20)));
    transport.handler.end();
    assertEquals([taken, transport.writes.length], [["first"], 0]);
    answers[0]!(new TextReply(200, "OK"));
    await until(() => taken.length === 2, "the second body");
    assertEquals(taken, ["first", "other"]);
    answers[1]!(new TextReply(200, "OK"));
    await until(() => decode(transport.written).split("HTTP/1.1 200 OK").length === 3, "both answers");
    assertEquals(errors, []);
    transport.destroy();
  });
});
