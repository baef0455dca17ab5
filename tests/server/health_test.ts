import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { LogRecord } from "../../base/log.ts";
import { WebSocketClient } from "../../client.ts";
import { WebSocketServer, type WebSocketServerOptions } from "../../server.ts";
import { WhatsAppServer } from "../../whatsapp.ts";
import { type KeptPeer, memoryPair } from "../support/kept_pair.ts";
import { readResponses, textOf } from "../support/responses.ts";
import { defer, encode, FakeClock, turns, until } from "../support/support.ts";

const HEALTHY = "GET /healthz?from=balancer HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n";

/** A server that refuses all that it can refuse. */
function strict(options: WebSocketServerOptions = {}): { peer: KeptPeer; records: LogRecord[]; calls: string[] } {
  const records: LogRecord[] = [];
  const calls: string[] = [];
  const peer = memoryPair({
    healthPath: "/healthz",
    pathName: "/chat",
    hosts: ["example.com"],
    origins: ["https://example.com"],
    clock: new FakeClock(),
    onAllow: () => (calls.push("onAllow"), false),
    onCommandGet: () => void calls.push("onCommandGet"),
    onLog: (record) => void (record.level !== "debug" && records.push(record)),
    ...options,
  });
  return { peer, records, calls };
}

/** The head of the last response, in small letters, without the date. */
function headOf(text: string): string[] {
  const head = text.slice(text.lastIndexOf("HTTP/1.1"), text.lastIndexOf("\r\n\r\n")).toLowerCase();
  return head.split("\r\n").filter((line) => !line.startsWith("date:")).sort();
}

