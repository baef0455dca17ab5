import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { WebSocketClient } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import type { WebSocketConnection } from "../../connection/connection.ts";
import { CertificateError, HandlerError, OptionError, TransportError } from "../../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { Opcode } from "../../protocol/frame_header.ts";
import { clientFrame } from "../support/hostile.ts";
import { runtime } from "../support/needs.ts";
import { runToEnd } from "../support/peers.ts";
import { RawSocket, roundTrip } from "../support/sockets.ts";
import { assertFrames, decode, defer, encode, FakeClock, pipe, settle, tlsFile, until } from "../support/support.ts";

/** Keeps what it reports. */
class ReportingServer extends WebSocketServer {
  readonly errors: unknown[] = [];

  override onError(error: unknown) {
    this.errors.push(error);
  }
}

async function start(options: WebSocketServerOptions = {}): Promise<ReportingServer> {
  const server = new ReportingServer({ port: 0, hostname: "127.0.0.1", ...options });
  await server.start();
  return server;
}

const urlOf = (server: WebSocketServer, path = "/"): string => `ws://127.0.0.1:${server.address!.port}${path}`;

async function connect(server: WebSocketServer, options = {}, path = "/"): Promise<WebSocketClient> {
  const client = new WebSocketClient(urlOf(server, path), options);
  await client.connect();
  return client;
}

describe("WebSocketServer life", () => {
  it("starts, stops and starts again; redundant calls do nothing", async () => {
    const server = await start();
    const { port } = server.address!;
    assertEquals([server.active, port > 0], [true, true]);
    await server.start();
    assertEquals(server.address!.port, port);
    await server.stop();
    await server.stop();
    assertEquals([server.active, server.address], [false, undefined]);
    await Promise.all([server.start(), server.start()]);
    await Promise.all([server.stop(), server.stop()]);
    // Stopping while it starts, and starting while it stops, end in what was asked last.
    const starting = server.start();
    const stopping = server.stop();
    const again = server.start();
    await Promise.all([starting, stopping, again]);
    await until(() => server.active, "the restart");
    await server.stop();
  });

  it("can be switched by active, with failures going to onError", async () => {
    const first = await start();
    const second = new WebSocketServer({ port: first.address!.port, hostname: "127.0.0.1" });
    const failed = defer<unknown>();
    second.onError = failed.resolve;
    second.active = true;
    const error = await failed.promise;
    assertInstanceOf(error, TransportError);
    assertEquals([error.code, second.active], ["ERR_LISTEN", false]);
    assertStringIncludes(error.message, `127.0.0.1:${first.address!.port}`);
    first.active = false;
    await first.stop();
    second.active = true;
    await until(() => second.active, "the start");
    await second.stop();
  });

  it("rejects start() when the port is taken, and can be started later", async () => {
    const first = await start();
    const second = new WebSocketServer({ port: first.address!.port, hostname: "127.0.0.1" });
    await assertRejects(() => second.start(), TransportError, "Cannot listen");
    await first.stop();
    await second.start();
    await second.stop();
  });

  it("drains on stop: 1001 to each, waits for their answer, then the port is free", async () => {
    const server = await start();
    const infos: CloseInfo[] = [];
    const clients = await Promise.all(
      [1, 2, 3].map(() => connect(server, { onDisconnect: (info: CloseInfo) => infos.push(info) })),
    );
    await server.stop({ reason: "maintenance" });
    await Promise.all(clients.map((client) => client.connection!.closed));
    assertEquals(
      infos.map(({ code, reason, clean }) => [code, reason, clean]),
      Array(3).fill([1001, "maintenance", true]),
    );
    assertEquals(server.connections.size, 0);
  });

  it("gives up connections that do not end within closeTimeout", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, closeTimeout: 1000 });
    const closed = defer<CloseInfo>();
    server.onDisconnect = (_, info) => closed.resolve(info);
    const socket = await openSocket(server);
    const stopped = server.stop();
    await socket.read();
    clock.advance(1000);
    await stopped;
    assertEquals((await closed.promise).clean, false);
    assertEquals(clock.pending, 0);
    await socket.close();
  });

  it("closes with 1001 a connection that onAllow lets in while the server stops", async () => {
    const clock = new FakeClock();
    const gate = defer<boolean>();
    const asked = defer<void>();
    const server = await start({
      clock,
      onAllow: () => {
        asked.resolve();
        return gate.promise;
      },
    });
    const client = new WebSocketClient(urlOf(server));
    const connecting = client.connect();
    await asked.promise;
    const stopped = server.stop();
    await settle();
    gate.resolve(true);
    await connecting;
    assertEquals((await client.connection!.closed).code, 1001);
    await stopped;
  });

  it("checks the close code of stop before it closes anything", async () => {
    const server = await start();
    assertThrows(() => server.stop({ code: 1005 }), OptionError);
    assertEquals(server.active, true);
    await server.stop();
  });

  it("is disposed of by await using", async () => {
    let kept: WebSocketServer;
    {
      await using server = await start();
      kept = server;
    }
    assertEquals(kept.active, false);
  });
});

