/** Tests of servers behind proxies that name the client in header fields. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError, StateError, type WebSocketError } from "../../base/errors.ts";
import type { LogRecord } from "../../base/log.ts";
import { WebSocketClient, type WebSocketConnection } from "../../mod.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { RawSocket } from "../support/sockets.ts";
import { tlsFile, until } from "../support/support.ts";

const UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** Describes the other end of a connection. */
const endOf = ({ remoteAddress, proxyAddress, encrypted }: WebSocketConnection): string =>
  `${remoteAddress.hostname}:${remoteAddress.port === 0 ? 0 : "port"} by ${proxyAddress?.hostname} ${encrypted}`;

class LoggingServer extends WebSocketServer {
  readonly logs: LogRecord[] = [];
  override onLog(record: LogRecord): void {
    this.logs.push(record);
  }
}

/** A server that answers requests with what it knows about the client. */
async function start(options: WebSocketServerOptions = {}): Promise<LoggingServer> {
  const server = new LoggingServer({
    port: 0,
    hostname: "127.0.0.1",
    trustedProxies: ["127.0.0.1", "10.0.0.0/8"],
    onCommandGet: ({ url }, connection) => new Response(`${endOf(connection)} ${url}\n`),
    ...options,
  });
  await server.start();
  return server;
}

const get = (fields = "", path = "/"): string => `GET ${path} HTTP/1.1\r\nHost: site.example\r\n${fields}\r\n`;
const forwardedFor = (list: string): string => `X-Forwarded-For: ${list}\r\n`;

/** Sends one request, and returns all that comes back. */
async function ask(server: WebSocketServer, fields: string, localAddress?: string): Promise<string> {
  const socket = await RawSocket.connect(server.address!.port, localAddress);
  await socket.write(get(`Connection: close\r\n${fields}`));
  return await socket.readText();
}

/** Reads until a text has come. */
async function readUntil(socket: RawSocket, end: string): Promise<string> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  while (!text.includes(end)) {
    const bytes = await socket.read();
    if (bytes === null) throw new Error(`it ends: ${text}`);
    text += decoder.decode(bytes);
  }
  return text;
}

/** Opens a WebSocket as a proxy does. */
async function open(server: WebSocketServer, fields: string, status = 101): Promise<RawSocket> {
  const socket = await RawSocket.connect(server.address!.port);
  await socket.write(get(UPGRADE + fields));
  assertStringIncludes(await readUntil(socket, "\r\n\r\n"), `HTTP/1.1 ${status} `);
  return socket;
}

