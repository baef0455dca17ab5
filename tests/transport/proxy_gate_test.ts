/** Tests of servers that read the PROXY protocol, over real sockets, with TLS and without. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { concat } from "../../base/bytes.ts";
import { OptionError, TransportError } from "../../base/errors.ts";
import { type LogRecord, WebSocketClient, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { HeaderProxy, headerV1, headerV2 } from "../support/proxy_header.ts";
import { heldMemory } from "../support/memory.ts";
import { RawSocket } from "../support/sockets.ts";
import { assertSameBytes, encode, FakeClock, Random, tlsFile, until } from "../support/support.ts";

const TLS = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const NAMED = {
  serverName: "b.example",
  certificateFile: tlsFile("other-name.pem"),
  certificateKeyFile: tlsFile("other-name.key"),
};
const ASKS = { clientCertificate: "require", clientRootCertificateFile: tlsFile("client-ca.pem") } as const;
const SHOWS = { certificateFile: tlsFile("client.pem"), certificateKeyFile: tlsFile("client.key") };
const ROOT = { rootCertificateFile: tlsFile("ca.pem") };
const OTHER_ROOT = { rootCertificateFile: tlsFile("client-ca.pem") };
const GET = encode("GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

class ProxiedServer extends WebSocketServer {
  readonly logs: LogRecord[] = [];
  readonly errors: TransportError[] = [];
  override onLog(record: LogRecord): void {
    this.logs.push(record);
  }
  override onError(error: unknown): void {
    this.errors.push(error as TransportError);
  }
}

/** A server that trusts 127.0.0.1, answers requests with the client it sees, and echoes bytes. */
async function start(options: WebSocketServerOptions = {}): Promise<ProxiedServer> {
  const server = new ProxiedServer({
    port: 0,
    hostname: "127.0.0.1",
    trustedProxies: ["127.0.0.1", "10.0.0.0/8"],
    proxyProtocol: true,
    onCommandGet: (_, { remoteAddress, proxyAddress, encrypted }) =>
      new Response(`${remoteAddress.hostname} ${remoteAddress.port} by ${proxyAddress?.hostname} ${encrypted}`),
    onBinaryDataReceived: (connection, bytes) => void connection.send(bytes),
    ...options,
  });
  await server.start();
  return server;
}

