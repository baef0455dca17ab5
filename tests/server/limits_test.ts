import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect as connectTls } from "node:tls";
import { WebSocketClient } from "../../client.ts";
import type { CloseInfo } from "../../connection/options.ts";
import { HandshakeError, OptionError, TransportError } from "../../base/errors.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { RawSocket, roundTrip } from "../support/sockets.ts";
import {
  assertFrames,
  encode,
  FakeClock,
  openRig,
  pipe,
  settle,
  startEcho,
  tlsFile,
  until,
} from "../support/support.ts";

const HANDSHAKE = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

async function withServer(
  options: WebSocketServerOptions,
  test: (server: WebSocketServer, errors: unknown[]) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  await using server = await startEcho({ onError: (error) => errors.push(error), ...options });
  await test(server, errors);
}

const portOf = (server: WebSocketServer): number => server.address!.port;

async function connect(server: WebSocketServer, options = {}): Promise<WebSocketClient> {
  const client = new WebSocketClient(`ws://127.0.0.1:${portOf(server)}/`, options);
  await client.connect();
  return client;
}

/** Sends what a peer says first, and returns all that comes back. */
async function exchange(server: WebSocketServer, text: string): Promise<string> {
  const socket = await RawSocket.connect(portOf(server));
  if (text !== "") await socket.write(text);
  return await socket.readText();
}

describe("maxConnections", () => {
  it("answers 503 above the limit, and accepts new connections when one has closed", () =>
    withServer({ maxConnections: 2 }, async (server, errors) => {
      const [first, second] = [await connect(server), await connect(server)];
      const refused = await exchange(server, HANDSHAKE + "\r\n");
      assertStringIncludes(refused, "HTTP/1.1 503 Service Unavailable\r\n");
      assertStringIncludes(refused, "retry-after: 1\r\n");
      await assertRejects(() => connect(server), HandshakeError, "503");
      assertEquals(server.stats().refusals, { maxConnections: 2 });
      await first.disconnect();
      await until(() => server.connections.size === 1, "its end");
      const third = await connect(server);
      await Promise.all([second.disconnect(), third.disconnect()]);
      assertEquals(errors, []);
    }));

  it("notifies 256 connections at a time, and waits at most one second for them", async () => {
    const clock = new FakeClock();
    await withServer({ maxConnections: 1, clock }, async (server) => {
      const only = await RawSocket.connect(portOf(server));
      await until(() => server.stats().connections.handshaking === 1, "the first");
      const others = await Promise.all(Array.from({ length: 300 }, () => RawSocket.connect(portOf(server))));
      await until(() => server.stats().refusals.maxConnections === 300, "all of them");
      const answers = others.map((socket) => socket.read().catch(() => null));
      let told = 0;
      for (const answer of answers) if (await answer !== null) told++;
      assertEquals(told, 256);
      clock.advance(1000);
      await Promise.all(others.map((socket) => socket.close()));
      await only.close();
    });
  });

  it("counts streams of the program too", async () => {
    const server = new WebSocketServer({ maxConnections: 1 });
    const [ours] = pipe();
    server.acceptStream(ours);
    const [theirs] = pipe();
    assertThrows(() => server.acceptStream(theirs), TransportError, "maxConnections");
    await server.stop();
  });

  it("refuses before the TLS handshake", () =>
    withServer({
      maxConnections: 1,
      handshakeTimeout: 60_000,
      useSSL: true,
      certificateFile: tlsFile("leaf.pem"),
      certificateKeyFile: tlsFile("leaf.key"),
    }, async (server) => {
      const secure = (): Promise<string> =>
        new Promise((resolve) => {
          const socket = connectTls({ port: portOf(server), host: "127.0.0.1", rejectUnauthorized: false });
          socket.on("secureConnect", () => {
            resolve("secure");
            socket.destroy();
          });
          socket.on("error", () => resolve("refused"));
          socket.on("close", () => resolve("refused"));
        });
      const only = await RawSocket.connect(portOf(server));
      await until(() => server.stats().connections.handshaking === 1, "the first");
      assertEquals(await secure(), "refused");
      assertEquals(server.stats().refusals, { maxConnections: 1 });
      await only.close();
      await until(() => server.stats().connections.handshaking === 0, "its end");
      assertEquals(await secure(), "secure");
      await until(() => server.stats().connections.handshaking === 0, "the end of the last");
    }));
});

