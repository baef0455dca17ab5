/** Tests of a `WhatsAppServer` without TLS, on any address, behind proxies that it knows. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { concat } from "../../base/bytes.ts";
import { HandshakeError, OptionError } from "../../base/errors.ts";
import type { LogRecord } from "../../base/log.ts";
import { WebSocketClient } from "../../mod.ts";
import { signNotification, type WhatsAppServer, type WhatsAppServerOptions } from "../../whatsapp.ts";
import { headerV2 } from "../support/proxy_header.ts";
import { RawSocket } from "../support/sockets.ts";
import { encode, FakeClock, tlsFile, until } from "../support/support.ts";
import { PATH, post, SECRET, startVerified } from "../support/whatsapp.ts";

/** A notification of its own for each id. */
const texts = (id: string): string => JSON.stringify({ object: "whatsapp_business_account", entry: [{ id }] });
const UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** Starts a server on all addresses that trusts 127.0.0.1. */
function start(options: WhatsAppServerOptions = {}): ReturnType<typeof startVerified> {
  return startVerified({ hostname: "0.0.0.0", trustedProxies: ["127.0.0.1"], ...options });
}

/** A notification as Meta posts it. */
function notification(id: string, fields = ""): Uint8Array<ArrayBuffer> {
  const body = encode(texts(id));
  const head = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\nX-Hub-Signature-256: ${signNotification(body, SECRET)}\r\n${fields}\r\n`;
  return concat(encode(head), body);
}

/** Sends a request from an address of loopback; returns the status of the answer. */
async function send(server: WhatsAppServer, request: Uint8Array | string, localAddress?: string): Promise<number> {
  const socket = await RawSocket.connect(server.address!.port, localAddress);
  await socket.write(request);
  const answer = new TextDecoder().decode((await socket.read()) ?? new Uint8Array(0));
  await socket.close();
  return Number(answer.slice(9, 12));
}

const get = (target: string, fields = ""): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

describe("behindProxy with trustedProxies", () => {
  it("serves the proxy on any address, and tells the client", async () => {
    const senders: string[] = [];
    const server = await start({ onRawMessage: (_, { remoteAddress }) => void senders.push(remoteAddress) });
    assertEquals(await post(server, texts("1"), { headers: { "x-forwarded-for": "203.0.113.9, 192.0.2.1" } }), 200);
    assertEquals(await send(server, notification("2", "Forwarded: for=192.0.2.2;proto=https\r\n")), 200);
    assertEquals(await send(server, notification("3")), 200);
    assertEquals(senders, ["192.0.2.1", "192.0.2.2", "127.0.0.1"]);
    await server.stop();
  });

  it("refuses requests that have not come by the proxy, since they have no TLS", async () => {
    const logs: LogRecord[] = [];
    const seen: string[] = [];
    const server = await start({
      onLog: (record) => logs.push(record),
      onRawMessage: () => void seen.push("notification"),
      onCommandGet: () => (seen.push("request"), new Response("seen")),
      onAllow: () => (seen.push("receiver"), true),
    });
    const forged = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n";
    const requests = [
      notification("1"),
      notification("2", forged),
      get(PATH, UPGRADE + "Authorization: Bearer token\r\n"),
    ];
    requests.push(get(`${PATH}?hub.mode=subscribe&hub.verify_token=verify&hub.challenge=1`), get("/other"));
    for (const request of requests) assertEquals(await send(server, request, "127.0.0.2"), 403);
    assertEquals(seen, []);
    assertEquals(server.stats().refusals, { behindProxy: 5 });
    assertEquals(server.failedAttempts, { receiverToken: 0, verifyToken: 0, signature: 0, clientCertificate: 0 });
    const refusals = logs.filter(({ event }) => event === "connection.refused").map(({ attributes }) => attributes);
    assertEquals(refusals.map((found) => found["reason"]), new Array(5).fill("behindProxy"));
    assertEquals(refusals.map((found) => found["network.peer.address"]), new Array(5).fill("127.0.0.2"));
    for (const request of requests) {
      assertEquals(await send(server, request), [200, 200, 101, 200, 200][requests.indexOf(request)]);
    }
    assertEquals(server.errors, []);
    await server.stop();
  });

  it("refuses them on a loopback address too, and takes no TLS files", async () => {
    const server = await start({ hostname: "127.0.0.1", trustedProxies: ["10.0.0.0/8"] });
    assertEquals(await send(server, notification("1")), 403);
    await server.stop();
    await assertRejects(
      () => start({ trustedProxies: [] }),
      OptionError,
      '"behindProxy" on "0.0.0.0" needs "trustedProxies"',
    );
    await assertRejects(() => start({ certificateFile: "a.pem" }), OptionError, "certificateFile");
  });

  it("takes the client certificate that a load balancer of AWS reports, from it alone", async () => {
    const server = await start({ clientCertificateHeader: "x-amzn-mtls-clientcert-subject" });
    const subject = "CN=client.webhooks.fbclientcerts.com,O=Meta Platforms\\, Inc.,L=Menlo Park,ST=California,C=US";
    const field = `X-Amzn-Mtls-Clientcert-Subject: ${subject}\r\nX-Amzn-Mtls-Clientcert-Serial-Number: 03A5B1\r\n`;
    assertEquals(await send(server, notification("1", field)), 200);
    assertEquals(await send(server, notification("2", field), "127.0.0.2"), 403);
    assertEquals(server.failedAttempts.clientCertificate, 0);
    assertEquals(await send(server, notification("2", field.replace("client.", "other."))), 403);
    assertEquals(await send(server, notification("2", field + field)), 403);
    assertEquals(server.failedAttempts.clientCertificate, 2);
    await server.stop();
  });

  it("reads the PROXY protocol", async () => {
    const senders: string[] = [];
    const server = await start({
      proxyProtocol: true,
      onRawMessage: (_, { remoteAddress }) => void senders.push(remoteAddress),
    });
    assertEquals(await send(server, concat(headerV2({ source: "192.0.2.1" }), notification("1"))), 200);
    assertEquals(await send(server, notification("2"), "127.0.0.2"), 403);
    assertEquals(senders, ["192.0.2.1"]);
    await server.stop();
  });
});

describe("wrong tokens behind a proxy", () => {
  /** Guesses as a client of the proxy; returns 101, or the status of the refusal. */
  async function connect(server: WhatsAppServer, client: string | undefined, token: string): Promise<number> {
    const headers = client === undefined ? {} : { "x-forwarded-for": client };
    const socket = new WebSocketClient(`ws://127.0.0.1:${server.address!.port}${PATH}`, { token, headers });
    try {
      await socket.connect();
    } catch (error) {
      if (error instanceof HandshakeError) return error.status;
      throw error;
    }
    await socket.disconnect(false);
    return 101;
  }

  async function guess(server: WhatsAppServer, client: string | undefined, count: number): Promise<Promise<number>[]> {
    const before = server.failedAttempts.receiverToken;
    const guesses = Array.from({ length: count }, () => connect(server, client, "wrong"));
    await until(() => server.failedAttempts.receiverToken === before + count, "the guesses");
    return guesses;
  }

  it("lock out the client that guesses, and no other", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, failureDelay: 1000 });
    const guesses = await guess(server, "203.0.113.1", 20);
    assertEquals(await connect(server, "203.0.113.1", "token"), 429);
    assertEquals(await connect(server, "10.9.9.9, 203.0.113.1", "token"), 429);
    for (let host = 2; host < 8; host++) guesses.push(...await guess(server, `203.0.113.${host}`, 20));
    // So many lock out all clients of a proxy that does not tell them apart.
    assertEquals(server.failedAttempts.receiverToken, 140);
    assertEquals(await connect(server, "192.0.2.1", "token"), 101);
    assertEquals(await connect(server, undefined, "token"), 101);
    clock.advance(1000);
    assert((await Promise.all(guesses)).every((status) => status === 401));
    await server.stop();
  });

  it("count for the proxy, with more patience, if it does not tell the client", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, failureDelay: 1000 });
    const guesses = await guess(server, undefined, 99);
    assertEquals(await connect(server, undefined, "token"), 101);
    guesses.push(...await guess(server, undefined, 1));
    assertEquals(await connect(server, undefined, "token"), 429);
    assertEquals(await connect(server, "192.0.2.1", "token"), 101);
    clock.advance(1000);
    await Promise.all(guesses);
    await server.stop();
  });
});

describe("trustedProxies without behindProxy", () => {
  it("believe proxies that speak TLS to the server, and serve other peers too", async () => {
    const files = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
    const clients: string[] = [];
    for (const trustedProxies of [["loopback"], ["10.0.0.0/8"]]) {
      const server = await start({
        ...files,
        behindProxy: false,
        trustedProxies,
        onOpen: ({ remoteAddress }) => void clients.push(remoteAddress.hostname),
      });
      const socket = new WebSocketClient(`wss://localhost:${server.address!.port}${PATH}`, {
        token: "token",
        headers: { "x-forwarded-for": "192.0.2.1" },
        rootCertificateFile: tlsFile("ca.pem"),
      });
      await socket.connect();
      await socket.disconnect(false);
      await server.stop();
    }
    assertEquals(clients, ["192.0.2.1", "127.0.0.1"]);
  });
});
