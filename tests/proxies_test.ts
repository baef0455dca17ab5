/**
 * The proxies of docs/scaling.md: each snippet in the real program, before servers of ours. At the end a table says
 * what was seen; `deno task proxies` runs this alone.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandshakeError } from "../base/errors.ts";
import type { CloseInfo } from "../connection/options.ts";
import { formatExtensions } from "../protocol/extensions.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { signNotification } from "../whatsapp.ts";
import { type Chromium, withChromium } from "./support/chromium.ts";
import { describePeer, playWithEcho } from "./support/peers.ts";
import { PROXY_KINDS, type ProxyKind } from "./support/proxies.ts";
import { openOverHttp2, post, Site, startNode, WebhookSite } from "./support/proxied_site.ts";
import { ProxyTable } from "./support/proxy_table.ts";
import { assertSameBytes, encode, Random, repeatUntil, until } from "./support/support.ts";
import { changeOf, SECRET } from "./support/whatsapp.ts";

const MIB = 1024 * 1024;
/** Shortened idle time-out of a proxy, in s. */
const SHORT = 2;
/** Errors of a client that still sends when the answer has come: Caddy closes the connection then. */
const SENDING_ERRORS = ["EPIPE", "ECONNRESET"];
const table = new ProxyTable();

/** Waits until a number stays the same for a hundred turns of the event loop; returns it. */
async function settled(read: () => number): Promise<number> {
  let [last, same] = [read(), 0];
  await until(() => {
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    return same === 100;
  }, "a number that stays");
  return last;
}

/** Bytes of a notification of some size. */
function notification(size: number): Uint8Array<ArrayBuffer> {
  const make = (padding: number): Uint8Array<ArrayBuffer> =>
    encode(JSON.stringify({
      object: "whatsapp_business_account",
      entry: [{ id: "1", changes: [changeOf("1", { padding: "x".repeat(padding) })] }],
    }));
  return make(size - make(0).length);
}

async function testUpgrade(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, { compression: true, maxMessageSize: 0 });
  // All kinds of messages, in both directions, and a clean close.
  const { extensions } = await playWithEcho(site.proxy.url("/a"), { ...site.options, compression: true });
  const [connection] = site.connections;
  assertEquals(connection!.request.path, "/a");
  assertEquals(formatExtensions(connection!.extensions), extensions);
  assert(extensions.startsWith("permessage-deflate"), extensions);
  table.note(kind, "configuration", "accepted");
  table.note(kind, "upgrade", kind.plain ? "ws" : "wss");
  table.note(kind, "compression", "both ends");
}

/** A mistake that is made often: the server's answer must tell it. */
async function testWithoutUpgrade(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, {}, kind.withoutUpgrade);
  const error = await assertRejects(() => site.connected(), HandshakeError);
  assertEquals(error.status, 400);
  table.note(kind, "without upgrade lines", "400");
}

/** A bare `proxy_pass`: HTTP/1.0, without the fields of the upgrade. */
async function testBareProxyPass(kind: ProxyKind): Promise<void> {
  const bare = [...kind.withoutUpgrade!, kind.httpVersion!];
  await using site = await Site.start(kind, { compression: true, options: { skipUpgradeCheck: true } }, bare);
  const { extensions } = await playWithEcho(site.proxy.url("/a"), { ...site.options, compression: true });
  assert(extensions.startsWith("permessage-deflate"), extensions);
  assertEquals(site.connections[0]!.request.headers.get("connection"), "close");
  table.note(kind, "bare proxy_pass, skipUpgradeCheck", "yes");
}

/** A node dies that was healthy, so that no check can have noticed it yet. */
async function testDeadNode(kind: ProxyKind): Promise<void> {
  await using other = await startNode();
  await using site = await Site.start(kind, {}, [], other);
  for (let count = 0; count < 4; count++) await site.connected();
  assertEquals([site.connections.length, other.connections.length], [2, 2]);
  await other.server.stop();
  await Promise.all(Array.from({ length: 6 }, () => site.connected()));
  assertEquals(site.connections.length, 8);
  table.note(kind, "fewest connections", "counted");
  table.note(kind, "a node dies", "no connect fails");
}

async function testLargeMessages(kind: ProxyKind): Promise<void> {
  // Made before: it takes seconds on a busy machine, in which a node in this process answers no health check.
  const bytes = new Random(1).bytes(20 * MIB);
  await using site = await Site.start(kind, { maxMessageSize: 0 });
  const client = await site.connected({ maxMessageSize: 0 });
  const writer = client.messageWriter(Opcode.Binary).getWriter();
  for (let at = 0; at < bytes.length; at += 100_000) await writer.write(bytes.subarray(at, at + 100_000));
  await writer.close();
  assertSameBytes(await client.receive() as Uint8Array, bytes);
  client.send(bytes);
  assertSameBytes(await client.receive() as Uint8Array, bytes);
  table.note(kind, "20 MiB", "both ways");
}