/** Sends chunks one after the other, and returns all that comes back. */
async function ask(server: WebSocketServer, chunks: readonly Uint8Array[], localAddress?: string): Promise<string> {
  const socket = await RawSocket.connect(server.address!.port, localAddress);
  for (const chunk of chunks) {
    await socket.write(chunk);
    // The next one comes in a read of its own.
    if (chunks.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return await socket.readText();
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4);

for (
  const [name, header, client] of [
    ["version 1", headerV1("192.0.2.1", 5000), "192.0.2.1 5000"],
    ["version 1 over IPv6", headerV1("2001:db8::1", 5000), "2001:db8::1 5000"],
    ["version 2", headerV2({ source: "192.0.2.1", port: 5000 }), "192.0.2.1 5000"],
    [
      "version 2 with more",
      headerV2({ source: "2001:db8::1", port: 5000, more: new Uint8Array(500) }),
      "2001:db8::1 5000",
    ],
  ] as const
) {
  describe(`a header of ${name}`, () => {
    it("names the client, in front of the request or in a read of its own", async () => {
      await using server = await start();
      const expected = `${client} by 127.0.0.1 false`;
      assertStringIncludes(bodyOf(await ask(server, [concat(header, GET)])), expected);
      assertStringIncludes(bodyOf(await ask(server, [header, GET])), expected);
      const cuts = [1, 5, 6, 12, 15, 16, 20, header.length - 1, header.length + 1, header.length + 30];
      const whole = concat(header, GET);
      for (const cut of cuts) {
        assertStringIncludes(bodyOf(await ask(server, [whole.slice(0, cut), whole.slice(cut)])), expected);
      }
      assertEquals(server.errors, []);
    });

    it("comes before TLS", async () => {
      let seen = "";
      let ended = "";
      await using server = await start({
        ...TLS,
        onEnd: (_, { code, clean }) => void (ended = `${code} ${clean}`),
        onOpen: ({ remoteAddress: { hostname, port }, proxyAddress, encrypted }) => {
          seen = `${hostname} ${port} by ${proxyAddress?.hostname} ${encrypted}`;
        },
      });
      await using proxy = await HeaderProxy.listen(server.address!.port, header);
      await using socket = new WebSocketClient(`wss://localhost:${proxy.port}/`, {
        rootCertificateFile: tlsFile("ca.pem"),
      });
      await socket.connect();
      assertEquals(seen, `${client} by 127.0.0.1 true`);
      await socket.disconnect();
      await until(() => ended !== "", "the end");
      assertEquals(ended, "1000 true");
    });
  });
}

describe("connections with a header", () => {
  for (const [name, tls] of [["plain", {}], ["with TLS", TLS]] as const) {
    it(`carry much both ways: ${name}`, async () => {
      await using server = await start({ ...tls, maxBufferedAmount: 0, maxMessageSize: 0 });
      await using proxy = await HeaderProxy.listen(server.address!.port, headerV2({ source: "192.0.2.1" }));
      const url = `${name === "plain" ? "ws" : "wss"}://localhost:${proxy.port}/`;
      await using client = new WebSocketClient(url, {
        ...name !== "plain" && { rootCertificateFile: tlsFile("ca.pem") },
        maxMessageSize: 0,
        maxBufferedAmount: 0,
      });
      await client.connect();
      const bytes = new Random(7).bytes(1 << 20);
      const echoes = client[Symbol.asyncIterator]();
      for (let count = 0; count < 4; count++) client.send(bytes);
      for (let count = 0; count < 4; count++) assertSameBytes((await echoes.next()).value as Uint8Array, bytes);
      const [connection] = server.connections;
      assert(connection!.bufferedAmount === 0);
    });
  }

  for (
    const [name, options, clientOptions] of [
      ["a certificate by server name", { certificates: [NAMED] }, { ...OTHER_ROOT, serverName: "b.example" }],
      ["the one for other names", { certificates: [NAMED] }, ROOT],
      ["a certificate of the client", ASKS, { ...ROOT, ...SHOWS }],
      ["both", { ...ASKS, certificates: [NAMED] }, { ...OTHER_ROOT, ...SHOWS, serverName: "b.example" }],
    ] as const
  ) {
    for (const proxied of [true, false]) {
      it(`have ${name}, ${proxied ? "behind the header" : "without one"}`, async () => {
        const seen: unknown[] = [];
        await using server = await start({
          ...TLS,
          ...options,
          trustedProxies: [proxied ? "127.0.0.1" : "10.0.0.1"],
          onOpen: ({ remoteAddress: { hostname }, peerCertificate }) =>
            void seen.push(hostname, peerCertificate?.commonNames[0]),
        });
        await server.reloadCertificates();
        await using proxy = await HeaderProxy.listen(server.address!.port, headerV2({ source: "192.0.2.1" }));
        const { port } = proxied ? proxy : server.address!;
        await using client = new WebSocketClient(`wss://localhost:${port}/`, clientOptions);
        await client.connect();
        const bytes = new Random(7).bytes(1 << 18);
        client.send(bytes);
        assertSameBytes((await client.receive()) as Uint8Array, bytes);
        const shown = "clientCertificate" in options ? "client.example" : undefined;
        assertEquals(seen, [proxied ? "192.0.2.1" : "127.0.0.1", shown]);
        if (shown === undefined) return;
        const { certificateFile: _, certificateKeyFile: __, ...without } = { ...SHOWS, ...clientOptions };
        await using bare = new WebSocketClient(`wss://localhost:${port}/`, without);
        await assertRejects(async () => {
          await bare.connect();
          await bare.receive();
        });
        assertEquals(seen.length, 2);
      });
    }
  }

  it("are the proxy's own without a client", async () => {
    await using server = await start();
    for (
      const header of [
        headerV2({ command: 0x20 }),
        encode("PROXY UNKNOWN\r\n"),
        headerV2({ family: 0x31, more: new Uint8Array(216) }),
      ]
    ) {
      const answer = bodyOf(await ask(server, [concat(header, GET)]));
      assert(answer.startsWith("127.0.0.1 ") && answer.endsWith(" by undefined false"), answer);
      // The client behind it is not known, and may have written any field.
      const forged = encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
      const same = bodyOf(await ask(server, [concat(header, forged)]));
      assert(same.startsWith("127.0.0.1 ") && same.endsWith(" by undefined false"), same);
    }
  });

  it("name the client by header fields, if the PROXY header names a trusted proxy", async () => {
    await using server = await start();
    const fields = encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    assertEquals(
      bodyOf(await ask(server, [concat(headerV1("10.0.0.5", 1), fields)])),
      "192.0.2.7 0 by 127.0.0.1 false",
    );
    assertEquals(
      bodyOf(await ask(server, [concat(headerV1("192.0.2.1", 1), fields)])),
      "192.0.2.1 1 by 127.0.0.1 false",
    );
  });

  it("count for the client at once", async () => {
    await using server = await start({ maxConnectionsPerAddress: 1 });
    const header = headerV1("192.0.2.1", 1);
    const first = await RawSocket.connect(server.address!.port);
    await first.write(header);
    await until(() => server.logs.some(({ event }) => event === "connection.accepted"), "the connection");
    assertStringIncludes(await ask(server, [header]), "HTTP/1.1 429 ");
    assertStringIncludes(await ask(server, [concat(headerV1("192.0.2.2", 1), GET)]), "HTTP/1.1 200 ");
    const { attributes } = server.logs.find(({ event }) => event === "connection.refused")!;
    assertEquals([attributes["client.address"], attributes["network.peer.address"]], ["192.0.2.1", "127.0.0.1"]);
    await first.close();
    await until(() => server.stats().connections.handshaking === 0, "its end");
    assertStringIncludes(await ask(server, [concat(header, GET)]), "HTTP/1.1 200 ");
    assertEquals(server.stats().refusals, { maxConnectionsPerAddress: 1 });
  });

  it("count for the client before TLS", async () => {
    await using server = await start({ ...TLS, maxConnectionsPerAddress: 1 });
    await using proxy = await HeaderProxy.listen(server.address!.port, headerV1("192.0.2.1", 1));
    const make = (): WebSocketClient =>
      new WebSocketClient(`wss://localhost:${proxy.port}/`, { rootCertificateFile: tlsFile("ca.pem") });
    await using first = make();
    await first.connect();
    await using second = make();
    await assertRejects(() => second.connect(), TransportError);
    assertEquals(server.stats().refusals, { maxConnectionsPerAddress: 1 });
  });
});

describe("TLS behind a header", () => {
  const header = headerV1("192.0.2.1", 1);

  it("that is none is refused, and logged as elsewhere", async () => {
    await using server = await start(TLS);
    assert(!(await ask(server, [concat(header, GET)]).catch(() => "")).includes("HTTP/1.1 200"));
    await until(() => server.stats().refusals["ERR_TLS_HANDSHAKE"] === 1, "the refusal");
    const { error, attributes } = server.logs.find(({ event }) => event === "connection.refused")!;
    assertStringIncludes((error as Error).message, "The client does not speak TLS");
    assertEquals([attributes["client.address"], attributes["network.peer.address"]], ["192.0.2.1", "127.0.0.1"]);
    assertEquals(server.stats().connections.handshaking, 0);
    assertEquals(server.errors, []);
  });

  it("has the time of a handshake, and ends with the peer", async () => {
    const clock = new FakeClock();
    await using server = await start({ ...TLS, clock, handshakeTimeout: 5000 });
    const [late, gone] = [await RawSocket.connect(server.address!.port), await RawSocket.connect(server.address!.port)];
    for (const socket of [late, gone]) await socket.write(concat(header, Uint8Array.of(0x16, 3, 1)));
    await until(() => server.stats().connections.handshaking === 2, "both");
    await gone.close();
    await until(() => server.stats().connections.handshaking === 1, "the end of one");
    clock.advance(5000);
    assertEquals(await late.readText().catch(() => ""), "");
    assertEquals(server.stats().connections.handshaking, 0);
    assertEquals(server.stats().refusals, { ERR_TLS_HANDSHAKE: 2 });
  });

  it("makes room for others, and does not hold up the stop", async () => {
    const server = await start({ ...TLS, maxHandshakes: 2 });
    const sockets = [];
    for (let count = 0; count < 4; count++) {
      const socket = await RawSocket.connect(server.address!.port);
      await socket.write(concat(header, Uint8Array.of(0x16, 3, 1)));
      sockets.push(socket);
    }
    await until(() => server.stats().refusals["maxHandshakes"] === 2, "the eviction");
    await server.stop();
    for (const socket of sockets) assertEquals(await socket.readText().catch(() => ""), "");
    assertEquals(server.errors, []);
  });

  it("keeps nothing of connections that have ended", async () => {
    await using server = await start(TLS);
    await using proxy = await HeaderProxy.listen(server.address!.port, header);
    const run = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) {
        const client = new WebSocketClient(`wss://localhost:${proxy.port}/`, {
          rootCertificateFile: tlsFile("ca.pem"),
        });
        await client.connect();
        client.send(new Uint8Array(20_000));
        await client.receive();
        await client.disconnect();
      }
      await until(() => server.connections.size === 0, "the end of all");
    };
    await run(50);
    const before = heldMemory();
    await run(200);
    const grown = heldMemory() - before;
    assert(grown < 4 * 1024 * 1024, `${grown} bytes more are held`);
    assertEquals(server.stats().connections.handshaking, 0);
  });
});

