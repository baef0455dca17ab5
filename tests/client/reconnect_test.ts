import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { WebSocketClient } from "../../client.ts";
import { OptionError, TransportError } from "../../base/errors.ts";
import {
  END_RULES,
  isWorthRetrying,
  LAST_RULES,
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
  type RetryFacts,
  TERMINAL_CODES,
} from "../../client/reconnect.ts";
import type { CloseInfo } from "../../connection/options.ts";

const settings = (options: object = {}): ReconnectSettings => reconnectSettings({ ...options } as ReconnectOptions)!;
const info = (code: number): CloseInfo => ({
  code,
  reason: "",
  clean: true,
  opened: true,
  received: { code, reason: "" },
});

describe("reconnectSettings", () => {
  it("has defaults, and refuses what is out of range", () => {
    assertEquals(reconnectSettings(false), undefined);
    assertEquals(reconnectSettings(true), {
      minDelay: 500,
      maxDelay: 30_000,
      minUptime: 5000,
      maxAttempts: 0,
      terminalCodes: TERMINAL_CODES,
      ownTerminalCodes: [1000, 1003, 1005, 1008, 1009, 1010],
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

const own = (code: number): CloseInfo => ({
  code: 1006,
  reason: "",
  clean: false,
  opened: true,
  sent: { code, reason: "" },
});
const NEW: RetryFacts = { wasOpen: false, mayBeStale: false };

describe("isWorthRetrying", () => {
  const retries = (failure: object, options = {}): Promise<boolean> =>
    isWorthRetrying({ failures: 1, ...failure }, settings(options), NEW, [...END_RULES, ...LAST_RULES]);

  it("takes close codes of the program as they stand, for both ends", async () => {
    const terminalCodes = [1002, 4000];
    for (const ended of [info, own]) {
      const answers = [1002, 4000, 1000, 1007].map((code) => retries({ info: ended(code) }, { terminalCodes }));
      assertEquals(await Promise.all(answers), [false, false, true, true]);
    }
  });

  it("asks the program instead, if it wants to decide, but for the number of attempts", async () => {
    const always = { shouldReconnect: () => Promise.resolve(true) };
    assertEquals(await retries({ info: info(1000) }, always), true);
    assertEquals(await retries({ info: info(1006) }, { shouldReconnect: () => false }), false);
    assertEquals(await retries({ failures: 3 }, { ...always, maxAttempts: 3 }), false);
    assertEquals(await retries({ failures: 2 }, { ...always, maxAttempts: 3 }), true);
  });

  it("asks the rules of the platform, the first that covers the failure", async () => {
    const error = new TransportError("ERR_CONNECT", "");
    for (
      const [again, wasOpen, expected] of [["never", true, false], ["wasOpen", true, true], [
        "wasOpen",
        false,
        false,
      ]] as const
    ) {
      const rules = [{ again, covers: (failure: object) => "error" in failure }, ...LAST_RULES];
      assertEquals(await isWorthRetrying({ failures: 1, error }, settings(), { ...NEW, wasOpen }, rules), expected);
    }
  });
});
