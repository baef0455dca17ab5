/**
 * Addresses of clients behind the real proxies: `trustedProxies` with the header fields that each of them writes, and
 * the PROXY protocol of HAProxy, with HTTP and without.
 */

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { WebSocketServerOptions } from "../server.ts";
import { describePeer } from "./support/peers.ts";
import { Site } from "./support/proxied_site.ts";
import { HAPROXY_TCP, type Proxy, PROXY_KINDS, type ProxyKind, type Replacement } from "./support/proxies.ts";
import { defer, tlsFile } from "./support/support.ts";

/** Address of the client, which is none of the proxy's. */
const CLIENT = "127.0.0.9";
const ca = readFileSync(tlsFile("ca.pem"));

/** Opens a WebSocket from another address of loopback; resolves with the client's port when the server has answered. */
async function openFrom(localAddress: string, { kind, place: { port } }: Proxy, fields: string[]): Promise<Client> {
  const { promise, resolve, reject } = defer<string>();
  const tcp = connectTcp({ host: "127.0.0.1", port, localAddress });
  const socket = kind.plain ? tcp : connectTls({ socket: tcp, servername: "localhost", ca });
  for (const each of [tcp, socket]) each.on("error", reject);
  socket.on("data", (bytes) => resolve(String(bytes)));
  socket.on("close", () => reject(new Error("closed without an answer")));
  const head = [
    "GET / HTTP/1.1",
    `Host: localhost:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...fields,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const status = (await promise).split(" ")[1]!;
  return { status, port: tcp.localPort!, socket, tcp };
}

/** A client that the server has answered. */
interface Client {
  status: string;
  port: number;
  socket: Socket;
  tcp: Socket;
}

function close({ socket, tcp }: Client): Promise<void> {
  const closed = new Promise<void>((resolve) => tcp.once("close", () => resolve()));
  socket.destroy();
  tcp.destroy();
  return closed;
}

const MADE_UP = ["X-Forwarded-For: 192.0.2.66", "X-Forwarded-Proto: ftp", "Forwarded: for=192.0.2.66"];
const TRUSTING: WebSocketServerOptions = { trustedProxies: ["127.0.0.1"], maxConnectionsPerAddress: 2 };

async function testHeaders(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, TRUSTING);
  const clients = [
    await openFrom(CLIENT, site.proxy, MADE_UP),
    await openFrom(CLIENT, site.proxy, MADE_UP),
    await openFrom(CLIENT, site.proxy, MADE_UP),
    await openFrom("127.0.0.8", site.proxy, []),
  ];
  assertEquals(clients.map(({ status }) => status), ["101", "101", "429", "101"]);
  const [connection] = site.connections;
  assertEquals(connection!.remoteAddress, { hostname: CLIENT, port: 0 });
  assertEquals(connection!.proxyAddress?.hostname, "127.0.0.1");
  assertEquals(connection!.encrypted, !kind.plain);
  await Promise.all(clients.map(close));
}

async function testUntrusted(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind);
  const client = await openFrom(CLIENT, site.proxy, MADE_UP);
  assertEquals(client.status, "101");
  assertEquals(site.connections[0]!.remoteAddress.hostname, "127.0.0.1");
  await close(client);
}

async function testProxyProtocol(kind: ProxyKind, replacements: Replacement[]): Promise<void> {
  await using site = await Site.start(kind, { ...TRUSTING, proxyProtocol: true }, replacements);
  const client = await openFrom(CLIENT, site.proxy, []);
  assertEquals(client.status, "101");
  const [connection] = site.connections;
  // With its port, which no header field tells.
  assertEquals(connection!.remoteAddress, { hostname: CLIENT, port: client.port });
  assertEquals(connection!.proxyAddress?.hostname, "127.0.0.1");
  await close(client);
}

for (const kind of PROXY_KINDS) {
  describePeer(`${kind.name} among trustedProxies`, kind.need, () => {
    it("tells the address of each client, whatever the client made up", () => testHeaders(kind));
    it("is not believed unless it is among them", () => testUntrusted(kind));
  });
}

const haproxy = PROXY_KINDS.find(({ name }) => name === "HAProxy")!;
const send = (version: string): Replacement[] => [["check inter 2s", `check inter 2s ${version}`]];

describePeer("HAProxy with the PROXY protocol", "HAProxy", () => {
  it("send-proxy before HTTP", () => testProxyProtocol(haproxy, send("send-proxy")));
  it("send-proxy-v2 before HTTP", () => testProxyProtocol(haproxy, send("send-proxy-v2")));
  it("as docs/scaling.md sets it up for TCP", () => testProxyProtocol(HAPROXY_TCP, []));
});
