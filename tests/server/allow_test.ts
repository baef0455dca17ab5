/** An `onAllow` that takes its time: how long it may take, and what becomes of it when the peer leaves. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { WebSocketClient } from "../../client.ts";
import { HandlerError, HandshakeError, TransportError } from "../../base/errors.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import type { AllowResult, WebSocketConnection, WebSocketServer, WebSocketServerOptions } from "../../server.ts";
import { clientFrame, upgradeHead } from "../support/hostile.ts";
import { RawSocket } from "../support/sockets.ts";
import { concat } from "../../base/bytes.ts";
import { encode, FakeClock, startEcho, tlsFile, turns, until } from "../support/support.ts";

/** A server whose onAllow waits for the test. */
class Asked implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly errors: unknown[] = [];
  readonly questions: { connection: WebSocketConnection; answer: PromiseWithResolvers<boolean | Response> }[] = [];
  disconnects = 0;
  server!: WebSocketServer;

  static async start(options: WebSocketServerOptions = {}): Promise<Asked> {
    const asked = new Asked();
    asked.server = await startEcho({
      clock: asked.clock,
      pingInterval: 0,
      onAllow: (connection): AllowResult => {
        const answer = Promise.withResolvers<boolean | Response>();
        asked.questions.push({ connection, answer });
        return answer.promise;
      },
      onDisconnect: () => void asked.disconnects++,
      onError: (error) => void asked.errors.push(error),
      ...options,
    });
    return asked;
  }

  get port(): number {
    return this.server.address!.port;
  }

  /** Has it asked once more. */
  async ask(): Promise<RawSocket> {
    const before = this.questions.length;
    const socket = await RawSocket.connect(this.port);
    await socket.write(upgradeHead());
    await until(() => this.questions.length > before, "the question");
    return socket;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop({ closeTimeout: 1, signal: AbortSignal.abort() });
  }
}

describe("an onAllow that does not answer", () => {
  it("has handshakeTimeout: then the peer gets 503, and the signal of the request aborts", async () => {
    await using asked = await Asked.start();
    const { clock, questions, errors, server } = asked;
    const socket = await asked.ask();
    const { signal } = questions[0]!.connection.request;
    clock.advance(9999);
    assertEquals([signal.aborted, errors], [false, []]);
    clock.advance(2);
    const text = await socket.readText();
    assertStringIncludes(text, "HTTP/1.1 503 Service Unavailable\r\n");
    assertStringIncludes(text, "retry-after: 5\r\n");
    assertStringIncludes(text, "connection: close\r\n");
    assertEquals(text.includes("onAllow"), false);
    assertEquals(signal.aborted, true);
    assertInstanceOf(signal.reason, HandshakeError);
    assertEquals([signal.reason.code, errors], ["ERR_HANDSHAKE_TIMEOUT", [signal.reason]]);
    await until(() => asked.disconnects === 1, "the end");
    assertEquals(server.stats().connections.handshaking, 0);
    assertEquals([server.stats().refusals, clock.pending], [{ ERR_HANDSHAKE_TIMEOUT: 1 }, 0]);
  });

  it("has all the time with handshakeTimeout 0", async () => {
    await using asked = await Asked.start({ handshakeTimeout: 0 });
    const socket = await asked.ask();
    asked.clock.advance(1e9);
    asked.questions[0]!.answer.resolve(new Response("no", { status: 402 }));
    assertStringIncludes(await socket.readText(), "HTTP/1.1 402 ");
  });

  it("does not count against the time that its response takes", async () => {
    await using asked = await Asked.start();
    const socket = await asked.ask();
    const body = new TransformStream<Uint8Array, Uint8Array>();
    asked.questions[0]!.answer.resolve(new Response(body.readable));
    const writer = body.writable.getWriter();
    await writer.write(encode("first"));
    let text = "";
    while (!text.includes("first")) text += new TextDecoder().decode((await socket.read())!);
    asked.clock.advance(20_000);
    await writer.write(encode("last"));
    await writer.close();
    assertStringIncludes(await socket.readText(), "last");
  });

  it("is called with its full time, even if the request took long", async () => {
    await using asked = await Asked.start();
    const socket = await RawSocket.connect(asked.port);
    await until(() => asked.server.stats().connections.handshaking === 1, "TCP");
    asked.clock.advance(9000);
    await socket.write(upgradeHead());
    await until(() => asked.questions.length === 1, "the question");
    asked.clock.advance(9000);
    asked.questions[0]!.answer.resolve(false);
    assertStringIncludes(await socket.readText(), "HTTP/1.1 403 ");
  });

  it("is ignored when its answer comes too late", async () => {
    let cancelled = 0;
    const body = (): ReadableStream => new ReadableStream({ cancel: () => void cancelled++ });
    const used = new Response("x");
    await used.text();
    const answers: ((answer: PromiseWithResolvers<boolean | Response>) => void)[] = [
      (answer) => answer.resolve(true),
      (answer) => answer.resolve(false),
      (answer) => answer.resolve(new Response(body())),
      (answer) => answer.resolve(used),
      (answer) => answer.resolve("nonsense" as never),
      (answer) => answer.reject(new Error("too late")),
    ];
    for (const way of ["late", "gone"]) {
      await using asked = await Asked.start();
      for (const answer of answers) {
        const socket = await asked.ask();
        const { connection, answer: promise } = asked.questions.at(-1)!;
        const ends = asked.disconnects;
        if (way === "late") {
          asked.clock.advance(10_001);
          assertStringIncludes(await socket.readText(), " 503 ");
        } else await socket.close();
        await until(() => asked.disconnects > ends, "its end");
        answer(promise);
        await promise.promise.catch(() => {});
        await turns();
        assertEquals([connection.state, asked.server.connections.size], ["closed", 0]);
      }
      const expected = way === "late" ? answers.length : 0;
      assertEquals([way, asked.errors.length], [way, expected]);
      assertEquals(asked.errors.some((error) => error instanceof HandlerError), false);
    }
    assertEquals(cancelled, 2);
  });
});