describe("maxConnectionsPerAddress", () => {
  it("answers 429", () =>
    withServer({ maxConnectionsPerAddress: 1 }, async (server) => {
      const only = await connect(server);
      assertStringIncludes(await exchange(server, HANDSHAKE + "\r\n"), "HTTP/1.1 429 Too Many Requests\r\n");
      await only.disconnect();
      assertEquals(server.stats().refusals, { maxConnectionsPerAddress: 1 });
    }));
});

describe("maxHandshakes", () => {
  it("closes silent connections to make room for active ones", () =>
    withServer({ maxHandshakes: 3, onCommandGet: () => new Response("hello") }, async (server) => {
      const silent: RawSocket[] = [];
      for (let index = 0; index < 3; index++) {
        silent.push(await RawSocket.connect(portOf(server)));
        await until(() => server.stats().connections.handshaking === index + 1, "one more");
      }
      for (let index = 0; index < 5; index++) {
        const client = await connect(server);
        client.send("hi");
        await client.disconnect();
      }
      assertStringIncludes(await exchange(server, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "hello");
      assertEquals(server.stats().refusals.maxHandshakes! >= 1, true);
      assertEquals(await silent[0]!.read().catch(() => null), null);
      for (const socket of silent) await socket.close();
    }));
});

describe("maxRequests", () => {
  it("ends a connection after the maximum number of requests, answered in order", () =>
    withServer(
      { maxRequests: 3, onCommandGet: (request) => new Response(new URL(request.url).pathname) },
      async (server) => {
        const requests = [1, 2, 3, 4].map((index) => `GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`).join("");
        const answers = await exchange(server, requests);
        assertEquals(answers.split("HTTP/1.1 200 ").length - 1, 3);
        assertEquals(answers.split("connection: close").length - 1, 1);
        assert(answers.indexOf("/1") < answers.indexOf("/2") && answers.indexOf("/2") < answers.indexOf("/3"));
      },
    ));
});

describe("bodyTimeout", () => {
  it("ends bodies that come an octet at a time, however regularly", async () => {
    const clock = new FakeClock();
    let read = "";
    await withServer({
      clock,
      bodyTimeout: 25_000,
      onCommandGet: async (request) => new Response(read = await request.text()),
    }, async (server) => {
      const socket = await RawSocket.connect(portOf(server));
      await socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
      for (let index = 0; index < 3; index++) {
        await socket.write("x");
        await roundTrip(portOf(server));
        await until(() => server.stats().connections.handshaking === 1, "the end of the other connection");
        clock.advance(9000);
      }
      const text = await socket.readText();
      assertStringIncludes(text, "HTTP/1.1 408 ");
      assertEquals(read, "");
    });
  });
});

describe("origins", () => {
  const ask = (server: WebSocketServer, ...origins: string[]): Promise<string> =>
    exchange(server, HANDSHAKE + origins.map((origin) => `Origin: ${origin}\r\n`).join("") + "\r\n");

  it("lets pages of no other origin in, compared exactly", () =>
    withServer(
      {
        origins: ["https://example.com", "null"],
        onHandshakeResponseSent: (peer) => peer.drained().then(() => peer.terminate()),
      },
      async (server, errors) => {
        for (const allowed of ["https://example.com", "null"]) {
          assertStringIncludes(await ask(server, allowed), "HTTP/1.1 101 ");
        }
        const others = [
          "http://example.com",
          "https://example.com.evil.example",
          "https://evil.example/?https://example.com",
        ];
        for (
          const other of [...others, "https://example.com:8443", "https://EXAMPLE.com", "https://example.com/", ""]
        ) {
          assertStringIncludes(await ask(server, other), "HTTP/1.1 403 ");
        }
        assertStringIncludes(await ask(server, "https://example.com", "https://example.com"), "HTTP/1.1 403 ");
        assertEquals(server.stats().refusals, { ERR_ORIGIN: 8 });
        assertEquals(errors.length, 8);
      },
    ));

  it("lets programs in, which send none", () =>
    withServer({ origins: ["https://example.com"] }, async (server) => {
      await (await connect(server)).disconnect();
      await assertRejects(() => connect(server, { origin: "https://other.example" }), HandshakeError, "403");
    }));

  it("are checked when they are set: what no browser sends would never match", () => {
    for (
      const origin of ["https://example.com/", "example.com", "https://example.com:443", "https://EXAMPLE.com", "*", ""]
    ) {
      assertThrows(() => new WebSocketServer({ origins: [origin] }), OptionError, "origin");
    }
    assertThrows(() => new WebSocketServer({ origins: "https://a" as unknown as string[] }), OptionError, "array");
    assertThrows(() => new WebSocketServer({ origins: ["https://a.example/"] }), OptionError, '"https://a.example"');
    assertEquals(new WebSocketServer({ origins: ["https://[::1]:8080"] }).origins, ["https://[::1]:8080"]);
  });
});

describe("hosts", () => {
  const ask = (server: WebSocketServer, host: string): Promise<string> =>
    exchange(server, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

  it("answers requests for other names with 421, WebSockets too", () =>
    withServer(
      { hosts: ["example.com", "other.example:99", "[::1]"], onCommandGet: () => new Response("in") },
      async (server) => {
        for (
          const host of ["example.com", "example.com:8888", "EXAMPLE.COM", "other.example:99", "[::1]", "[::1]:80"]
        ) {
          assertStringIncludes(await ask(server, host), "HTTP/1.1 200 ");
        }
        for (
          const host of ["evil.example", "example.com.evil.example", "other.example", "other.example:98", "", "[::2]"]
        ) {
          assertStringIncludes(await ask(server, host), "HTTP/1.1 421 Misdirected Request");
        }
        assertStringIncludes(await exchange(server, HANDSHAKE + "\r\n"), "HTTP/1.1 421 ");
        assertEquals(server.stats().refusals.ERR_HOST, 7);
      },
    ));

  it("counts what the request target names, and not the header beside it (RFC 9112 §3.2.2)", () =>
    withServer(
      {
        hosts: ["example.com"],
        onCommandGet: ({ url, headers }) => new Response(`${url} ${headers.get("host")}`),
      },
      async (server) => {
        const ask = (target: string, ...hosts: string[]): Promise<string> => {
          const lines = [`GET ${target} HTTP/1.1`, ...hosts.map((host) => `Host: ${host}`), "Connection: close"];
          return exchange(server, [...lines, "", ""].join("\r\n"));
        };
        assertStringIncludes(await ask("http://evil.example/", "example.com"), "HTTP/1.1 421 ");
        const answer = await ask("http://example.com:81/a", "evil.example");
        assertStringIncludes(answer, "http://example.com:81/a example.com:81");
        for (const target of ["http://user@example.com/", "http://example.com\\/"]) {
          assertStringIncludes(await ask(target, "example.com"), "HTTP/1.1 421 ");
        }
        assertStringIncludes(await ask("http:///a", "example.com"), "HTTP/1.1 400 ");
        // It does not stand for the header.
        assertStringIncludes(await ask("http://example.com/"), "HTTP/1.1 421 ");
        assertStringIncludes(await ask("http://example.com/", "example.com", "example.com"), "HTTP/1.1 400 ");
      },
    ));

  it("are checked when they are set", () => {
    for (const host of ["", "https://a.example", "a.example/", "a b"]) {
      assertThrows(() => new WebSocketServer({ hosts: [host] }), OptionError, "hosts");
    }
  });
});

describe("maxTotalBufferedAmount", () => {
  it("limits all slow connections together, within one turn; streams of the program too", async () => {
    const MiB = 1024 * 1024;
    const server = new WebSocketServer({ maxTotalBufferedAmount: 4 * MiB, slowConsumer: "drop", closeTimeout: 1 });
    const peers = Array.from({ length: 8 }, () => {
      const [ours, theirs] = pipe();
      const connection = server.acceptStream(theirs);
      const writer = ours.writable.getWriter();
      writer.write(encode(HANDSHAKE + "\r\n"));
      return connection;
    });
    await until(() => server.connections.size === 8, "all of them");
    let taken = 0;
    for (let round = 0; round < 12; round++) {
      for (const peer of peers) if (peer.send(new Uint8Array(MiB)) !== "dropped") taken++;
    }
    // One more for each that had nothing yet.
    assert(taken >= 4 && taken <= 4 + 8, String(taken));
    assertEquals(server.stats().dropped, 96 - taken);
    await server.stop();
    assertEquals(server.stats().bufferedAmount, 0);
  });
});

describe("maxTotalBufferedAmount and broadcasts", () => {
  const MiB = 1024 * 1024;

  it("leaves out the bytes that many share, and counts those of one alone again when they have left", async () => {
    const server = new WebSocketServer({ maxTotalBufferedAmount: 2 * MiB, slowConsumer: "drop", closeTimeout: 1 });
    const peers = Array.from({ length: 4 }, () => {
      const [ours, theirs] = pipe();
      const connection = server.acceptStream(theirs);
      ours.writable.getWriter().write(encode(HANDSHAKE + "\r\n"));
      return { connection, reader: ours.readable.getReader() };
    });
    await until(() => server.connections.size === 4, "all of them");
    const own = (index: number): string => peers[index]!.connection.send(new Uint8Array(MiB));
    // 16 MiB in all, and those of no connection alone.
    for (let round = 0; round < 4; round++) assertEquals(server.broadcastData(new Uint8Array(MiB)), 4);
    assertEquals(peers.map(({ connection }) => connection.bufferedAmount >= 4 * MiB), [true, true, true, true]);
    assertEquals([own(0), own(1)], ["backpressure", "backpressure"]);
    // 2 MiB and two headers: a third one is too much.
    assertEquals([own(2), server.stats().dropped], ["dropped", 1]);
    // What has left is not left out twice.
    let read = 0;
    while (read < 5 * MiB) read += (await peers[0]!.reader.read()).value!.length;
    await peers[0]!.connection.drained();
    assertEquals(peers[0]!.connection.bufferedAmount, 0);
    assertEquals([own(2), own(3)], ["backpressure", "dropped"]);
    // Nor is what is dropped with its connection.
    peers[1]!.connection.terminate();
    await until(() => server.connections.size === 3, "its end");
    assertEquals([own(3), own(0)], ["backpressure", "backpressure"]);
    assertEquals([own(0), own(2), own(3)], ["dropped", "dropped", "dropped"]);
    for (const { connection } of peers) connection.terminate();
    await server.stop();
  });
});

describe("slowConsumer of one message", () => {
  it("drops or closes as the message demands, overriding the setting", async () => {
    for (const setting of ["close", "drop"] as const) {
      const { transport, connection, recorder } = openRig("server", { maxBufferedAmount: 1000, slowConsumer: setting });
      transport.stalled = true;
      connection.send("x".repeat(900));
      await settle();
      assertEquals(connection.send("y".repeat(200), { slowConsumer: "drop" }), "dropped");
      assertEquals(connection.state, "open");
      transport.stalled = false;
      transport.drain();
      connection.send("whole");
      await settle();
      assertFrames(transport.written, [`text "${"x".repeat(900)}"`, 'text "whole"']);
      transport.stalled = true;
      connection.send("x".repeat(900));
      await settle();
      assertEquals(connection.send("y".repeat(200), { slowConsumer: "close" }), "dropped");
      await settle();
      assertEquals(recorder.events, ["error ERR_SLOW_CONSUMER", "disconnect"]);
    }
  });

  it("limits broadcasts, which wait for no connection", async () => {
    await withServer({ maxBufferedAmount: 2_000_000 }, async (server) => {
      const infos: CloseInfo[] = [];
      server.onDisconnect = (_, info) => void infos.push(info);
      const slow = await RawSocket.connect(portOf(server));
      await slow.write(HANDSHAKE + "\r\n");
      slow.pause();
      const quick = await connect(server);
      let got = 0;
      quick.onBinaryDataReceived = () => void got++;
      await until(() => server.connections.size === 2, "both");
      const data = new Uint8Array(100_000);
      let sent = 0;
      for (let reached = 2; reached === 2 && sent < 1000; sent++) {
        reached = server.broadcastData(data, { slowConsumer: "drop" });
        await until(() => got === sent + 1, "the quick one");
      }
      assertEquals(server.stats().dropped, 1);
      assertEquals(server.connections.size, 2);
      server.broadcastData(data);
      await until(() => infos.length === 1, "the end of the slow one");
      assertEquals([infos[0]!.code, server.stats().failures], [1006, { ERR_SLOW_CONSUMER: 1 }]);
      await slow.close();
      await quick.disconnect();
    });
  });
});