describe("trustedProxies", () => {
  it("believes a trusted proxy, and no other peer", async () => {
    await using server = await start();
    const fields = forwardedFor("198.51.100.7, 192.0.2.1, 10.0.0.1") + "X-Forwarded-Proto: https\r\n";
    assertStringIncludes(await ask(server, fields), "192.0.2.1:0 by 127.0.0.1 true https://site.example/\n");
    assertStringIncludes(
      await ask(server, fields, "127.0.0.2"),
      "127.0.0.2:port by undefined false http://site.example",
    );
    const rfc = 'Forwarded: for="[2001:db8::7]:4711";proto=https\r\n';
    assertStringIncludes(await ask(server, rfc), "2001:db8::7:port by 127.0.0.1 true https://");
    assertStringIncludes(await ask(server, rfc, "127.0.0.2"), "127.0.0.2:port by undefined false http://");
  });

  it("is the peer itself where no client is named", async () => {
    await using server = await start();
    assertStringIncludes(await ask(server, ""), "127.0.0.1:port by undefined false http://");
    assertStringIncludes(await ask(server, forwardedFor("unknown")), "127.0.0.1:port by undefined false http://");
    assertStringIncludes(await ask(server, forwardedFor("_x, 10.0.0.1")), "10.0.0.1:0 by 127.0.0.1 false http://");
  });

  it("believes nothing by default, and takes no host from X-Forwarded-Host", async () => {
    await using server = await start({ trustedProxies: [] });
    const fields = forwardedFor("192.0.2.1") + "X-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n";
    assertStringIncludes(await ask(server, fields), "127.0.0.1:port by undefined false http://site.example/\n");
    await using trusting = await start();
    assertStringIncludes(await ask(trusting, "X-Forwarded-Host: evil.example\r\n"), "http://site.example/\n");
  });

  it("names the client of each request of a connection that is kept alive", async () => {
    await using server = await start();
    const socket = await RawSocket.connect(server.address!.port);
    const seen: string[] = [];
    for (const [at, client] of ["192.0.2.1", "192.0.2.2", "", "192.0.2.1:99"].entries()) {
      const fields = client === "" ? "" : `${forwardedFor(client)}X-Forwarded-Proto: https\r\n`;
      await socket.write(get(fields, `/${at}`));
      seen.push((await readUntil(socket, `/${at}\n`)).split("\r\n\r\n")[1]!);
    }
    assertEquals(seen, [
      "192.0.2.1:0 by 127.0.0.1 true https://site.example/0\n",
      "192.0.2.2:0 by 127.0.0.1 true https://site.example/1\n",
      "127.0.0.1:port by undefined false http://site.example/2\n",
      "192.0.2.1:port by 127.0.0.1 true https://site.example/3\n",
    ]);
    await socket.close();
  });

  it("forgets the client with its answer: what follows may be of another", async () => {
    const failures: string[] = [];
    await using server = await start({
      onError: (error, connection) => void failures.push(`${(error as WebSocketError).code} ${endOf(connection!)}`),
      onDisconnect: (connection) => void failures.push(endOf(connection)),
    });
    const socket = await RawSocket.connect(server.address!.port);
    await socket.write(get(forwardedFor("192.0.2.1") + "X-Forwarded-Proto: https\r\n") + "malformed\r\n\r\n");
    assertStringIncludes(await socket.readText(), "HTTP/1.1 400 ");
    await until(() => failures.length === 2, "the end");
    const proxy = "127.0.0.1:port by undefined false";
    assertEquals(failures, [`ERR_HEAD_SYNTAX ${proxy}`, proxy]);
    assertEquals(
      server.logs.find(({ event }) => event === "connection.refused")!.attributes["client.address"],
      undefined,
    );
  });

  it("names the client of a WebSocket from onAllow on, and in the log", async () => {
    const seen: string[] = [];
    const see = (name: string) => (connection: WebSocketConnection): void => {
      seen.push(`${name} ${endOf(connection)}`);
    };
    const hear = see("allow");
    await using server = await start({
      onConnect: see("connect"),
      onAllow: (connection) => (hear(connection), true),
      onOpen: see("open"),
      onEnd: see("end"),
    });
    const socket = await open(server, forwardedFor("192.0.2.9") + "X-Forwarded-Proto: wss\r\n");
    await socket.close();
    await until(() => seen.length === 4, "its end");
    assertEquals(seen, [
      "connect 127.0.0.1:port by undefined false",
      "allow 192.0.2.9:0 by 127.0.0.1 true",
      "open 192.0.2.9:0 by 127.0.0.1 true",
      "end 192.0.2.9:0 by 127.0.0.1 true",
    ]);
    const { attributes } = server.logs.find(({ event }) => event === "connection.open")!;
    assertEquals(attributes["client.address"], "192.0.2.9");
    assertEquals(attributes["client.port"], 0);
    assertEquals(attributes["network.peer.address"], "127.0.0.1");
  });

  it("knows by itself that the proxy speaks TLS, where the proxy does not tell about the client", async () => {
    const seen: string[] = [];
    const files = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
    await using server = await start({
      useSSL: true,
      ...files,
      onOpen: (connection) => void seen.push(endOf(connection)),
    });
    for (const scheme of [{}, { "X-Forwarded-Proto": "http" }]) {
      await using proxy = new WebSocketClient(`wss://localhost:${server.address!.port}/`, {
        rootCertificateFile: tlsFile("ca.pem"),
        headers: { "X-Forwarded-For": "192.0.2.1", ...scheme },
      });
      await proxy.connect();
    }
    assertEquals(seen, ["192.0.2.1:0 by 127.0.0.1 true", "192.0.2.1:0 by 127.0.0.1 false"]);
  });

  it("takes Unix sockets and streams without an address as unix only", async () => {
    for (const [trustedProxies, expected] of [[["unix"], "192.0.2.1"], [["loopback"], ""]] as const) {
      const server = new WebSocketServer({
        trustedProxies,
        onCommandGet: (_, { remoteAddress }) => new Response(`<${remoteAddress.hostname}>`),
      });
      const up = new TransformStream<Uint8Array, Uint8Array>();
      const down = new TransformStream<Uint8Array, Uint8Array>();
      server.acceptStream({ readable: up.readable, writable: down.writable });
      const writer = up.writable.getWriter();
      const written = writer.write(new TextEncoder().encode(get(`Connection: close\r\n${forwardedFor("192.0.2.1")}`)));
      assertStringIncludes(await new Response(down.readable).text(), `<${expected}>`);
      await written;
      await writer.close();
      await server.stop();
    }
  });

  it("is checked when it is set, and cannot be set while the server runs", async () => {
    const make = (trustedProxies: unknown) => () => new WebSocketServer({ trustedProxies } as WebSocketServerOptions);
    assertThrows(make(["10.0.0.0/33"]), OptionError, '"trustedProxies" has "10.0.0.0/33"');
    assertThrows(make(["*"]), OptionError, "list the proxies");
    assertThrows(make("127.0.0.1"), OptionError, 'The setting "trustedProxies" is "127.0.0.1" instead of an array');
    await using server = await start();
    assertThrows(() => server.trustedProxies = [], StateError, "is running");
    await server.stop();
    assertThrows(() => server.trustedProxies = ["a"], OptionError, '"a"');
    server.trustedProxies = ["loopback"];
    assertEquals(server.trustedProxies, ["loopback"]);
  });
});