describe("a trusted peer without a header", () => {
  it("is refused, and reported", async () => {
    await using server = await start();
    assertEquals(await ask(server, [GET]).catch(() => ""), "");
    assertEquals(await ask(server, [encode("PROXY TCP4 x\r\n")]).catch(() => ""), "");
    await until(() => server.errors.length === 2, "both");
    for (const error of server.errors) assertInstanceOf(error, TransportError);
    assertEquals(server.errors.map(({ code }) => code), ["ERR_PROXY_HEADER", "ERR_PROXY_HEADER"]);
    assertStringIncludes(
      server.errors[0]!.message,
      'A peer in "trustedProxies" does not begin with the PROXY protocol',
    );
    assertEquals(server.stats().refusals, { ERR_PROXY_HEADER: 2 });
    assertEquals(server.stats().connections.handshaking, 0);
  });

  it("is refused with TLS too", async () => {
    await using server = await start(TLS);
    await using client = new WebSocketClient(`wss://localhost:${server.address!.port}/`, {
      rootCertificateFile: tlsFile("ca.pem"),
    });
    await assertRejects(() => client.connect(), TransportError);
    await until(() => server.errors.length === 1, "the report");
    assertEquals(server.errors[0]!.code, "ERR_PROXY_HEADER");
  });

  it("has the time of a handshake for it", async () => {
    const clock = new FakeClock();
    await using server = await start({ clock, handshakeTimeout: 5000 });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write("PROXY TCP4 ");
    await until(() => server.stats().connections.handshaking === 1, "it");
    clock.advance(4999);
    assertEquals(server.errors, []);
    clock.advance(1);
    assertEquals(server.errors.map(({ message }) => message), ["No PROXY header came within 5000 ms"]);
    assertEquals(await socket.readText().catch(() => ""), "");
    assertEquals(server.stats().connections.handshaking, 0);
  });

  it("that says nothing is a probe, and not reported", async () => {
    await using server = await start();
    for (const end of ["end", "reset"] as const) {
      const socket = await RawSocket.connect(server.address!.port);
      await until(() => server.stats().connections.handshaking === 1, "it");
      socket[end]();
      await until(() => server.stats().connections.handshaking === 0, "its end");
      await socket.close();
    }
    const broken = await RawSocket.connect(server.address!.port);
    await broken.write("PROXY");
    broken.end();
    await until(() => server.errors.length === 1, "the report");
    assertEquals(server.errors[0]!.message, "The proxy has left inside the header of the PROXY protocol");
    await broken.close();
  });

  it("makes room for others, and does not hold up the stop", async () => {
    const server = await start({ maxHandshakes: 2 });
    const sockets = [];
    for (let count = 0; count < 4; count++) sockets.push(await RawSocket.connect(server.address!.port));
    await until(() => server.stats().refusals["maxHandshakes"] === 2, "the eviction");
    assertEquals(server.stats().connections.handshaking, 2);
    await server.stop();
    // The server has ended all of them, and not for lack of a header.
    for (const socket of sockets) assertEquals(await socket.readText().catch(() => ""), "");
    assertEquals(server.errors, []);
  });
});

