import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type IncomingResult, WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import {
  CertificateError,
  ConnectionClosedError,
  HandlerError,
  HandshakeError,
  OptionError,
  StateError,
  TransportError,
} from "../../base/errors.ts";
import { compressionSettings, MessageDeflater } from "../../protocol/deflate.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { Opcode, ReservedBit } from "../../protocol/frame_header.ts";
import { acceptKey } from "../../protocol/handshake.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { RawListener } from "../support/sockets.ts";
import {
  assertFrames,
  decode,
  decodeAll,
  defer,
  encode,
  FakeClock,
  Peer,
  pipe,
  Random,
  startEcho,
  turns,
  until,
} from "../support/support.ts";
import { join } from "../support/ends.ts";
import type { MessageData } from "../../protocol/payload.ts";
import { concat } from "../../base/bytes.ts";

function startServer(options: WebSocketServerOptions = {}): Promise<WebSocketServer> {
  return startEcho({ onError: () => {}, ...options });
}

const urlOf = (server: WebSocketServer): string => `ws://127.0.0.1:${server.address!.port}/`;

/** A server played by hand: it has the client's bytes, and says exactly what the test wants. */
class HandServer {
  readonly client: WebSocketClient;
  readonly connecting: Promise<void>;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  request = "";

  constructor(options: WebSocketClientOptions = {}, signal?: AbortSignal) {
    const [ours, theirs] = pipe();
    this.#reader = theirs.readable.getReader();
    this.#writer = theirs.writable.getWriter();
    this.#writer.closed.catch(() => {});
    this.client = new WebSocketClient("ws://example.com:81/path?query", options);
    this.connecting = this.client.connect({ stream: ours, signal });
    this.connecting.catch(() => {});
  }