describe("healthPath", () => {
  it("answers GET and HEAD before any other check, again and again, and logs nothing", async () => {
    const { peer, records, calls } = strict();
    const head = ["cache-control: no-store", "content-length: 2", "content-type: text/plain; charset=utf-8"];
    for (let check = 1; check <= 3; check++) {
      peer.write(HEALTHY);
      await peer.answers("HTTP/1.1 200 OK", check);
      await turns();
      assertEquals(headOf(peer.text), [...head, "http/1.1 200 ok"]);
      assertEquals(textOf(readResponses(encode(peer.text))[check - 1]!), "ok");
    }
    const before = peer.text.length;
    peer.write("HEAD /healthz HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
    await peer.answers("HTTP/1.1 200 OK", 4);
    await turns();
    assert(peer.text.slice(before).endsWith("\r\n\r\n"), "HEAD has no body");
    // HAProxy's checks by default: HTTP/1.0, without Host.
    peer.write("GET /healthz HTTP/1.0\r\n\r\n");
    await peer.answers("HTTP/1.1 200 OK", 5);
    peer.end();
    await until(() => peer.ended, "the end");
    assertEquals([records, calls, peer.errors, peer.server.stats().refusals], [[], [], [], {}]);
  });

  it("leaves other methods, paths and handshakes to the other checks", async () => {
    const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (
      const request of [
        "POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n",
        "OPTIONS /healthz HTTP/1.1\r\n",
        "GET /healthz/ HTTP/1.1\r\n",
        "GET /HEALTHZ HTTP/1.1\r\n",
        "GET //healthz HTTP/1.1\r\n",
        `GET /healthz HTTP/1.1\r\n${upgrade}`,
      ]
    ) {
      const { peer } = strict();
      peer.write(`${request}Host: elsewhere.example\r\n\r\n`);
      await peer.answers(" 421 ", 1);
      peer.end();
      await until(() => peer.ended, "the end");
    }
    const { peer } = strict({ healthPath: "" });
    peer.write(HEALTHY);
    await peer.answers(" 421 ", 1);
    peer.end();
    await until(() => peer.ended, "the end");
  });

  it("may be the path of WebSockets too", async () => {
    await using server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", pathName: "/", healthPath: "/" });
    await server.start();
    const url = `127.0.0.1:${server.address!.port}/`;
    const response = await fetch(`http://${url}`);
    assertEquals([response.status, await response.text()], [200, "ok"]);
    await using client = new WebSocketClient(`ws://${url}`);
    await client.connect();
  });

  it("is checked when it is set, and gets its slash", () => {
    assertEquals(new WebSocketServer({ healthPath: "healthz" }).healthPath, "/healthz");
    for (const healthPath of ["http://a/healthz", "/healthz?a", "/healthz#a"]) {
      assertThrows(() => new WebSocketServer({ healthPath }), OptionError);
    }
    assertThrows(() => new WebSocketServer({ healthPath: "http://a/" }), OptionError, '"healthPath"');
  });

  it("never takes the place of Meta's verification", async () => {
    const secrets = { appSecret: "s", receiverToken: "t", verifyToken: "v", behindProxy: true, journal: null } as const;
    const apps = [{ pathName: "/app", appSecret: "other" }];
    const place = { hostname: "127.0.0.1", port: 0 };
    for (const [pathName, healthPath] of [["/hook", "/hook"], ["/hook", "app"], ["", "/"]] as const) {
      const server = new WhatsAppServer({ ...secrets, ...place, apps, pathName, healthPath });
      const error = await server.start().catch((error) => error);
      assert(error instanceof OptionError && error.message.includes("healthPath"), String(error));
    }
    await using server = new WhatsAppServer({ ...secrets, ...place, pathName: "", healthPath: "/healthz" });
    await server.start();
    const response = await fetch(`http://127.0.0.1:${server.address!.port}/healthz?hub.mode=subscribe`);
    assertEquals([response.status, await response.text()], [200, "ok"]);
    assertEquals(server.failedAttempts.verifyToken, 0);
  });
});

describe("a health check while the server stops", () => {
  it("gets 503 and the end of its connection, which was kept for it, and never holds up the stop", async () => {
    const gate = defer<void>();
    const { peer } = strict({
      hosts: [],
      onCommandGet: async () => {
        await gate.promise;
        return new Response("done");
      },
    });
    const checks = [peer, memoryPair(peer.server), memoryPair(peer.server)];
    for (const check of checks) {
      check.write(HEALTHY);
      await check.answers("ok", 1);
    }
    const [busy, idle] = [memoryPair(peer.server), memoryPair(peer.server)];
    busy.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    await turns(2);
    const stopped = peer.server.stop();
    await until(() => idle.ended, "the end of a connection without requests");
    peer.write(HEALTHY);
    await peer.answers("HTTP/1.1 503 ", 1);
    assert(headOf(peer.text).includes("connection: close"));
    assert(headOf(peer.text).includes("cache-control: no-store"));
    peer.end();
    await until(() => peer.ended, "its end");
    // One whose balancer did not ask again is kept as long as there is something to wait for.
    assertEquals(checks.map(({ ended }) => ended), [true, false, false]);
    gate.resolve();
    await busy.answers("done", 1);
    busy.end();
    await stopped;
    await until(() => checks.every(({ ended }) => ended), "the end of all");
  });

  it("ends at once if there is nothing to wait for, on a port too", async () => {
    const ends: number[] = [];
    const server = new WebSocketServer({
      port: 0,
      hostname: "127.0.0.1",
      healthPath: "/healthz",
      clock: new FakeClock(),
      onDisconnect: () => void ends.push(1),
    });
    await server.start();
    const checks = [memoryPair(server), memoryPair(server)];
    for (const check of checks) {
      check.write(HEALTHY);
      await check.answers("ok", 1);
      await turns();
    }
    await server.stop();
    assertEquals([ends.length, server.stats().connections.handshaking], [2, 0]);
    // It may start again, and keeps nothing of the last time.
    await server.start();
    const check = memoryPair(server);
    check.write(HEALTHY);
    await check.answers("ok", 1);
    await server.stop();
    await until(() => check.ended, "the end");
  });
});