describe("a peer that is no trusted proxy", () => {
  it("is served without a header, and named if it sends one", async () => {
    await using server = await start();
    const answer = bodyOf(await ask(server, [GET], "127.0.0.2"));
    assert(answer.startsWith("127.0.0.2 ") && answer.endsWith(" by undefined false"), answer);
    for (const header of [headerV1("192.0.2.1", 1), headerV2({ source: "192.0.2.1" })]) {
      assertStringIncludes(await ask(server, [concat(header, GET)], "127.0.0.2"), "HTTP/1.1 400 ");
    }
    for (const { message } of server.errors) {
      assertStringIncludes(message, 'A proxy sends the PROXY protocol: set "proxyProtocol" of the server, and list');
    }
    assertEquals(server.errors.length, 2);
  });

  it("is served without a header with TLS too, and gets new certificates", async () => {
    const peers: string[] = [];
    await using server = await start({
      ...TLS,
      trustedProxies: ["10.0.0.1"],
      onOpen: ({ remoteAddress }) => void peers.push(remoteAddress.hostname),
    });
    await server.reloadCertificates();
    await using client = new WebSocketClient(`wss://localhost:${server.address!.port}/`, {
      rootCertificateFile: tlsFile("ca.pem"),
    });
    await client.connect();
    assertEquals(peers, ["127.0.0.1"]);
  });
});

describe("proxyProtocol", () => {
  it("needs trusted proxies", async () => {
    const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", proxyProtocol: true });
    await assertRejects(() => server.start(), OptionError, '"proxyProtocol" needs "trustedProxies"');
  });

  it("is named where it is off", async () => {
    await using server = await start({ proxyProtocol: false });
    assertStringIncludes(await ask(server, [concat(headerV1("192.0.2.1", 1), GET)]), "HTTP/1.1 400 ");
    assertStringIncludes(server.errors[0]!.message, 'set "proxyProtocol" of the server');
    await using secure = await start({ ...TLS, proxyProtocol: false });
    await ask(secure, [concat(headerV1("192.0.2.1", 1), GET)]).catch(() => "");
    await until(() => secure.logs.some(({ event }) => event === "connection.refused"), "the refusal");
    const { error } = secure.logs.find(({ event }) => event === "connection.refused")!;
    assertStringIncludes((error as Error).message, 'set "proxyProtocol"');
  });
});
