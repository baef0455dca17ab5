import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { HandshakeError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import {
  isWorthRetrying,
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
  retryAfter,
  TERMINAL_CODES,
} from "../../client/reconnect.ts";
import type { CloseInfo } from "../../connection/options.ts";

const settings = (options: object = {}): ReconnectSettings => reconnectSettings({ ...options } as ReconnectOptions)!;
const info = (code: number): CloseInfo => ({ code, reason: "", clean: true, received: { code, reason: "" } });

describe("reconnectSettings", () => {
  it("has defaults, and refuses what is out of range", () => {
    assertEquals(reconnectSettings(false), undefined);
    assertEquals(reconnectSettings(true), {
      minDelay: 500,
      maxDelay: 30_000,
      minUptime: 5000,
      maxAttempts: 0,
      terminalCodes: TERMINAL_CODES,
      shouldReconnect: undefined,
      maxQueuedSize: 0,
    });
    assertEquals(settings({ minDelay: undefined, maxDelay: 1000 }).minDelay, 500);
    for (const name of ["minDelay", "maxDelay", "minUptime", "maxAttempts", "maxQueuedSize"]) {
      assertThrows(() => new WebSocketClient({ reconnect: { [name]: -1 } }), OptionError, `reconnect.${name}`);
    }
    assertThrows(() => settings({ terminalCodes: 1000 }), OptionError, "array");
    assertThrows(() => settings({ terminalCodes: ["1000"] }), OptionError, '"1000", not a close code');
    assertThrows(() => settings({ shouldReconnect: true }), OptionError, "function");
  });

  it("refuses a least wait above the largest, and lets a default give way to the other", () => {
    assertThrows(() => settings({ minDelay: 2, maxDelay: 1 }), OptionError, '"reconnect.minDelay" is 2, more than');
    const delays = (options: object) => [settings(options).minDelay, settings(options).maxDelay];
    assertEquals(delays({ maxDelay: 1 }), [1, 1]);
    assertEquals(delays({ minDelay: 60_000 }), [60_000, 60_000]);
    assertEquals(delays({ minDelay: 5, maxDelay: 5 }), [5, 5]);
  });
});

describe("isWorthRetrying", () => {
  const retries = (failure: object, options = {}): Promise<boolean> =>
    isWorthRetrying({ failures: 1, ...failure }, settings(options));

  it("decides by close codes, of the server's close frame or else of its own", async () => {
    for (const code of TERMINAL_CODES) assertEquals(await retries({ info: info(code) }), false);
    for (const code of [1001, 1006, 1011, 1012, 1013, 4000]) assertEquals(await retries({ info: info(code) }), true);
    const lost = { code: 1006, reason: "", clean: false };
    assertEquals(await retries({ info: lost }), true);
    assertEquals(await retries({ info: { ...lost, sent: { code: 1008, reason: "" } } }), false);
    assertEquals(await retries({ info: info(4000) }, { terminalCodes: [4000] }), false);
  });

  it("decides by statuses, and does not retry after mistakes of the program", async () => {
    for (const status of [408, 425, 429, 500, 502, 503, 504]) {
      assertEquals(await retries({ error: new HandshakeError("ERR_HANDSHAKE_STATUS", "", status) }), true);
    }
    for (const status of [101, 301, 400, 401, 403, 404, 426, 501, 0]) {
      assertEquals(await retries({ error: new HandshakeError("ERR_HANDSHAKE_STATUS", "", status) }), false);
    }
    assertEquals(await retries({ error: new TransportError("ERR_CONNECT", "") }), true);
    assertEquals(await retries({ error: new TransportError("ERR_ABORTED", "") }), false);
    for (const error of [new OptionError(""), new StateError("ERR_UNSUPPORTED", ""), new Error("?")]) {
      assertEquals(await retries({ error }), false);
    }
  });

  it("asks the program instead, if it wants to decide, but for the number of attempts", async () => {
    const always = { shouldReconnect: () => Promise.resolve(true) };
    assertEquals(await retries({ info: info(1000) }, always), true);
    assertEquals(await retries({ info: info(1006) }, { shouldReconnect: () => false }), false);
    assertEquals(await retries({ failures: 3 }, { ...always, maxAttempts: 3 }), false);
    assertEquals(await retries({ failures: 2 }, { ...always, maxAttempts: 3 }), true);
  });
});

describe("retryAfter", () => {
  const ask = (value: string): number =>
    retryAfter(new HandshakeError("ERR_HANDSHAKE_STATUS", "", 503, { headers: new Headers({ "retry-after": value }) }));

  it("reads seconds and dates, and believes up to an hour", () => {
    assertEquals([ask("0"), ask("7"), ask("100000000"), ask("-5"), ask("soon"), ask("1.5x")], [
      0,
      7000,
      3600_000,
      0,
      0,
      0,
    ]);
    const inAMinute = ask(new Date(Date.now() + 60_000).toUTCString());
    assert(inAMinute > 55_000 && inAMinute <= 60_000);
    assertEquals([retryAfter(undefined), retryAfter(new HandshakeError("ERR_HANDSHAKE_STATUS", "", 503))], [0, 0]);
  });
});
