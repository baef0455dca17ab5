import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { EventEmitter } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Duplex } from "node:stream";
import { OptionError } from "../../base/errors.ts";
import { WebSocketClient } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import type { UpgradeSource } from "../../server/upgrade_request.ts";
import type { DuplexSocket } from "../../transport/duplex.ts";
import type { BytePair } from "../../transport/stream.ts";
import { WhatsAppReceiver, WhatsAppServer } from "../../whatsapp.ts";
import { clientFrame, upgradeHead } from "../support/hostile.ts";
import { startNodeHttp } from "../support/node_http.ts";
import { RawSocket } from "../support/sockets.ts";
import { concat, decode, defer, encode, FakeClock, pipe, Random, tlsFile, turns, until } from "../support/support.ts";

const HEADERS = {
  host: "localhost",
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

/** Hands a request and a stream in memory to a server, and reads the answer until the server ends it. */
function handUpgrade(
  server: WebSocketServer,
  source: Partial<UpgradeSource> = {},
  early?: Uint8Array,
): { connection: ReturnType<WebSocketServer["handleUpgrade"]>; ours: BytePair; answer: () => Promise<string> } {
  const [ours, theirs] = pipe();
  const connection = server.handleUpgrade({ method: "GET", url: "/", headers: HEADERS, ...source }, theirs, early);
  const answer = async (): Promise<string> => {
    let text = "";
    for await (const bytes of ours.readable) text += decode(bytes);
    await ours.writable.close().catch(() => {});
    return text;
  };
  return { connection, ours, answer };
}

const echo = (options: WebSocketServerOptions = {}): WebSocketServer =>
  new WebSocketServer({
    onMessageReceived: (connection, text) => void connection.send(text),
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...options,
  });

describe("handleUpgrade on a server of node:http", () => {
  for (const tls of [false, true]) {
    it(`carries messages of a MiB both ways, compressed or not, ${tls ? "with" : "without"} TLS`, async () => {
      const server = echo({ compression: true });
      const http = await startNodeHttp(server, undefined, tls);
      const rootCertificateFile = tls ? tlsFile("ca.pem") : "";
      for (const compression of [true, false]) {
        const url = `${tls ? "wss" : "ws"}://localhost:${http.port}/a?b=c`;
        await using client = new WebSocketClient(url, { compression, rootCertificateFile });
        await client.connect();
        assertEquals(client.extensions.length, compression ? 1 : 0);
        const bytes = new Random(1).bytes(1 << 20);
        client.send(bytes);
        assertEquals(await client.receive(), bytes);
        const text = "Grüße ".repeat(150_000);
        client.send(text);
        assert(await client.receive() === text);
        const { remoteAddress, localAddress, encrypted, request } = http.connections.at(-1)!;
        assertEquals([remoteAddress.hostname, localAddress.port, encrypted], ["127.0.0.1", http.port, tls]);
        assertEquals([request.path, request.query, request.headers.get("host")], [
          "/a",
          "b=c",
          `localhost:${http.port}`,
        ]);
      }
      await server.stop();
      await http.close();
    });
  }

  it("takes HTTP/1.0 with skipUpgradeCheck", async () => {
    const server = echo({ options: { skipUpgradeCheck: true } });
    const http = await startNodeHttp(server);
    const socket = await RawSocket.connect(http.port);
    await socket.write(upgradeHead().replace("HTTP/1.1", "HTTP/1.0"));
    await socket.write(clientFrame(Opcode.Text, encode("hello")));
    let answer = "";
    while (!answer.endsWith("hello")) answer += decode((await socket.read())!);
    assertStringIncludes(answer, "HTTP/1.1 101 ");
    await socket.close();
    await server.stop();
    await http.close();
  });

  it("leaves plain requests to it", async () => {
    const server = echo();
    const http = await startNodeHttp(server);
    const response = await fetch(`http://127.0.0.1:${http.port}/`, { headers: { connection: "close" } });
    assertEquals(await response.text(), "of node:http");
    await http.close();
  });

  it("delivers bytes that came behind the request", async () => {
    const got = defer<string>();
    const server = echo({ onMessageReceived: (_, text) => got.resolve(text) });
    const http = await startNodeHttp(server);
    const socket = await RawSocket.connect(http.port);
    await socket.write(concat(encode(upgradeHead()), clientFrame(Opcode.Text, encode("early"))));
    assertEquals(await got.promise, "early");
    await socket.close();
    await http.connections[0]!.closed;
    await http.close();
  });

  it("answers refused requests on the socket, and ends it", async () => {
    const errors: unknown[] = [];
    const server = new WebSocketServer({
      pathName: "/hostile",
      origins: ["https://good.example"],
      onError: (error) => void errors.push(error),
      onAllow: ({ request }) =>
        request.headers.has("x-token")
          ? request.headers.get("x-token") === "right"
          : new Response("why", { status: 401 }),
    });
    const http = await startNodeHttp(server);
    const ask = async (head: string): Promise<string> => {
      const socket = await RawSocket.connect(http.port);
      await socket.write(head);
      return (await socket.readText()).split("\r\n", 1)[0]!;
    };
    const head = upgradeHead();
    assertEquals(await ask(head), "HTTP/1.1 401 Unauthorized");
    assertEquals(await ask(upgradeHead("X-Token: wrong")), "HTTP/1.1 403 Forbidden");
    assertEquals(await ask(upgradeHead("Origin: https://evil.example")), "HTTP/1.1 403 Forbidden");
    assertEquals(await ask(head.replace("Version: 13", "Version: 8")), "HTTP/1.1 426 Upgrade Required");
    assertEquals(await ask(head.replace("/hostile", "/other")), "HTTP/1.1 404 Not Found");
    assertEquals(await ask(head.replace("Upgrade: websocket", "Upgrade: h2c")), "HTTP/1.1 400 Bad Request");
    assertEquals(await ask(head.replace("GET", "POST")), "HTTP/1.1 405 Method Not Allowed");
    const ends = await Promise.all(http.connections.map((connection) => connection!.closed));
    assertEquals(ends.map(({ opened }) => opened), Array(7).fill(false));
    assertEquals(errors.length, 5);
    await http.close();
  });

  it("answers 503 beyond maxConnections, and returns no connection", async () => {
    const server = echo({ maxConnections: 1 });
    const http = await startNodeHttp(server);
    await using client = new WebSocketClient(`ws://127.0.0.1:${http.port}/`);
    await client.connect();
    const socket = await RawSocket.connect(http.port);
    await socket.write(upgradeHead());
    assertStringIncludes(await socket.readText(), "HTTP/1.1 503 ");
    assertEquals([http.connections.length, http.connections[1]], [2, undefined]);
    await server.stop();
    await http.close();
  });

  it("ends with the connection when the peer resets it, and reports the end once", async () => {
    const ends: CloseInfo[] = [];
    const server = echo({ onEnd: (_, info) => void ends.push(info) });
    const http = await startNodeHttp(server);
    const socket = await RawSocket.connect(http.port);
    await socket.write(upgradeHead());
    await socket.read();
    socket.reset();
    const info = await http.connections[0]!.closed;
    assertEquals([info.code, info.opened, ends.length], [1006, true, 1]);
    await http.close();
  });

  it("waits for an asynchronous onAllow, and ends the request when the peer leaves", async () => {
    const asked = defer<AbortSignal>();
    const server = echo({
      onAllow: ({ request }) => {
        asked.resolve(request.signal);
        return new Promise(() => {});
      },
    });
    const http = await startNodeHttp(server);
    const socket = await RawSocket.connect(http.port);
    await socket.write(upgradeHead());
    const signal = await asked.promise;
    assertEquals(http.connections[0]!.state, "connecting");
    await socket.close();
    await until(() => signal.aborted, "the signal");
    await http.connections[0]!.closed;
    await http.close();
  });

  it("is closed by stop, though the server never listened, and serves again afterwards", async () => {
    const server = echo();
    const http = await startNodeHttp(server);
    for (let round = 0; round < 2; round++) {
      await using client = new WebSocketClient(`ws://127.0.0.1:${http.port}/`);
      await client.connect();
      const ended = new Promise<number>((resolve) => client.onDisconnect = ({ code }) => resolve(code));
      await server.stop();
      assertEquals(await ended, 1001);
      assertEquals(server.connections.size, 0);
    }
    await http.close();
  });

  it("serves receivers of a WhatsAppServer", async () => {
    await using server = new WhatsAppServer({
      behindProxy: true,
      appSecret: "secret",
      receiverToken: "token",
      journal: null,
    });
    const http = await startNodeHttp(server);
    await using receiver = new WhatsAppReceiver(`ws://127.0.0.1:${http.port}/`, { receiverToken: "token" });
    await receiver.connect();
    assertEquals(server.connections.size, 1);
    await receiver.disconnect();
    await server.stop();
    await http.close();
  });
});

/** A socket in memory, whose events the test makes. */
class TestSocket extends Duplex {
  text = "";
  override _read(): void {}
  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.text += decode(chunk);
    done();
  }
}