describe("a peer that leaves while onAllow is pending", () => {
  const tls = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
  const ways: Record<string, (socket: Socket) => void> = {
    "by FIN": (socket) => void socket.end(),
    "by a reset": (socket) => void socket.resetAndDestroy(),
  };
  for (const encrypted of [false, true]) {
    for (const [way, leave] of Object.entries(ways)) {
      // What lies below TLS is reset there.
      it(`is noticed ${way}${encrypted ? ", with TLS" : ""}: the signal aborts, and its slot is freed`, async () => {
        await using asked = await Asked.start({ maxConnections: 1, ...encrypted ? tls : {} });
        const { questions, server, clock } = asked;
        const raw = connect(asked.port, "127.0.0.1");
        const socket = encrypted ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
        for (const one of [raw, socket]) one.on("error", () => {});
        socket.write(upgradeHead());
        await until(() => questions.length === 1, "the question");
        const { signal } = questions[0]!.connection.request;
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
        assertEquals([signal.aborted, server.stats().connections.handshaking], [false, 1]);
        leave(way === "by FIN" ? socket : raw);
        await aborted;
        assert(signal.reason instanceof Error, String(signal.reason));
        await until(() => asked.disconnects === 1, "its end");
        assertEquals([server.stats().connections.handshaking, clock.pending], [0, 0]);
        // The first question is not answered yet.
        delete server.onAllow;
        const scheme = encrypted ? "wss" : "ws";
        const roots = { rootCertificateFile: tlsFile("ca.pem") };
        const other = new WebSocketClient(`${scheme}://localhost:${asked.port}/`, { clock, ...encrypted ? roots : {} });
        await other.connect();
        await other.disconnect();
        questions[0]!.answer.resolve(true);
        assertEquals(server.stats().connections.opened, 1);
        socket.destroy();
      });
    }
  }

  it("has sent frames before: they are kept for later", async () => {
    const texts: string[] = [];
    await using asked = await Asked.start({ onMessageReceived: (_, text) => void texts.push(text) });
    const early = clientFrame(Opcode.Text, encode("early"));
    const socket = await RawSocket.connect(asked.port);
    await socket.write(concat(encode(upgradeHead()), early));
    await until(() => asked.questions.length === 1, "the question");
    await socket.write(early);
    asked.questions[0]!.answer.resolve(true);
    await until(() => texts.length === 2, "both");
    assertEquals(texts, ["early", "early"]);
    await socket.close();
    // And it is noticed that it leaves.
    const other = await asked.ask();
    await other.write(early);
    const { signal } = asked.questions[1]!.connection.request;
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
    other.end();
    await aborted;
    await other.close();
  });

  it("has a signal that does not abort after the answer, even if it is read late", async () => {
    await using asked = await Asked.start();
    const open = await asked.ask();
    const { connection, answer } = asked.questions[0]!;
    const { signal } = connection.request;
    answer.resolve(true);
    await until(() => asked.server.connections.size === 1, "the WebSocket");
    asked.clock.advance(60_000);
    await open.close();
    await until(() => asked.disconnects === 1, "its end");
    assertEquals(signal.aborted, false);
    const gone = await asked.ask();
    await gone.close();
    await until(() => asked.disconnects === 2, "its end");
    const late = asked.questions[1]!.connection.request.signal;
    assertEquals(late.aborted, true);
    assert(late.reason instanceof TransportError || late.reason instanceof Error);
    const refused = await asked.ask();
    const { connection: other, answer: no } = asked.questions[2]!;
    assertEquals(other.request.signal.aborted, false);
    no.resolve(false);
    assertStringIncludes(await refused.readText(), " 403 ");
    await until(() => asked.disconnects === 3, "its end");
    assertEquals(other.request.signal.aborted, false);
    const client = new WebSocketClient(`ws://127.0.0.1:${asked.port}/`);
    delete asked.server.onAllow;
    await client.connect();
    assertEquals(client.connection!.request.signal.aborted, false);
    await client.disconnect();
  });
});
