import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { LogRecord } from "../../base/log.ts";
import { refusalPrinter } from "../../cli/refusals.ts";

function printer(): { print: (record: LogRecord) => void; lines: string[] } {
  const lines: string[] = [];
  return { print: refusalPrinter({ err: (text) => void lines.push(text) }), lines };
}

const record = (event: string, attributes: LogRecord["attributes"], time = 1e12): LogRecord => {
  return { level: "warn", event, time, attributes };
};

describe("refusalPrinter", () => {
  it("prints refused webhooks as text that cannot command a terminal", () => {
    const { print, lines } = printer();
    print(
      record("webhook.refused", { message: "GET refused with 403: it has …", "url.path": "/a\x1b[2J", omitted: 3 }),
    );
    print(record("webhook.refused", { message: "POST refused with 401: …", "url.path": "/wa" }));
    assertEquals(lines, [
      'GET refused with 403: it has …; path "/a\\u{1b}[2J" (and 3 more before)\n',
      'POST refused with 401: …; path "/wa"\n',
    ]);
  });

  it("names a peer that is no trusted proxy, once a minute", () => {
    const { print, lines } = printer();
    const refused = (time: number): LogRecord =>
      record("connection.refused", { reason: "behindProxy", "network.peer.address": "10.0.0.5" }, time);
    for (const time of [0, 1, 59_999, 60_000, 60_001]) print(refused(1e12 + time));
    assertEquals(
      lines,
      Array(2).fill(
        "Request refused with 403: 10.0.0.5 is none of --trusted-proxies; if it is the proxy, add it\n",
      ),
    );
  });

  it("says once a minute that a receiver has no token, with the address of the client", () => {
    const { print, lines } = printer();
    const refused = (time: number, client?: string): LogRecord =>
      record("connection.refused", {
        reason: "allow",
        "network.peer.address": "10.0.0.5",
        ...(client === undefined ? {} : { "client.address": client }),
      }, time);
    for (const time of [0, 1, 59_999]) print(refused(1e12 + time));
    print(refused(1e12 + 60_000, "203.0.113.7"));
    assertEquals(lines, [
      "Receiver refused with 401: 10.0.0.5 has shown no token of --receiver-token\n",
      "Receiver refused with 401: 203.0.113.7 has shown no token of --receiver-token\n",
    ]);
  });

  it("names flags of the program, not options of the library", () => {
    const { print, lines } = printer();
    print(
      record("webhook.refused", {
        message: 'GET refused with 403: its hub.verify_token is not "verifyToken".',
        "url.path": "/",
      }),
    );
    assertEquals(lines, ['GET refused with 403: its hub.verify_token is not --verify-token.; path "/"\n']);
  });

  it("leaves out all else", () => {
    const { print, lines } = printer();
    print(record("connection.refused", { reason: "maxConnections" }));
    print(record("server.listening", {}));
    assertEquals(lines, []);
  });
});