describe("maxConnectionsPerAddress behind a proxy", () => {
  it("counts the WebSockets of each client", async () => {
    await using server = await start({ maxConnectionsPerAddress: 2 });
    const first = [await open(server, forwardedFor("192.0.2.1")), await open(server, forwardedFor("192.0.2.1"))];
    const refused = await open(server, forwardedFor("192.0.2.1"), 429);
    // What a client writes itself changes nothing.
    const forged = await open(server, forwardedFor("203.0.113.5, 192.0.2.1"), 429);
    const other = [await open(server, forwardedFor("192.0.2.2")), await open(server, forwardedFor("2001:db8::1"))];
    const same = [
      await open(server, forwardedFor("2001:db8::2")),
      await open(server, forwardedFor("2001:db8::3"), 429),
    ];
    assertEquals(server.stats().refusals, { maxConnectionsPerAddress: 3 });
    const record = server.logs.find(({ event }) => event === "connection.refused")!;
    assertEquals(record.attributes["client.address"], "192.0.2.1");
    await first[0]!.close();
    await until(() => server.connections.size === 4, "its end");
    first.push(await open(server, forwardedFor("192.0.2.1")));
    for (const socket of [...first, refused, forged, ...other, ...same]) await socket.close();
    await until(() => server.connections.size === 0, "the end of all");
    // Nothing of them is counted any more.
    const again = [await open(server, forwardedFor("192.0.2.1")), await open(server, forwardedFor("192.0.2.1"))];
    for (const socket of again) await socket.close();
  });

  it("counts plain requests while they are answered, on connections that are kept alive", async () => {
    const answers: (() => void)[] = [];
    await using server = await start({
      maxConnectionsPerAddress: 1,
      onCommandGet: () => new Promise((resolve) => answers.push(() => resolve(new Response("done\n")))),
    });
    const sockets = [await RawSocket.connect(server.address!.port), await RawSocket.connect(server.address!.port)];
    await sockets[0]!.write(get(forwardedFor("192.0.2.1")));
    await until(() => answers.length === 1, "the request");
    const refused = await ask(server, forwardedFor("192.0.2.1"));
    assertStringIncludes(refused, "HTTP/1.1 429 ");
    assertStringIncludes(refused.toLowerCase(), "\r\nretry-after: 1\r\n");
    answers[0]!();
    await readUntil(sockets[0]!, "done\n");
    // An idle connection of the proxy belongs to no client.
    await sockets[1]!.write(get(forwardedFor("192.0.2.1")));
    await until(() => answers.length === 2, "the next request");
    answers[1]!();
    await readUntil(sockets[1]!, "done\n");
    for (const socket of sockets) await socket.close();
  });

  it("does not limit the proxy, and limits other peers at once", async () => {
    await using server = await start({ maxConnectionsPerAddress: 1, trustedProxies: ["127.0.0.1"] });
    const sockets = await Promise.all(Array.from({ length: 5 }, () => RawSocket.connect(server.address!.port)));
    assertStringIncludes(await ask(server, ""), "HTTP/1.1 200 ");
    const direct = await RawSocket.connect(server.address!.port, "127.0.0.2");
    await until(() => server.stats().connections.handshaking === 6, "it");
    assertStringIncludes(await ask(server, "", "127.0.0.2"), "HTTP/1.1 429 ");
    assertEquals(server.stats().refusals, { maxConnectionsPerAddress: 1 });
    for (const socket of [...sockets, direct]) await socket.close();
    assert(server.active);
  });
});