async function testBackPressure(kind: ProxyKind): Promise<void> {
  const count = 64;
  await using site = await Site.start(kind, { maxBufferedAmount: 0 });
  const client = await site.connected();
  const connection = site.connections[0]!;
  const part = new Uint8Array(MIB);
  for (let sent = 0; sent < count; sent++) connection.send(part);
  // The client reads nothing: what has left the server is in the proxy, and in four buffers of the system.
  const waiting = await settled(() => connection.bufferedAmount);
  const held = count - waiting / MIB;
  assert(held < 32, `the proxy took ${held} MiB that nobody read`);
  for (let got = 0; got < count; got++) assertEquals((await client.receive()).length, MIB);
  table.note(kind, "slow client", `${held.toFixed(0)} MiB on the way`);
}

async function testIdle(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, { pingInterval: 0 }, kind.shorten!(SHORT));
  const ends: CloseInfo[] = [];
  // Opened first: without its pings it would be cut first.
  const pinged = await site.connected({ pingInterval: 100, onDisconnect: (info) => void ends.push(info) });
  let cut: CloseInfo | undefined;
  let opened = 0;
  await site.connected({
    pingInterval: 0,
    reconnect: { minDelay: 10, maxDelay: 50 },
    onConnect: () => void opened++,
    onDisconnect: (info) => void (cut ??= info),
  });
  const begun = performance.now();
  await until(() => cut !== undefined, "the end of a quiet connection");
  const took = (performance.now() - begun) / 1000;
  assert(took > SHORT - 0.5, `cut after ${took} s`);
  assertEquals([cut!.code, cut!.clean], [1006, false]);
  await until(() => opened === 2, "the client to be back");
  assertEquals(ends, []);
  pinged.send("still here");
  assertEquals(await pinged.receive(), "still here");
  table.note(kind, "idle", `cut after ${SHORT} s, back; pings keep`);
}

/** Caddy has no time-out for a WebSocket: its own for idle connections does not count. */
async function testNoIdle(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, { pingInterval: 0 }, [[
    "{\n  admin",
    "{\n  servers {\n    timeouts {\n      idle 1s\n    }\n  }\n  admin",
  ]]);
  const quiet = await site.connected({ pingInterval: 0 });
  await site.untilIdleHttpIsCut();
  quiet.send("still here");
  assertEquals(await quiet.receive(), "still here");
  table.note(kind, "idle", "never cut");
}

async function testReload(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind);
  await using other = await startNode();
  let [ended, opened] = [0, 0];
  const client = await site.connected({
    reconnect: { minDelay: 10, maxDelay: 50 },
    onConnect: () => void opened++,
    onDisconnect: () => void ended++,
  });
  site.proxy.reload(other.server.address!.port);
  await repeatUntil(
    async () => await (await site.connected()).disconnect(),
    () => other.connections.length > 0,
    "a connection to the new node",
  );
  if (kind.cutsAtReload) await until(() => opened === 2, "the client to be back");
  client.send("still here");
  assertEquals(await client.receive(), "still here");
  assertEquals(ended, kind.cutsAtReload ? 1 : 0);
  table.note(kind, "reload", kind.cutsAtReload ? "open sockets are cut" : "open sockets go on");
}

async function testAddress(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind);
  const made = { "x-forwarded-for": "192.0.2.66", "x-forwarded-proto": "ftp", forwarded: "for=192.0.2.66" };
  await site.connected({ headers: made });
  const { headers } = site.connections[0]!.request;
  assertEquals(headers.get("x-forwarded-for"), "127.0.0.1");
  assertEquals(headers.get("x-forwarded-proto"), kind.plain ? "http" : "https");
  assertEquals(headers.get("forwarded"), null);
  assertEquals(headers.get("host"), `localhost:${site.proxy.place.port}`);
  table.note(kind, "X-Forwarded-For", "overwritten");
}

async function testWebhook(kind: ProxyKind): Promise<void> {
  await using site = await WebhookSite.start(kind);
  const body = notification(3 * MIB);
  assertEquals(await post(site.proxy, body, signNotification(body, SECRET)), "200");
  table.note(kind, "POST of 3 MiB", "200");
  assertEquals(await post(site.proxy, body, signNotification(body, "wrong")), "401");
  table.note(kind, "wrong signature", "401");
}

/**
 * The server answers from the head alone, while the body is still coming. The proxy must pass that on, and not take the
 * node for a dead one.
 */
async function testEarlyAnswers(kind: ProxyKind): Promise<void> {
  await using site = await WebhookSite.start(kind, kind.passLargeBodies);
  const small = notification(1000);
  const see = async (what: string, size: number, signature: string, expected: string): Promise<void> => {
    const body = notification(size);
    const status = await post(site.proxy, body, signature || signNotification(body, SECRET));
    assert([expected, ...SENDING_ERRORS].includes(status), `${what}: ${status}`);
    assertEquals(await post(site.proxy, small, signNotification(small, SECRET)), "200");
    table.note(kind, what, status);
  };
  await see("early 401, 100 KiB", MIB / 10, "none", "401");
  await see("early 401, 3 MiB", 3 * MIB, "none", "401");
  await see("early 413, 5 MiB", 5 * MIB, "", "413");
}