/** A bare TCP connection with a finished handshake, to see and send exact bytes. */
async function openSocket(server: WebSocketServer, path = "/"): Promise<RawSocket> {
  const socket = await RawSocket.connect(server.address!.port);
  await socket.write(handshake(path));
  assertStringIncludes(decode((await socket.read())!), "101");
  return socket;
}

function handshake(path = "/", lines = "Upgrade: websocket\r\nConnection: Upgrade\r\n", version = "13"): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
    `Sec-WebSocket-Version: ${version}\r\n\r\n`;
}

/** Sends text on a bare TCP connection and reads until the server ends it. */
async function exchange(server: WebSocketServer, ...parts: string[]): Promise<string> {
  const socket = await RawSocket.connect(server.address!.port);
  for (const part of parts) await socket.write(part);
  return await socket.readText();
}

describe("WebSocketServer handlers", () => {
  it("are called in the order of a connection's life", async () => {
    const events: string[] = [];
    const done = defer<void>();
    await using server = await start({
      onConnect: (connection) => void events.push(`connect ${connection.state}`),
      onAllow: (connection) => {
        events.push(`allow ${connection.request.method} ${connection.request.path} ${connection.request.query}`);
        events.push(connection.request.headers.get("x-test") ?? "");
        return true;
      },
      onHandshakeResponseSent: (connection) => {
        events.push(`sent ${connection.state}`);
        connection.send("welcome");
      },
      onMessageReceived: (_, text) => void events.push(`text ${text}`),
      onBinaryDataReceived: (_, bytes) => void events.push(`binary ${bytes}`),
      onPing: (_, data) => void events.push(`ping ${decode(data)}`),
      onPong: (_, data) => void events.push(`pong ${decode(data)}`),
      onClose: (_, code, reason) => void events.push(`close ${code} ${reason}`),
      onDisconnect: (_, info) => {
        events.push(`disconnect ${info.code} ${info.clean}`);
        done.resolve();
      },
    });
    const client = await connect(server, { headers: { "X-Test": "header" } }, "/path?a=b");
    for await (const message of client) {
      assertEquals(message, "welcome");
      break;
    }
    client.send("hi");
    client.send(Uint8Array.of(1, 2));
    client.ping("p");
    client.pong("q");
    await client.disconnect(true, 4000, "bye");
    await done.promise;
    assertEquals(events, [
      "connect connecting",
      "allow GET /path a=b",
      "header",
      "sent open",
      "text hi",
      "binary 1,2",
      "ping p",
      "pong q",
      "close 4000 bye",
      "disconnect 4000 true",
    ]);
    assertEquals(server.errors, []);
  });

  it("name the handler that returned a Response twice, or a value that is no Response", async () => {
    await using server = await start();
    const same = new Response("once only", { status: 403 });
    server.onAllow = () => same;
    assertStringIncludes(await exchange(server, handshake()), "HTTP/1.1 403 ");
    assertStringIncludes(await exchange(server, handshake()), "HTTP/1.1 500 ");
    server.onCommandGet = () => same;
    assertStringIncludes(
      await exchange(server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
      "HTTP/1.1 500 ",
    );
    server.onCommandGet = () => 5 as unknown as Response;
    assertStringIncludes(
      await exchange(server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
      "HTTP/1.1 500 ",
    );
    const messages = server.errors.map((error) => (error as Error).message);
    assertEquals(messages.map((message) => message.split('"')[1]), ["onAllow", "onCommandGet", "onCommandGet"]);
    assertStringIncludes(messages[0]!, "make a new one for each request");
  });

  it("onAllow refuses with 403, or with a response of its own, now or later", async () => {
    const answers: [WebSocketServerOptions["onAllow"], number, string][] = [
      [() => false, 403, "not allowed"],
      [() => undefined as unknown as boolean, 403, "not allowed"],
      [() => Promise.resolve("yes" as unknown as boolean), 403, "not allowed"],
      [() => Promise.resolve(false), 403, "not allowed"],
      [() => new Response("no such tenant", { status: 404, headers: { "x-a": "b" } }), 404, "no such tenant"],
      [() => Promise.resolve(new Response("later", { status: 429 })), 429, "later"],
      [
        () => {
          throw new Error("secret details");
        },
        500,
        "Internal server error",
      ],
      [() => Promise.reject(new Error("secret details")), 500, "Internal server error"],
    ];
    await using server = await start();
    for (const [onAllow, status, says] of answers) {
      Object.assign(server, { onAllow });
      const text = await exchange(server, handshake());
      assertStringIncludes(text, `HTTP/1.1 ${status} `);
      assertStringIncludes(text, says);
      assertEquals(text.includes("secret"), false);
    }
    // What threw, what rejected, and what forgot its answer, now and later.
    assertEquals(server.errors.length, 4);
    for (const error of server.errors) assertInstanceOf(error, HandlerError);
    server.onAllow = () => Promise.resolve(true);
    const client = await connect(server);
    await client.disconnect();
  });

  it("onDisconnect and onError know what was asked: the last request, and `undefined` if none came", async () => {
    const show = ({ request }: WebSocketConnection): string | undefined =>
      request && `${request.method} ${request.path}?${request.query} ${request.headers.get("x")}`;
    const [before, during, failed]: (string | undefined)[][] = [[], [], []];
    let ended = defer<string | undefined>();
    await using server = await start({
      onConnect: (connection) => void before.push(show(connection)),
      onDisconnect: (connection) => ended.resolve(show(connection)),
      onError: (_error, connection) => void failed.push(show(connection!)),
      onCommandGet: (_request, connection) => {
        during.push(show(connection));
        return new Response("ok");
      },
    });
    const after = async (...requests: string[]): Promise<string | undefined> => {
      ended = defer();
      await exchange(server, ...requests);
      return await ended.promise;
    };
    const first = "GET /first HTTP/1.1\r\nHost: a\r\nx: 1\r\n\r\n";
    const last = "POST /last?b=c HTTP/1.1\r\nHost: a\r\nx: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assertEquals(await after(first, last), "POST /last?b=c 2");
    assertEquals([before, during, failed], [[undefined], ["GET /first? 1", "POST /last?b=c 2"], []]);
    assertEquals(await after(handshake("/refused?q").replace("Key: dG", "Key: d")), "GET /refused?q null");
    assertEquals(failed, ["GET /refused?q null"]);
    assertEquals(await after("NONSENSE\r\n\r\n"), undefined);
    ended = defer();
    await (await RawSocket.connect(server.address!.port)).close();
    assertEquals(await ended.promise, undefined);
  });

  it("onDisconnect is called exactly once for each onConnect, however the connection ends", async () => {
    const counts = new Map<WebSocketConnection, number>();
    let disconnects = 0;
    await using server = await start({
      onConnect: (connection) => void counts.set(connection, 0),
      onDisconnect: (connection) => {
        disconnects++;
        counts.set(connection, counts.get(connection)! + 1);
      },
      onAllow: ({ request }) => request.path !== "/refused",
      onMessageReceived: (connection, text) => {
        if (text === "terminate") connection.terminate();
        if (text === "throw") throw new Error("handler");
        if (text === "close") void connection.close(1000);
      },
    });
    const raw = async (...parts: string[]): Promise<void> => {
      const socket = await RawSocket.connect(server.address!.port);
      for (const part of parts) await socket.write(part);
      await socket.close();
    };
    await raw();
    await raw("GET / HT");
    await raw(handshake());
    await raw(handshake().slice(0, -2));
    await raw("NONSENSE\r\n\r\n");
    await exchange(server, handshake("/refused"));
    await exchange(server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (const text of ["terminate", "throw", "close"]) {
      const client = await connect(server);
      client.send(text);
      await client.connection!.closed;
    }
    const lost = await connect(server);
    await lost.disconnect(false);
    const clean = await connect(server);
    await clean.disconnect();
    await until(() => disconnects >= 12, "the disconnects");
    await server.stop();
    assertEquals([...counts.values()], Array(counts.size).fill(1));
    assertEquals(counts.size, 12);
  });

  it("that throw or reject are reported, close that connection with 1011, and the server lives on", async () => {
    await using server = await start({
      onMessageReceived: (_, text) => {
        if (text === "throw") throw new Error("thrown");
        return Promise.reject(new Error("rejected"));
      },
      onHandshakeResponseSent: ({ request }) => {
        if (request.path === "/sent") throw new Error("sent");
      },
    });
    for (const text of ["throw", "reject"]) {
      const client = await connect(server);
      client.send(text);
      const info = await client.connection!.closed;
      assertEquals([info.code, info.reason], [1011, ""]);
    }
    const early = await connect(server, {}, "/sent");
    assertEquals((await early.connection!.closed).code, 1011);
    const names = server.errors.map((error) => (error as HandlerError).message);
    assertEquals(names, [
      'The handler "onMessageReceived" failed: thrown',
      'The handler "onMessageReceived" failed: rejected',
      'The handler "onHandshakeResponseSent" failed: sent',
    ]);
    const client = await connect(server);
    await client.disconnect();
  });

  it("may end a connection before it is a WebSocket, and stop() does not wait for it", async () => {
    const events: string[] = [];
    const server = await start({
      onHandshakeResponseSent: () => void events.push("opened"),
      onDisconnect: () => void events.push("disconnect"),
    });
    const ends: ((connection: WebSocketConnection) => void)[] = [
      (connection) => connection.terminate(),
      (connection) => void connection.close(),
    ];
    for (const end of ends) {
      const allows: WebSocketServerOptions["onAllow"][] = [
        (connection) => {
          end(connection);
          return true;
        },
        async (connection) => {
          await Promise.resolve();
          end(connection);
          return true;
        },
      ];
      for (const onAllow of allows) {
        Object.assign(server, { onAllow });
        await exchange(server, handshake());
      }
      delete server.onAllow;
      server.onSelectProtocol = (connection) => {
        end(connection);
        return "";
      };
      await exchange(server, handshake());
      delete server.onSelectProtocol;
      server.onConnect = end;
      await exchange(server, handshake()).catch(() => "");
      delete server.onConnect;
    }
    await until(() => events.length === 8, "8 disconnects");
    assertEquals(events, Array(8).fill("disconnect"));
    assertEquals(server.connections.size, 0);
    await server.stop();
  });

  it("onError that throws does not end the program", async () => {
    const original = console.error;
    const printed: unknown[] = [];
    console.error = (...args: unknown[]) => void printed.push(...args);
    try {
      await using server = await start({
        onError: () => {
          throw new Error("in onError");
        },
        onMessageReceived: () => {
          throw new Error("first");
        },
      });
      const client = await connect(server);
      client.send("x");
      await client.connection!.closed;
      assertStringIncludes(String(printed[0]), "onError");
    } finally {
      console.error = original;
    }
  });

  it("connection.data is the program's own", async () => {
    const got = defer<number>();
    await using server = new WebSocketServer<{ id: number }>({
      port: 0,
      hostname: "127.0.0.1",
      onConnect: (connection) => void (connection.data = { id: 7 }),
      onMessageReceived: (connection) => got.resolve(connection.data.id),
    });
    await server.start();
    const client = await connect(server as unknown as WebSocketServer);
    client.send("x");
    assertEquals(await got.promise, 7);
    await client.disconnect();
  });
});

describe("WebSocketServer handshakes", () => {
  it("match pathName without the query, and answer others with 404", async () => {
    await using server = await start({ pathName: "/chat" });
    for (const path of ["/chat", "/chat?room=1"]) await (await connect(server, {}, path)).disconnect();
    for (const path of ["/", "/chat/", "/other?x=/chat"]) {
      const error = await assertRejects(() => connect(server, {}, path));
      assertStringIncludes((error as Error).message, "404");
    }
    const plain = await fetch(`http://127.0.0.1:${server.address!.port}/x`);
    await plain.body?.cancel();
    assertEquals(plain.status, 404);
  });

  it("are refused with a status and a body that names the error", async () => {
    await using server = await start({ handshakeTimeout: 60_000 });
    const cases: [string, number, string][] = [
      [handshake("/", "Upgrade: websocket\r\n"), 400, "Connection"],
      [handshake("/", "Connection: Upgrade\r\n"), 400, "Upgrade"],
      [handshake("/", undefined, "8"), 426, "13"],
      [handshake().replace("GET", "POST"), 405, "GET"],
      [handshake().replace("Host: a\r\n", ""), 400, "Host"],
      [handshake().replaceAll("\r\n", "\n"), 400, "CR LF"],
      [`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(200)}\r\n`, 431, "128"],
      ["NONSENSE\r\n\r\n", 400, "request line"],
      ["GET / HTTP/2.0\r\n\r\n", 505, "HTTP/2.0"],
    ];
    for (const [request, status, says] of cases) {
      const text = await exchange(server, request);
      assertStringIncludes(text, `HTTP/1.1 ${status} `);
      assertStringIncludes(text, says);
      if (status === 426) assertStringIncludes(text.toLowerCase(), "sec-websocket-version: 13");
    }
    assertEquals(server.errors.length, cases.length);
  });

  it("pass without Upgrade, Connection and version if the settings allow it", async () => {
    await using server = await start({ options: { skipUpgradeCheck: true, skipVersionCheck: true } });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(handshake("/", "", "7"));
    assertStringIncludes(decode((await socket.read())!), "HTTP/1.1 101 ");
    await socket.close();
  });

  it("pass by HTTP/1.0 if the settings allow it, and get 400 if not", async () => {
    const stripped = handshake("/", "Connection: close\r\n").replace("HTTP/1.1", "HTTP/1.0");
    const prolog = handshake().replace("HTTP/1.1", "HTTP/1.0");
    await using server = await start({ onMessageReceived: (connection, text) => void connection.send(text) });
    for (const request of [stripped, prolog]) assertStringIncludes(await exchange(server, request), "HTTP/1.1 400 ");
    await using lenient = await start({
      options: { skipUpgradeCheck: true },
      onMessageReceived: (connection, text) => void connection.send(text),
    });
    for (const request of [stripped, prolog, prolog.replace("Host: a\r\n", "")]) {
      const socket = await RawSocket.connect(lenient.address!.port);
      await socket.write(request);
      await socket.write(clientFrame(Opcode.Text, encode("hello")));
      let answer = "";
      while (!answer.endsWith("hello")) answer += decode((await socket.read())!);
      assert(answer.startsWith("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
      await socket.close();
    }
  });

  it("choose a subprotocol: the server's first that is offered, none, or what the program says", async () => {
    await using server = await start({ protocols: ["b", "a"] });
    const protocolOf = async (protocols: string[]): Promise<string> => {
      const client = await connect(server, { protocols });
      const { protocol } = client;
      await client.disconnect();
      return protocol;
    };
    assertEquals(await protocolOf(["a", "b"]), "b");
    assertEquals(await protocolOf(["c"]), "");
    assertEquals(await protocolOf([]), "");
    server.onSelectProtocol = (_, offered) => offered.at(-1);
    assertEquals(await protocolOf(["x", "y"]), "y");
    server.onSelectProtocol = () => undefined;
    assertEquals(await protocolOf(["x"]), "");
    server.onSelectProtocol = () => "not offered";
    await assertRejects(() => protocolOf(["x"]), Error, "500");
  });

  it("take frames that come right behind the request", async () => {
    const got = defer<string>();
    await using server = await start({ onMessageReceived: (_, text) => got.resolve(text) });
    const socket = await RawSocket.connect(server.address!.port);
    const frame = Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69);
    await socket.write(new Uint8Array([...encode(handshake()), ...frame]));
    assertEquals(await got.promise, "hi");
    await socket.close();
  });

  it("time out: slow heads get 408, silent connections are closed", async () => {
    const clock = new FakeClock();
    await using server = await start({ clock, handshakeTimeout: 10_000 });
    const slow = exchange(server, "GET / HTTP/1.1\r\nHost:");
    const silent = exchange(server);
    await until(() => server.stats().connections.handshaking === 2, "two connections");
    await settle();
    // The bytes of the slow one must have been read for it to be slow rather than silent.
    await roundTrip(server.address!.port);
    clock.advance(10_000);
    assertStringIncludes(await slow, "HTTP/1.1 408 ");
    assertEquals(await silent, "");
  });
});

describe("WebSocketServer to many", () => {
  it("broadcasts to all whose handshake is done, and sends to those a selector chooses", async () => {
    await using server = await start({
      onHandshakeResponseSent: (connection) => void (connection.data = connection.request.path),
    });
    const got: string[] = [];
    const clients = await Promise.all(["/a", "/b", "/c"].map(async (path) => {
      const client = await connect(server, {}, path);
      client.onMessageReceived = (text) => void got.push(`${path} ${text}`);
      client.onBinaryDataReceived = (bytes) => void got.push(`${path} ${bytes}`);
      return client;
    }));
    const pending = await RawSocket.connect(server.address!.port);
    assertEquals(server.broadcastMessage("all"), 3);
    assertEquals(server.broadcastData(Uint8Array.of(1)), 3);
    assertEquals(server.sendMessageTo("some", ({ data }) => data !== "/b"), 2);
    assertEquals(server.sendDataTo(Uint8Array.of(2), ({ data }) => data === "/b"), 1);
    await until(() => got.length === 9, "9 messages");
    assertEquals(got.sort(), ["/a 1", "/a all", "/a some", "/b 1", "/b 2", "/b all", "/c 1", "/c all", "/c some"]);
    await server.disconnectClients(({ data }) => data === "/a", 4001, "out");
    assertEquals(server.connections.size, 2);
    const info = await clients[0]!.connection!.closed;
    assertEquals([info.code, info.reason], [4001, "out"]);
    await pending.close();
    await Promise.all(clients.map((client) => client.disconnect()));
    assertEquals(server.broadcastMessage("nobody"), 0);
  });

  it("checks data before it is sent to any connection", async () => {
    await using server = await start();
    const clients = await Promise.all([1, 2, 3].map(() => connect(server, { onMessageReceived: () => got++ })));
    let got = 0;
    for (const payload of [42, undefined, new Uint8Array(1)]) {
      assertThrows(() => server.broadcastMessage(payload as unknown as string), OptionError, "not a string");
    }
    assertThrows(() => server.broadcastData("text" as unknown as Uint8Array), OptionError, 'it is a "string"');
    assertThrows(() => server.broadcastData([1] as unknown as Uint8Array), OptionError, '"Array"');
    let asked = 0;
    const throwsOnSecond = (): boolean => {
      if (++asked === 2) throw new Error("selector");
      return true;
    };
    assertThrows(() => server.sendMessageTo("x", throwsOnSecond), Error, "selector");
    await assertRejects(() => server.disconnectClients(() => false, 999), OptionError, "999");
    assertThrows(() => server.stop({ closeTimeout: -1 }), OptionError, "closeTimeout");
    await Promise.all(clients.map((client) => client.disconnect()));
    assertEquals(got, 0);
  });

  it("splits broadcasts, large ones too, and keeps them whole for each connection", async () => {
    for (const [frameSize, length] of [[100, 1000], [0, 100_000], [65536, 300_000]]) {
      await using server = await start({ splitMessage: true, frameSize });
      const text = "0123456789".repeat(length! / 10);
      const clients = await Promise.all([1, 2, 3].map(() => connect(server)));
      const messages = clients.map((client) => client[Symbol.asyncIterator]());
      server.broadcastMessage("before");
      server.broadcastMessage(text);
      server.broadcastMessage("after");
      for (const iterator of messages) {
        assertEquals((await iterator.next()).value, "before");
        assertEquals((await iterator.next()).value, text);
        assertEquals((await iterator.next()).value, "after");
      }
      await Promise.all(clients.map((client) => client.disconnect()));
    }
  });
});

describe("WebSocketServer.acceptStream", () => {
  it("serves a pair of byte streams, without listening", async () => {
    const [ours, theirs] = pipe();
    const server = new WebSocketServer({
      onMessageReceived: (connection, text) => void connection.send(text.toUpperCase()),
    });
    const connection = server.acceptStream(theirs, { remoteAddress: { hostname: "tunnel", port: 1 } });
    assertEquals(connection.remoteAddress.hostname, "tunnel");
    const client = new WebSocketClient("ws://example.com/a");
    await client.connect({ stream: ours });
    client.send("hello");
    for await (const message of client) {
      assertEquals(message, "HELLO");
      break;
    }
    assertEquals(server.connections.size, 1);
    await client.disconnect();
    assertEquals((await connection.closed).clean, true);
    assertEquals(server.connections.size, 0);
  });
});

describe("WebSocketServer over TLS", () => {
  const tls = {
    useSSL: true,
    certificateFile: tlsFile("leaf.pem"),
    certificateKeyFile: tlsFile("leaf.key"),
  };
  const secureUrl = (server: WebSocketServer): string => `wss://localhost:${server.address!.port}/`;

  for (const key of ["leaf.key", "pkcs8-aes128-sha1.key", "pkcs8-aes256-sha512.key", "traditional-aes256.key"]) {
    it(`speaks TLS with ${key}`, async () => {
      await using server = await start({
        ...tls,
        certificateKeyFile: tlsFile(key),
        rootCertificateFile: tlsFile("ca.pem"),
        onGetSSLPassword: () => Promise.resolve("secret"),
        onMessageReceived: (connection, text) => void connection.send(`${connection.encrypted} ${text}`),
      });
      const client = new WebSocketClient(secureUrl(server), { rootCertificateFile: tlsFile("ca.pem") });
      await client.connect();
      client.send("hi");
      for await (const message of client) {
        assertEquals(message, "true hi");
        break;
      }
      assertEquals((await client.disconnect())?.clean, true);
    });
  }

  const failures: [name: string, options: WebSocketServerOptions, code: string][] = [
    ["no certificate file", { certificateFile: "" }, "ERR_CERTIFICATE_FILE"],
    ["no key file", { certificateKeyFile: "" }, "ERR_CERTIFICATE_FILE"],
    ["a file that is not there", { certificateFile: "missing.pem" }, "ERR_CERTIFICATE_FILE"],
    ["a root file that is not there", { rootCertificateFile: "missing.pem" }, "ERR_CERTIFICATE_FILE"],
    ["a root file without a certificate", { rootCertificateFile: tlsFile("make.sh") }, "ERR_CERTIFICATE"],
    ["a certificate that is none", { certificateFile: tlsFile("make.sh") }, "ERR_CERTIFICATE"],
    ["a key that is none", { certificateKeyFile: tlsFile("leaf.pem") }, "ERR_KEY"],
    ["a key of another certificate", { certificateKeyFile: tlsFile("other.key") }, "ERR_KEY_MISMATCH"],
    [
      "an encrypted key without a pass phrase",
      { certificateKeyFile: tlsFile("pkcs8-des3.key") },
      "ERR_KEY_PASSWORD_MISSING",
    ],
    [
      "a wrong pass phrase",
      { certificateKeyFile: tlsFile("pkcs8-des3.key"), onGetSSLPassword: () => "wrong" },
      "ERR_KEY_PASSWORD_WRONG",
    ],
    [
      "a cipher that is not supported",
      { certificateKeyFile: tlsFile("pkcs8-camellia.key"), onGetSSLPassword: () => "secret" },
      "ERR_KEY_CIPHER_UNSUPPORTED",
    ],
  ];
  for (const [name, options, code] of failures) {
    it(`rejects start() with ${code} for ${name}`, async () => {
      const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", ...tls, ...options });
      const error = await assertRejects(() => server.start(), CertificateError);
      assertEquals([error.code, server.active], [code, false]);
    });
  }

  it("rejects start() with what the provider of the pass phrase throws, or when it gives none", async () => {
    for (const onGetSSLPassword of [() => Promise.reject(new Error("vault")), () => undefined as unknown as string]) {
      const options = { ...tls, certificateKeyFile: tlsFile("pkcs8-des3.key"), onGetSSLPassword };
      const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", ...options });
      await assertRejects(() => server.start(), HandlerError, "onGetSSLPassword");
    }
  });

  it("reloads certificates for new handshakes; open connections stay, a bad file changes nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "certificates-"));
    const files = { certificateFile: join(folder, "cert.pem"), certificateKeyFile: join(folder, "key.pem") };
    const install = (name: string): void => {
      copyFileSync(tlsFile(`${name}.pem`), files.certificateFile);
      copyFileSync(tlsFile(`${name}.key`), files.certificateKeyFile);
    };
    install("leaf");
    await using server = await start({
      useSSL: true,
      ...files,
      onMessageReceived: (connection, text) => void connection.send(text),
    });
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(tlsFile("ca.pem"));
        const socket = connectTls(
          { host: "127.0.0.1", port: server.address!.port, servername: "localhost", ca },
          () => {
            resolve(socket.getPeerCertificate().serialNumber);
            socket.destroy();
          },
        );
        socket.on("error", reject);
      });
    const serialOf = (name: string): string => new X509Certificate(readFileSync(tlsFile(`${name}.pem`))).serialNumber;
    const before = new WebSocketClient(secureUrl(server), { rootCertificateFile: tlsFile("ca.pem") });
    await before.connect();
    assertEquals(await shown(), serialOf("leaf"));
    install("other");
    assertEquals(await shown(), serialOf("leaf"));
    await server.reloadCertificates();
    assertEquals(await shown(), serialOf("other"));
    // A chain that breaks off, as when it is read while it is being written.
    writeFileSync(files.certificateFile, readFileSync(tlsFile("leaf.pem"), "utf8").slice(0, 300));
    await assertRejects(() => server.reloadCertificates(), CertificateError);
    const cut = readFileSync(tlsFile("other.pem"), "utf8") + readFileSync(tlsFile("ca.pem"), "utf8").slice(0, 300);
    writeFileSync(files.certificateFile, cut);
    const error = await assertRejects(() => server.reloadCertificates(), CertificateError);
    assertEquals(error.code, "ERR_CERTIFICATE");
    assertEquals(await shown(), serialOf("other"));
    before.send("alive");
    assertEquals((await before[Symbol.asyncIterator]().next()).value, "alive");
    await before.disconnect();
    const again = new WebSocketServer({ port: 0, hostname: "127.0.0.1", useSSL: true, ...files });
    assertEquals((await assertRejects(() => again.start(), CertificateError)).code, "ERR_CERTIFICATE");
    rmSync(folder, { recursive: true });
  });

  it("closes peers that do not finish their TLS handshake in time, or leave in it", async () => {
    const server = await start({ ...tls, handshakeTimeout: 200 });
    const { port } = server.address!;
    for (const hello of [new Uint8Array(0), Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00)]) {
      const socket = await RawSocket.connect(port);
      if (hello.length > 0) await socket.write(hello);
      assertEquals(await socket.readText().catch(() => ""), "");
      await socket.close();
    }
    for (let index = 0; index < 10; index++) await (await RawSocket.connect(port)).close();
    await server.stop();
  });

  it("is not held up by a peer that does not finish its TLS handshake, and stop() does not wait for it", async () => {
    const server = await start(tls);
    const silent = await RawSocket.connect(server.address!.port);
    const client = new WebSocketClient(secureUrl(server), { rootCertificateFile: tlsFile("ca.pem") });
    await client.connect();
    await client.disconnect();
    await server.stop();
    assertEquals(await silent.read().catch(() => null), null);
    await silent.close();
  });

  it("survives plain text on the TLS port, and clients that do not trust it", async () => {
    await using server = await start(tls);
    const text = await exchange(server, "GET / HTTP/1.1\r\n\r\n").catch(() => "");
    assertEquals(text.includes("HTTP/1.1"), false);
    const client = new WebSocketClient(secureUrl(server));
    const error = await assertRejects(() => client.connect(), TransportError);
    assertEquals(error.code, "ERR_CONNECT");
    const wrongName = new WebSocketClient(`wss://127.0.0.2:${server.address!.port}/`, {
      rootCertificateFile: tlsFile("ca.pem"),
    });
    await assertRejects(() => wrongName.connect(), TransportError);
    const good = new WebSocketClient(secureUrl(server), { rootCertificateFile: tlsFile("ca.pem") });
    await good.connect();
    await good.disconnect();
    assert(server.stats().refusals.ERR_TLS_HANDSHAKE! >= 1);
  });
});

describe("frames on the wire", () => {
  it("leave in the order of the calls, behind the handshake, in one segment where they can", async () => {
    await using server = await start({
      onHandshakeResponseSent: (connection) => {
        connection.send("one");
        connection.ping("two");
        connection.send("three");
      },
    });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(handshake());
    const bytes = (await socket.read())!;
    const end = decode(bytes).indexOf("\r\n\r\n") + 4;
    assertFrames(bytes.slice(end), ['text "one"', 'ping "two"', 'text "three"']);
    await socket.close();
  });
});

describe("reusePort", () => {
  it("lets several servers listen on one port; without it the second one cannot", async () => {
    // A process of its own: Deno shares ports with a flag only, which the tests do not have.
    const command = runtime === "Deno" ? ["run", "-A", "--no-check", "--unstable-net"] : ["run"];
    const program = fileURLToPath(new URL("../support/shared_port.ts", import.meta.url));
    const { text, errors, status } = await runToEnd([process.execPath, ...command], program);
    assertEquals([status, errors], [0, ""]);
    const { connections, code, message } = JSON.parse(text);
    assertEquals([connections, code], [8, "ERR_LISTEN"]);
    assertStringIncludes(message, "Cannot listen");
  });
});