describe("handleUpgrade with a socket in memory", () => {
  it("ends with the connection when the socket fails, before and after the handshake", async () => {
    for (const opened of [true, false]) {
      const disconnects: CloseInfo[] = [];
      const server = echo({
        onAllow: () => opened || new Promise(() => {}),
        onDisconnect: (_, info) => void disconnects.push(info),
      });
      const socket = new TestSocket();
      const connection = server.handleUpgrade({ url: "/", headers: HEADERS }, socket)!;
      await turns(2);
      assertEquals([connection.state, socket.text !== ""], opened ? ["open", true] : ["connecting", false]);
      socket.destroy(new Error("the cable"));
      await connection.closed;
      assertEquals(disconnects.map(({ code }) => code), [1006]);
      await turns(2);
    }
  });

  it("ends a connection whose peer has left before the upgrade was handed over", async () => {
    const server = echo();
    const http = createServer();
    const left = defer<{ request: IncomingMessage; socket: DuplexSocket & EventEmitter }>();
    http.on("upgrade", (request: IncomingMessage, socket: DuplexSocket & EventEmitter) => {
      socket.on("end", () => left.resolve({ request, socket }));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const peer = await RawSocket.connect((http.address() as AddressInfo).port);
    await peer.write(upgradeHead());
    await peer.end();
    const { request, socket } = await left.promise;
    await server.handleUpgrade(request, socket)!.closed;
    assertEquals(server.stats().connections.open, 0);
    peer.close();
    await new Promise((resolve) => http.close(resolve));
  });

  it("ends a connection whose socket has gone already, or gives text", async () => {
    const server = echo();
    const gone = new TestSocket();
    gone.destroy();
    await server.handleUpgrade({ url: "/", headers: HEADERS }, gone)!.closed;
    const texts = new TestSocket();
    texts.setEncoding("utf8");
    const connection = server.handleUpgrade({ url: "/", headers: HEADERS }, texts)!;
    texts.push("text");
    await connection.closed;
    assert(texts.destroyed);
    assertEquals(server.stats().connections.open, 0);
  });

  it("takes each socket and each stream once", async () => {
    const server = echo();
    const request = { url: "/", headers: HEADERS };
    const socket = new TestSocket();
    const [, pair] = pipe();
    const writer = new WritableStream<Uint8Array>();
    writer.getWriter();
    const half = { readable: new ReadableStream<Uint8Array>(), writable: writer };
    const first = [socket, pair].map((stream) => server.handleUpgrade(request, stream)!);
    const { text } = socket;
    for (const stream of [socket, pair, half]) {
      assertStringIncludes(assertThrows(() => server.handleUpgrade(request, stream), OptionError).message, "in use");
    }
    assertEquals([socket.text, half.readable.locked], [text, false]);
    assertEquals(first.map(({ state }) => state), ["open", "open"]);
    assertEquals(server.stats().connections, { open: 2, handshaking: 0, opened: 2 });
    for (const connection of first) connection.terminate();
    await Promise.all(first.map(({ closed }) => closed));
  });

  it("does not change the bytes of the socket, and takes its time limit off", async () => {
    const got = defer<string>();
    const server = echo({ onMessageReceived: (_, text) => got.resolve(text) });
    const socket = new TestSocket();
    const calls: unknown[] = [];
    Object.assign(socket, {
      setTimeout: (ms: number) => calls.push(ms),
      setNoDelay: (on: boolean) => calls.push(on),
      remoteAddress: "192.0.2.7",
      remotePort: 7,
    });
    const connection = server.handleUpgrade({ url: "/", headers: HEADERS }, socket)!;
    assertEquals(connection.remoteAddress, { hostname: "192.0.2.7", port: 7 });
    const frame = clientFrame(Opcode.Text, encode("unchanged"));
    const copy = frame.slice();
    socket.push(frame);
    assertEquals(await got.promise, "unchanged");
    assertEquals([frame, calls], [copy, [0, true]]);
    connection.terminate();
    await connection.closed;
  });
});

describe("handleUpgrade with a pair of streams", () => {
  it("takes a Request, and addresses of the pair", async () => {
    const server = echo();
    const [ours, theirs] = pipe();
    const request = new Request("http://localhost:8000/chat?room=1#part", { headers: HEADERS });
    const remoteAddress = { hostname: "192.0.2.1", port: 1 };
    const connection = server.handleUpgrade(request, { ...theirs, remoteAddress, encrypted: true })!;
    assertEquals([connection.state, connection.encrypted, connection.remoteAddress], ["open", true, remoteAddress]);
    assertEquals([connection.request.path, connection.request.query], ["/chat", "room=1"]);
    assertEquals(connection.request.headers.get("host"), "localhost:8000");
    const reader = ours.readable.getReader();
    assertStringIncludes(decode((await reader.read()).value!), "HTTP/1.1 101 Switching Protocols\r\n");
    await reader.cancel();
    await server.stop({ closeTimeout: 1 });
  });

  it("takes the host of the URL for a request without one", async () => {
    const server = echo({ hosts: ["a.example"] });
    const { host: _, ...headers } = HEADERS;
    for (const [url, status] of [["http://a.example/", 101], ["http://b.example/", 421], ["/", 421]] as const) {
      const { ours } = handUpgrade(server, { url, headers });
      const reader = ours.readable.getReader();
      assertStringIncludes(decode((await reader.read()).value!), `HTTP/1.1 ${status} `);
      await reader.cancel();
      ours.writable.abort().catch(() => {});
    }
    await server.stop({ closeTimeout: 1 });
  });

  it("takes HTTP/1.0 without upgrade fields with skipUpgradeCheck", async () => {
    const server = echo({ options: { skipUpgradeCheck: true } });
    const { upgrade: _, host: __, ...headers } = { ...HEADERS, connection: "close" };
    const { ours } = handUpgrade(server, { httpVersion: "1.0", headers });
    const reader = ours.readable.getReader();
    assertStringIncludes(decode((await reader.read()).value!), "HTTP/1.1 101 ");
    await reader.cancel();
    ours.writable.abort().catch(() => {});
    await server.stop({ closeTimeout: 1 });
  });

  it("refuses heads that the port would refuse", async () => {
    const server = echo({ maxHeadSize: 1000, maxHeaderFields: 20, clock: new FakeClock(), onError: () => {} });
    const many = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`x-${index}`, "1"]));
    const cases: [Partial<UpgradeSource>, number][] = [
      [{ url: "/a b" }, 400],
      [{ url: "/a\r\nx: y" }, 400],
      [{ url: "" }, 400],
      [{ url: "a" }, 400],
      [{ url: "/ä" }, 400],
      [{ httpVersion: "1.0" }, 400],
      [{ httpVersion: "2.0" }, 505],
      [{ method: "GET /" }, 400],
      [{ headers: { ...HEADERS, x: "a\r\nb" } }, 400],
      [{ headers: { ...HEADERS, "x y": "a" } }, 400],
      [{ headers: { ...HEADERS, host: ["a", "b"] } }, 400],
      [{ headers: {} }, 400],
      [{ headers: { host: "a" } }, 400],
      [{ headers: { host: "a", upgrade: "h2c", connection: "Upgrade" } }, 400],
      [{ headers: { ...HEADERS, ...many } }, 431],
      [{ url: `/${"a".repeat(1000)}` }, 431],
    ];
    for (const [source, status] of cases) {
      const { answer } = handUpgrade(server, source);
      assertStringIncludes(await answer(), `HTTP/1.1 ${status} `, JSON.stringify(source));
    }
  });

  it("counts the bytes of a head as the port does", async () => {
    const head = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const size = `GET / HTTP/1.1\r\n${head}\r\n`.length;
    for (const [maxHeadSize, status] of [[size, 101], [size - 1, 431]] as const) {
      const server = echo({ maxHeadSize, clock: new FakeClock(), onError: () => {} });
      const { ours } = handUpgrade(server);
      const reader = ours.readable.getReader();
      assertStringIncludes(decode((await reader.read()).value!), `HTTP/1.1 ${status} `);
      await Promise.all([server.stop({ closeTimeout: 0 }), reader.cancel(), ours.writable.close().catch(() => {})]);
    }
  });

  it("takes several values of a field, and fields without a value", () => {
    const server = echo({ protocols: ["b"] });
    const headers = { ...HEADERS, "sec-websocket-protocol": ["a", "b"], cookie: undefined };
    const { connection } = handUpgrade(server, { headers });
    assertEquals(connection!.protocol, "b");
    connection!.terminate();
  });

  it("says which argument it cannot use", () => {
    const server = echo();
    const [, pair] = pipe();
    const request = { url: "/", headers: HEADERS };
    const wrong: [unknown[], string][] = [
      [[undefined, pair], 'takes a request with "url" and "headers", not undefined'],
      [[{ headers: HEADERS }, pair], 'The "url" of the request is undefined'],
      [[{ url: "/" }, pair], 'The "headers" of the request are undefined'],
      [[{ url: "/", headers: { host: 1 } }, pair], "1 instead of a string"],
      [[request, {}], 'takes the socket of the event "upgrade", or an object with two streams, not an object'],
      [[request, undefined], "two streams, not undefined"],
      [[request, pair, "head"], 'The third argument of handleUpgrade() is "head"'],
    ];
    for (const [args, message] of wrong) {
      const call = (): unknown => Reflect.apply(server.handleUpgrade, server, args);
      assertStringIncludes(assertThrows(call, OptionError).message, message);
    }
    assertEquals(server.stats().connections.handshaking, 0);
  });
});

/** Compiles: sockets and requests of the runtimes' types fit. */
export function typed(server: WebSocketServer, socket: Duplex, request: Request): void {
  const fits: DuplexSocket = socket;
  server.handleUpgrade(request, fits);
}