  async read(): Promise<Uint8Array> {
    const { value } = await this.#reader.read();
    return value ?? new Uint8Array(0);
  }
  async readRequest(): Promise<string> {
    while (!this.request.includes("\r\n\r\n")) this.request += decode(await this.read());
    return this.request;
  }
  get key(): string {
    return this.request.split("Sec-WebSocket-Key: ")[1]!.split("\r\n")[0]!;
  }
  write(bytes: Uint8Array | string): void {
    this.#writer.write(typeof bytes === "string" ? encode(bytes) : bytes).catch(() => {});
  }
  end(): void {
    this.#writer.close().catch(() => {});
  }
  /** The answer that opens the WebSocket. */
  get answer(): string {
    return this.answerWith("");
  }
  /** The same with more header lines. */
  answerWith(lines: string): string {
    return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${
      acceptKey(this.key)
    }\r\n${lines}\r\n`;
  }
  /** Frames of the client as texts, until there are as many as asked for. */
  async readFrames(count: number): Promise<Uint8Array> {
    for (;;) {
      try {
        if (decodeAll(this.#buffer).length >= count) return this.#buffer;
      } catch {
        // Not whole yet.
      }
      this.#buffer = concat(this.#buffer, await this.read());
    }
  }
}

describe("WebSocketClient.connect", () => {
  it("connects to the announced target, even if onSendHandshake changes the request", async () => {
    await using server = await startServer();
    const client: WebSocketClient = new WebSocketClient(urlOf(server), {
      onSendHandshake() {
        client.hostname = "192.0.2.1";
        client.port = 1;
        client.useSSL = true;
      },
    });
    await client.connect();
    assertEquals(client.connection?.remoteAddress.port, server.address!.port);
    await client.disconnect();
  });

  it("sends the request of RFC 6455 §4.1, with what onSendHandshake adds", async () => {
    const server = new HandServer({
      origin: "http://example.org",
      protocols: ["a", "b"],
      headers: { "X-One": "1" },
      onSendHandshake: async (request) => {
        assertEquals(request.url, "ws://example.com:81/path?query");
        await Promise.resolve();
        request.headers.set("x-two", "2");
      },
    });
    const lines = (await server.readRequest()).toLowerCase().split("\r\n");
    assertEquals(lines[0], "get /path?query http/1.1");
    for (
      const line of ["host: example.com:81", "upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"]
    ) {
      assert(lines.includes(line), line);
    }
    for (const line of ["origin: http://example.org", "sec-websocket-protocol: a, b", "x-one: 1", "x-two: 2"]) {
      assert(lines.includes(line), line);
    }
    await server.client.disconnect(false);
    await assertRejects(() => server.connecting, TransportError, "aborted connecting");
  });

  it("resolves after the handshake, and is redundant while connected", async () => {
    await using server = await startServer();
    let connects = 0;
    const client = new WebSocketClient(urlOf(server), { onConnect: () => void connects++ });
    assertEquals(client.active, false);
    const connecting = client.connect();
    assertEquals([client.state, client.active], ["connecting", false]);
    assertThrows(() => client.send("early"), StateError, "not connected");
    await Promise.all([connecting, client.connect()]);
    await client.connect();
    assertEquals([client.state, client.active, connects], ["open", true, 1]);
    await client.disconnect();
    assertEquals([client.state, client.active], ["closed", false]);
    await client.connect();
    assertEquals(connects, 2);
    await client.disconnect();
    await client.disconnect();
  });

  it("takes an answer cut anywhere, with frames right behind it, and loses none", async () => {
    const peer = new Peer("server");
    const frames = concat(peer.text("one"), peer.text("two"));
    for (const cut of [1, 20, 60, 120, 129, 130, 131, 133, 140]) {
      const server = new HandServer();
      await server.readRequest();
      const bytes = concat(encode(server.answer), frames);
      server.write(bytes.slice(0, cut));
      server.write(bytes.slice(cut));
      await server.connecting;
      const messages = server.client[Symbol.asyncIterator]();
      assertEquals((await messages.next()).value, "one");
      assertEquals((await messages.next()).value, "two");
      await server.client.disconnect(false);
    }
  });

  it("loses nothing when answer, messages, close frame and FIN come at once", async () => {
    const peer = new Peer("server");
    const infos: CloseInfo[] = [];
    const server = new HandServer({
      onDisconnect: (info) => void infos.push(info),
      onHandshakeResponse: () => Promise.resolve(),
    });
    await server.readRequest();
    server.write(concat(encode(server.answer), peer.text("one"), peer.close(1000, "bye")));
    server.end();
    await server.connecting;
    const seen = [];
    for await (const message of server.client) seen.push(message);
    assertEquals(seen, ["one"]);
    assertFrames(await server.readFrames(1), ['close 1000 ""']);
    await until(() => infos.length === 1, "onDisconnect");
    assertEquals([infos[0]!.code, infos[0]!.reason, infos[0]!.clean], [1000, "bye", true]);
  });

  it("lets onHandshakeResponse refuse, and no onDisconnect follows", async () => {
    const events: string[] = [];
    for (const refuse of [() => false, () => Promise.resolve(false)]) {
      await using server = await startServer({ protocols: ["a"] });
      const client = new WebSocketClient(urlOf(server), {
        protocols: ["a"],
        onHandshakeResponse: (response) => {
          assertEquals([response.status, response.protocol], [101, "a"]);
          assertEquals(response.headers.get("upgrade"), "websocket");
          return refuse();
        },
        onConnect: () => void events.push("connect"),
        onDisconnect: () => void events.push("disconnect"),
      });
      const error = await assertRejects(() => client.connect(), HandshakeError, "refused");
      assertEquals([error.code, client.active], ["ERR_HANDSHAKE_REFUSED", false]);
    }
    assertEquals(events, []);
  });

  it("rejects with the answer of the server", async () => {
    const cases: [(server: HandServer) => string, string, number][] = [
      [() => "HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden", 403],
      [() => "HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\n\r\n", "301", 301],
      [(server) => server.answer.replace("websocket", "x"), "Upgrade", 101],
      [(server) => server.answer.replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: A"), "Accept", 101],
      [(server) => server.answer.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n"), "subprotocol", 101],
      [() => "SSH-2.0-OpenSSH\r\n\r\n", "it seems to speak SSH", 0],
      [() => "HTTP/1.1 101 x\nUpgrade: websocket\n\n", "CR LF", 400],
      [() => `HTTP/1.1 200 OK\r\nA: ${"x".repeat(20_000)}`, "16384", 431],
    ];
    for (const [answer, says, status] of cases) {
      const server = new HandServer();
      await server.readRequest();
      server.write(answer(server));
      const error = await assertRejects(() => server.connecting, HandshakeError, says);
      assertEquals(error.status, status);
      assertEquals(server.client.state, "closed");
    }
  });

  it("rejects when the server disconnects during the handshake", async () => {
    for (const part of ["", "HTTP/1.1 101 Swi"]) {
      const server = new HandServer();
      await server.readRequest();
      if (part !== "") server.write(part);
      server.end();
      const error = await assertRejects(() => server.connecting, TransportError, "during the handshake");
      assertEquals(error.code, "ERR_CONNECTION_LOST");
    }
  });

  it("rejects when the port is closed, and when the name does not exist", async () => {
    const server = await startServer();
    const url = urlOf(server);
    await server.stop();
    const error = await assertRejects(
      () => new WebSocketClient(url).connect(),
      TransportError,
      "Cannot connect to 127.0.0.1",
    );
    assertEquals(error.code, "ERR_CONNECT");
    assertInstanceOf(error.cause, Error);
    await assertRejects(() => new WebSocketClient("ws://does-not-exist.invalid/").connect(), TransportError);
    const client = new WebSocketClient("wss://localhost/", { rootCertificateFile: "missing.pem" });
    await assertRejects(() => client.connect(), CertificateError, "missing.pem");
  });

  it("gives up after connectTimeout, in each stage", async () => {
    for (const stage of ["handler", "answer", "response handler"]) {
      const clock = new FakeClock();
      const never = (): Promise<void> => new Promise(() => {});
      const server = new HandServer({
        clock,
        connectTimeout: 3000,
        onSendHandshake: stage === "handler" ? never : undefined,
        onHandshakeResponse: stage === "response handler" ? never : undefined,
      });
      if (stage !== "handler") await server.readRequest();
      if (stage === "response handler") server.write(server.answer);
      clock.advance(3000);
      const error = await assertRejects(() => server.connecting, TransportError, "3000 ms");
      assertEquals([error.code, clock.pending], ["ERR_CONNECT_TIMEOUT", 0]);
    }
  });

  it("gives up a TCP or TLS connection that does not come to an end, by time or signal", async () => {
    // A listener that never answers.
    const silent = await RawListener.listen();
    const { port } = silent;
    for (const scheme of ["ws", "wss"]) {
      const accepted = silent.accept();
      const client = new WebSocketClient(`${scheme}://127.0.0.1:${port}/`, { connectTimeout: 30 });
      const error = await assertRejects(() => client.connect(), TransportError);
      assertEquals(error.code, "ERR_CONNECT_TIMEOUT");
      await (await accepted).close();

      const again = silent.accept();
      const controller = new AbortController();
      const aborted = new WebSocketClient(`${scheme}://127.0.0.1:${port}/`).connect({ signal: controller.signal });
      const socket = await again;
      controller.abort(new Error("changed my mind"));
      const reason = await assertRejects(() => aborted, TransportError);
      assertEquals([reason.code, (reason.cause as Error).message], ["ERR_ABORTED", "changed my mind"]);
      await socket.close();
    }
    await silent.close();
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/`);
    await assertRejects(() => client.connect({ signal: AbortSignal.abort() }), TransportError);
  });

  it("writes nothing, and frees the streams, when it was given up before", async () => {
    const [ours, theirs] = pipe();
    const client = new WebSocketClient("ws://example.com/");
    const connecting = client.connect({ stream: ours, signal: AbortSignal.abort() });
    await assertRejects(() => connecting, TransportError, "aborted by its signal");
    await assertRejects(() => theirs.readable.getReader().read(), TransportError, "given up");
    assertEquals(client.state, "closed");
  });

  it("either connects or is given up, whenever the signal comes", async () => {
    for (let turns = 0; turns < 40; turns++) {
      const [ours, theirs] = pipe();
      const server = new WebSocketServer({ onError: () => {} });
      const connection = server.acceptStream(theirs);
      const events: string[] = [];
      const client = new WebSocketClient("ws://example.com/", {
        onConnect: () => void events.push("connect"),
        onDisconnect: () => void events.push("disconnect"),
      });
      const controller = new AbortController();
      const connecting = client.connect({ stream: ours, signal: controller.signal });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      controller.abort();
      const connected = await connecting.then(() => true, () => false);
      await client.disconnect();
      assertEquals(events, connected ? ["connect", "disconnect"] : []);
      connection.terminate();
    }
  });

  it("reports handlers of the handshake that throw by rejecting", async () => {
    await using server = await startServer();
    const fail = (): void => {
      throw new Error("mine");
    };
    for (const options of [{ onSendHandshake: fail }, { onHandshakeResponse: fail }]) {
      const client = new WebSocketClient(urlOf(server), options);
      await assertRejects(() => client.connect(), HandlerError, `"${Object.keys(options)[0]}" failed: mine`);
    }
  });
});

describe("WebSocketClient.active", () => {
  it("connects and disconnects, with failures going to onError", async () => {
    const server = await startServer();
    const client = new WebSocketClient(urlOf(server));
    const errors: unknown[] = [];
    client.onError = (error) => errors.push(error);
    client.active = true;
    client.active = false;
    await until(() => client.state === "closed", "the end of the attempt");
    client.active = true;
    client.active = true;
    await until(() => client.active, "the connection");
    assertEquals(errors, []);
    client.active = false;
    await until(() => client.state === "closed", "the end");
    await server.stop();
    const failed = defer<unknown>();
    client.onError = failed.resolve;
    client.active = true;
    assertInstanceOf(await failed.promise, TransportError);
  });
});

describe("WebSocketClient.disconnect", () => {
  it("waits for the server's close frame, or drops the socket", async () => {
    await using server = await startServer();
    for (const sendClose of [true, false]) {
      const infos: CloseInfo[] = [];
      const client = new WebSocketClient(urlOf(server), { onDisconnect: (info) => void infos.push(info) });
      assertEquals(await client.disconnect(), undefined);
      await client.connect();
      const info = await client.disconnect(sendClose, 4005, "why");
      assertEquals([info?.code, info?.clean], sendClose ? [4005, true] : [1006, false]);
      assertEquals(infos, [info!]);
    }
  });

  it("gives up a connection that is being made", async () => {
    const server = new HandServer();
    await server.readRequest();
    assertEquals(await server.client.disconnect(), undefined);
    const error = await assertRejects(() => server.connecting, TransportError);
    assertEquals(error.code, "ERR_ABORTED");
  });

  it("calls onDisconnect once for each onConnect, also on sudden loss; it may connect again", async () => {
    const server = await startServer();
    const events: string[] = [];
    const twice = defer<void>();
    const client: WebSocketClient = new WebSocketClient(urlOf(server), {
      onConnect: () => void events.push("connect"),
      onDisconnect: async (info) => {
        events.push(`disconnect ${info.code}`);
        if (events.length > 2) return twice.resolve();
        await client.connect();
      },
    });
    await client.connect();
    for (const connection of server.connections) connection.terminate();
    await until(() => events.length === 3, "the second connection");
    await until(() => server.connections.size === 1, "the server's view of it");
    for (const connection of server.connections) connection.close(1000);
    await twice.promise;
    assertEquals(events, ["connect", "disconnect 1006", "connect", "disconnect 1000"]);
    await server.stop();
  });
});

describe("WebSocketClient messages", () => {
  it("come to the handlers, frames too", async () => {
    const events: string[] = [];
    const server = new HandServer({
      options: { frameByFrame: true },
      onMessageReceived: (text, frame) => void events.push(`${text} ${frame?.opcode} ${frame?.first} ${frame?.final}`),
      onBinaryDataReceived: (bytes) => void events.push(`${bytes}`),
      onPing: (data) => void events.push(`ping ${decode(data)}`),
      onPong: (data) => void events.push(`pong ${decode(data)}`),
      onClose: (code) => void events.push(`close ${code}`),
    });
    const peer = new Peer("server");
    await server.readRequest();
    server.write(server.answer);
    await server.connecting;
    server.write(concat(peer.text("a", false), peer.continuation("b", true), peer.binary(Uint8Array.of(1))));
    server.write(concat(peer.frame(Opcode.Ping, "p"), peer.frame(Opcode.Pong, "q"), peer.close(1000)));
    await until(() => events.length === 6, "6 events");
    assertEquals(events, ["a 1 true false", "b 0 false true", "1", "ping p", "pong q", "close 1000"]);
    assertFrames(await server.readFrames(2), ['pong "p"', 'close 1000 ""']);
    await server.client.disconnect(false);
  });

  it("wait until a handler is set", async () => {
    const answered = defer<void>();
    await using server = await startServer({
      onHandshakeResponseSent: (connection) => void connection.send("first"),
      onMessageReceived: (connection, text) => {
        connection.send(text);
        connection.drained().then(answered.resolve);
      },
    });
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    client.send("second");
    await answered.promise;
    await turns(2);
    const got: string[] = [];
    client.onMessageReceived = (text) => void got.push(text);
    await until(() => got.length === 2, "2 messages");
    assertEquals(got, ["first", "second"]);
    await client.disconnect();
  });

  it("come from servers that compress, whatever the client asked of them", async () => {
    // As Mojolicious 9.31 and gorilla 1.5.0 answer: both ignore what they are asked for.
    const answers = [
      "permessage-deflate",
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ];
    for (const wish of [{ serverNoContextTakeover: true }, { serverMaxWindowBits: 9 }]) {
      for (const answer of answers) {
        const server = new HandServer({ compression: wish });
        await server.readRequest();
        server.write(server.answerWith(`Sec-WebSocket-Extensions: ${answer}\r\n`));
        await server.connecting;
        const serverNoContextTakeover = answer.includes("server_no_context_takeover");
        const settings = compressionSettings({ serverNoContextTakeover })!;
        const deflater = new MessageDeflater("server", settings, settings);
        // The second refers to the first, over more than 2^9 bytes.
        const noise = btoa(String.fromCharCode(...new Random(3).bytes(6000)));
        for (let count = 0; count < 2; count++) {
          const payload = deflater.compress(encode(noise), true);
          server.write(encodeFrame({ opcode: Opcode.Text, payload, final: true, reserved: ReservedBit.Rsv1 }));
          assertEquals(await server.client.receive(), noise);
        }
        deflater.close();
        await server.client.disconnect(false);
      }
      const strict = new HandServer({ compression: [wish] });
      await strict.readRequest();
      strict.write(strict.answerWith(`Sec-WebSocket-Extensions: ${answers[0]}\r\n`));
      await assertRejects(() => strict.connecting, HandshakeError, "fits nothing that was offered");
    }
  });

  it("are split by frameSize, header and masking key included", async () => {
    const server = new HandServer({ splitMessage: true, frameSize: 10 });
    await server.readRequest();
    server.write(server.answer);
    await server.connecting;
    server.client.send("123456789");
    const digits = ['text… "1234"', 'continuation… "5678"', 'continuation "9"'];
    assertFrames(await server.readFrames(3), digits);
    // Between code points, where only two of four bytes are used.
    server.client.send("12€4😀");
    assertFrames(await server.readFrames(6), [...digits, 'text… "12"', 'continuation… "€4"', 'continuation "😀"']);
    await server.client.disconnect(false);
  });

  it("of handlers that throw: reported, closed with 1011", async () => {
    await using server = await startServer();
    const errors: unknown[] = [];
    const client = new WebSocketClient(urlOf(server), {
      onMessageReceived: () => Promise.reject(new Error("mine")),
      onError: (error) => void errors.push(error),
    });
    await client.connect();
    client.send("x");
    const info = await client.connection!.closed;
    assertEquals([info.sent?.code, (errors[0] as Error).message], [
      1011,
      'The handler "onMessageReceived" failed: mine',
    ]);
  });

  it("stream with back-pressure through readable and writable", async () => {
    await using server = await startServer();
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    const sent = Array.from({ length: 200 }, (_, index) => `${index} ${"x".repeat(5000)}`);
    const writing = ReadableStream.from(sent).pipeTo(client.writable, { preventClose: true });
    const got: unknown[] = [];
    for await (const message of client.readable) {
      got.push(message);
      if (got.length === sent.length) break;
    }
    await writing;
    assertEquals(got, sent);
    await client.disconnect();
  });
});

describe("a client that is used again", () => {
  it("waits for the end of the old connection when connect() is called while it closes", async () => {
    await using server = await startServer();
    const client = new WebSocketClient(urlOf(server), { onMessageReceived: () => {} });
    await client.connect();
    const disconnecting = client.disconnect();
    await client.connect();
    assertEquals(client.active, true);
    assertEquals((await disconnecting)?.clean, true);
    await client.disconnect();
  });

  it("does not close a new connection for a handler of the old one", async () => {
    await using server = await startServer();
    const late = defer<void>();
    const errors: unknown[] = [];
    const called = defer<void>();
    const client = new WebSocketClient(urlOf(server), {
      onMessageReceived: () => {
        called.resolve();
        return late.promise;
      },
      onError: (error) => void errors.push(error),
    });
    await client.connect();
    client.send("x");
    await called.promise;
    await client.disconnect();
    await client.connect();
    late.reject(new Error("late"));
    await until(() => errors.length === 1, "the error");
    assertEquals(client.active, true);
    await client.disconnect();
  });

  it("refuses a path that would not fit into one line", async () => {
    const client = new WebSocketClient({ pathName: "/\u010d x HTTP/1.1\u010d\u010aX-Injected: 1" });
    await assertRejects(() => client.connect({ stream: pipe()[0] }), OptionError, "percent-encoded");
  });
});

/** Moves a number of MiB over another connection of this process, so that the event loop has had time for all. */
async function moveThroughAnother(count: number): Promise<void> {
  await using server = await startServer();
  let got = 0;
  const client = new WebSocketClient(urlOf(server), { onBinaryDataReceived: () => void got++ });
  await client.connect();
  for (let index = 0; index < count; index++) {
    client.send(new Uint8Array(1024 * 1024));
    await until(() => got > index, "the echo");
  }
  await client.disconnect();
}

describe("WebSocketClient.checkIncoming", () => {
  it("delivers nothing by itself, one message or control frame a call, then closed", async () => {
    const sent = defer<void>();
    await using server = await startServer({
      onHandshakeResponseSent: (connection) => {
        connection.send("one");
        connection.ping("p");
        connection.send("two");
        connection.close(1000);
        connection.drained().then(sent.resolve);
      },
    });
    const events: string[] = [];
    const client = new WebSocketClient(urlOf(server), {
      autoCheckMessages: false,
      checkTimeout: 5000,
      onMessageReceived: (text) => void events.push(text),
      onPing: () => void events.push("ping"),
      onDisconnect: () => void events.push("disconnect"),
    });
    await client.connect();
    await sent.promise;
    await turns(3);
    assertEquals(events, []);
    const results: IncomingResult[] = [];
    for (let result: IncomingResult = "none"; result !== "closed";) results.push(result = await client.checkIncoming());
    assertEquals(results, ["message", "control", "message", "control", "closed"]);
    assertEquals(events, ["one", "ping", "two", "disconnect"]);
    assertEquals(await client.checkIncoming(), "closed");
  });

  it("waits checkTimeout, then returns `none`", async () => {
    await using server = await startServer();
    const client = new WebSocketClient(urlOf(server), { autoCheckMessages: false, checkTimeout: 5 });
    await client.connect();
    assertEquals(await client.checkIncoming(), "none");
    client.send("x");
    client.checkTimeout = 5000;
    assertEquals(await client.checkIncoming(), "message");
    assertEquals((await client.disconnect())?.clean, true);
  });

  it("is refused while messages come by themselves", async () => {
    await assertRejects(() => new WebSocketClient().checkIncoming(), StateError, "autoCheckMessages");
    assertEquals(await new WebSocketClient({ autoCheckMessages: false }).checkIncoming(), "closed");
  });

  it("leaves messages that are not fetched in the socket, as back-pressure for the server", async () => {
    const count = 40;
    await using server = await startServer({
      maxBufferedAmount: 64 * 1024 * 1024,
      onHandshakeResponseSent: (connection) => {
        for (let index = 0; index < count; index++) connection.send(new Uint8Array(1024 * 1024));
      },
    });
    let got = 0;
    const client = new WebSocketClient(urlOf(server), {
      autoCheckMessages: false,
      onBinaryDataReceived: () => void got++,
    });
    await client.connect();
    assertEquals(await client.checkIncoming(), "message");
    await moveThroughAnother(count);
    const [connection] = server.connections;
    // The operating system holds some MiB for each end; the rest must have stayed with the sender.
    assert(connection!.bufferedAmount > 20 * 1024 * 1024, `${connection!.bufferedAmount}`);
    while (got < count) assertEquals(await client.checkIncoming(), "message");
    await until(() => connection!.bufferedAmount === 0, "the server's buffer to empty");
    await client.disconnect();
  });
});

describe("WebSocketClient.autoCheckInterval", () => {
  it("delivers in batches", async () => {
    const clock = new FakeClock();
    const got: string[] = [];
    const server = new HandServer({
      clock,
      connectTimeout: 0,
      autoCheckInterval: 16,
      onMessageReceived: (text) => void got.push(text),
    });
    const peer = new Peer("server");
    await server.readRequest();
    server.write(server.answer);
    await server.connecting;
    server.write(concat(peer.text("one"), peer.text("two")));
    await turns();
    assertEquals(got, []);
    clock.advance(16);
    assertEquals(got, ["one", "two"]);
    clock.advance(16);
    server.write(peer.text("three"));
    await turns();
    assertEquals(got.length, 2);
    server.client.autoCheckInterval = 0;
    assertEquals(got, ["one", "two", "three"]);
    await server.client.disconnect(false);
    assertEquals(clock.pending, 0);
  });
});

describe("a client against limits", () => {
  it("refuses a message beyond maxMessageSize with 1009", async () => {
    await using server = await startServer();
    const client = new WebSocketClient(urlOf(server), { maxMessageSize: 1000, onMessageReceived: () => {} });
    const errors: unknown[] = [];
    client.onError = (error) => errors.push(error);
    await client.connect();
    client.send("x".repeat(1001));
    const info = await client.connection!.closed;
    assertEquals([info.sent?.code, (errors[0] as { code: string }).code], [1009, "ERR_MESSAGE_TOO_LARGE"]);
    assertStringIncludes((errors[0] as Error).message, "1001");
  });
});

describe("receive of a client", () => {
  it("gives the messages in order, and rejects with the close code at the end", async () => {
    const { client, peer, server } = await join({}, { onMessageReceived: undefined, onBinaryDataReceived: undefined });
    peer.send("before");
    const waiting = [client.receive(), client.receive()];
    peer.send(Uint8Array.of(1));
    assertEquals(await Promise.all(waiting), ["before", Uint8Array.of(1)]);
    const end = client.receive();
    void peer.close(4100, "bye");
    const error = await assertRejects(() => end, ConnectionClosedError, "closed with 4100 bye");
    assertEquals([error.closeCode, error.reason], [4100, "bye"]);
    await server.stop();
    await assertRejects(() => new WebSocketClient("ws://localhost:1/").receive(), StateError, "not connected");
  });

  it("goes on with the next connection if the client reconnects", async () => {
    const server = await startEcho({
      onHandshakeResponseSent: (connection) => void connection.send("hello"),
      onMessageReceived: (connection) => connection.terminate(),
    });
    const client = new WebSocketClient(urlOf(server), { reconnect: { minDelay: 1, maxDelay: 1 }, onError: () => {} });
    await client.connect();
    assertEquals(await client.receive(), "hello");
    const waiting = [client.receive(), client.receive()];
    client.send("go");
    assertEquals(await waiting[0], "hello");
    await client.disconnect(true, 4200, "enough");
    const error = await assertRejects(() => waiting[1]!, ConnectionClosedError);
    assertEquals([error.code, error.closeCode], ["ERR_CONNECTION_CLOSED", 4200]);
    // A later connect() begins anew, also if the end was never read.
    for (let time = 0; time < 2; time++) {
      await client.connect();
      assertEquals(await client.receive(), "hello");
      await client.disconnect();
    }
    await assertRejects(() => client.receive(), ConnectionClosedError);
    await server.stop();
  });

  it("may wait in a handler at the end of its connection, which is no failure of the handler", async () => {
    const errors: unknown[] = [];
    const ended: unknown[] = [];
    const wait = async (end: { receive(): Promise<unknown>; ping(): Promise<number> }): Promise<void> => {
      try {
        await Promise.all([end.receive(), end.ping()]);
      } catch (error) {
        ended.push(error);
        throw error;
      }
    };
    const onError = (error: unknown): void => void errors.push(error);
    const server = await startEcho({ onHandshakeResponseSent: wait, onError });
    const client = new WebSocketClient(urlOf(server), { onError });
    client.onConnect = () => wait(client);
    await client.connect();
    await client.disconnect();
    await until(() => ended.length === 2, "the ends");
    await server.stop();
    assertEquals(errors, []);
  });
});

describe("ping of a client", () => {
  it("resolves with the latency", async () => {
    const server = await startEcho();
    const client = new WebSocketClient(urlOf(server));
    assertThrows(() => void client.ping(), StateError, "not connected");
    await client.connect();
    const latencies = await Promise.all([client.ping(), client.ping("a"), client.ping(new ArrayBuffer(3))]);
    for (const latency of latencies) assert(latency >= 0 && latency < 10_000, `${latency}`);
    assertThrows(() => void client.ping(new Blob(["a"])), OptionError, "a Blob must be read first");
    await client.disconnect();
    await server.stop();
  });

  it("resolves all of a flood, of which the peer answers some", async () => {
    const server = await startEcho();
    const client = new WebSocketClient(urlOf(server));
    await client.connect();
    const latencies = await Promise.all(Array.from({ length: 500 }, () => client.ping()));
    assertEquals(latencies.length, 500);
    await client.disconnect();
    await server.stop();
  });
});

describe("messages that wait for a connection", () => {
  it("may be bytes of any kind and Blobs", async () => {
    const got: MessageData[] = [];
    const server = await startEcho({
      onMessageReceived: (_, text) => void got.push(text),
      onBinaryDataReceived: (_, bytes) => void got.push(bytes),
    });
    const client = new WebSocketClient(urlOf(server), { reconnect: { maxQueuedSize: 100 } });
    const connected = client.connect();
    assertThrows(() => client.send(5 as unknown as string), OptionError, '"number"');
    const blob = new Blob(["blob"]);
    const sent = [client.send(blob), client.send(new Uint16Array([0x4141])), client.send("text")];
    assertEquals([sent, client.queuedAmount], [["queued", "queued", "queued"], 10]);
    await connected;
    await until(() => got.length === 3, "the messages");
    assertEquals(got, [encode("blob"), encode("AA"), "text"]);
    await client.disconnect();
    await server.stop();
  });
});