async function testClientCertificate(kind: ProxyKind): Promise<void> {
  const options = { clientCertificateHeader: "x-client-subject", clientCertificateName: "client.example" };
  await using site = await WebhookSite.start(kind, kind.clientCertificates, options);
  const body = notification(1000);
  const signature = signNotification(body, SECRET);
  const made = { headers: { "x-client-subject": "CN=client.example,O=Tackline" } };
  assertEquals(await post(site.proxy, body, signature, { hasCertificate: true }), "200");
  assertEquals(await post(site.proxy, body, signature), "403");
  assertEquals(await post(site.proxy, body, signature, made), "403");
  table.note(kind, "client certificate", "its subject, never a made up one");
}

async function testHttp2(kind: ProxyKind): Promise<void> {
  await using site = await Site.start(kind, { compression: true }, kind.http2);
  const answer = await openOverHttp2(site.proxy);
  if (!kind.hasExtendedConnect) {
    assertEquals(answer, undefined);
    // A client of HTTP/1.1 is served at the same port.
    await site.connected();
    table.note(kind, "RFC 8441", "no");
    return;
  }
  assertEquals(answer?.status, 200);
  assertEquals(answer?.extensions, "permessage-deflate");
  assertEquals(answer?.echo, "over HTTP/2");
  table.note(kind, "RFC 8441", "yes");
}

/** Chromium has an HTTP/2 connection to the site already, and opens a WebSocket. */
async function testChromium(kind: ProxyKind, browser: Chromium): Promise<void> {
  const page = "<!doctype html><title>site</title>";
  const onCommandGet = (): Response => new Response(page, { headers: { "content-type": "text/html" } });
  await using site = await Site.start(kind, { compression: true, onCommandGet }, [kind.version!, ...kind.http2 ?? []]);
  const tab = await browser.open(site.proxy.url("/", "http"));
  const said = await tab.evaluate<string>(`new Promise((resolve, reject) => {
    const socket = new WebSocket(location.href.replace("http", "ws"));
    socket.onopen = () => socket.send(performance.getEntriesByType("navigation")[0].nextHopProtocol);
    socket.onmessage = ({ data }) => resolve(data + " " + socket.extensions);
    socket.onclose = ({ code }) => reject(new Error("closed with " + code));
  })`);
  assertEquals(said, "h2 permessage-deflate");
  const version = site.connections[0]!.request.headers.get("x-version")!;
  assertEquals(version.split(".")[0], kind.hasExtendedConnect ? "HTTP/2" : "HTTP/1");
  table.note(kind, "Chromium", `${version}, compressed`);
}

for (const kind of PROXY_KINDS) {
  describePeer(`${kind.name} as docs/scaling.md sets it up`, kind.need, () => {
    it("passes on upgrade and compression, and ends TLS", () => testUpgrade(kind));
    if (kind.withoutUpgrade) it("gets 400 without its lines for the upgrade", () => testWithoutUpgrade(kind));
    if (kind.httpVersion) it("opens WebSockets by HTTP/1.0 with skipUpgradeCheck", () => testBareProxyPass(kind));
    it("connects every client when a node has just died", () => testDeadNode(kind));
    it("carries messages of 20 MiB both ways, in fragments and whole", () => testLargeMessages(kind));
    it("holds a server back that is faster than its client", () => testBackPressure(kind));
    if (kind.shorten === undefined) it("leaves a quiet connection alone", () => testNoIdle(kind));
    else it("cuts a quiet connection, whose client comes back, and none with pings", () => testIdle(kind));
    it("reloads while sockets are open", () => testReload(kind));
    it("overwrites the addresses that a client made up", () => testAddress(kind));
    it("takes notifications of 3 MiB", () => testWebhook(kind));
    it("passes on answers that come before the body has", () => testEarlyAnswers(kind));
    if (kind.clientCertificates) it("reports the subject of a certificate", () => testClientCertificate(kind));
    if (!kind.plain) it("speaks HTTP/2 for WebSockets, or does not", () => testHttp2(kind));
  });
}

describePeer("HAProxy without option redispatch", "HAProxy", () => {
  it("answers 503 while a node is dead", async () => {
    const haproxy = PROXY_KINDS.find(({ name }) => name === "HAProxy")!;
    await using site = await Site.start(haproxy, {}, [
      ["option redispatch 1", "no option redispatch"],
      // Else its first check may be earlier than the clients.
      ["server node2 10.0.0.2:8080", "server node2 10.0.0.2:8080 no-check"],
    ]);
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => site.connected()));
    const statuses = outcomes.map((outcome) => outcome.status === "rejected" ? outcome.reason.status : 101);
    assert(statuses.includes(503), statuses.join());
  });
});

const overTls = PROXY_KINDS.filter(({ plain }) => !plain);
describePeer("Chromium before a proxy", ["Chromium", ...overTls.map(({ need }) => need)], (command) => {
  it("opens WebSockets over HTTP/2 where the proxy takes them, and over HTTP/1.1 elsewhere", async () => {
    await withChromium(command, async (browser) => {
      for (const kind of overTls) await testChromium(kind, browser);
    });
  });
});

describe("The table of the proxies", () => {
  it("is printed", () => console.log(`\n${table}\n`));
});
