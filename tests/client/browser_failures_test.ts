import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { HandlerError, HandshakeError, OptionError, StateError, TransportError } from "../../base/errors.ts";
import { browserFailures } from "../../client/browser_failures.ts";
import { isWorthRetrying, type ReconnectSettings, reconnectSettings, TERMINAL_CODES } from "../../client/reconnect.ts";
import { socketFailures } from "../../client/socket_failures.ts";

const settings = reconnectSettings(true) as ReconnectSettings;
const failed = (cause?: unknown): TransportError => new TransportError("ERR_CONNECT", "", { cause });
const named = (name: string): Error => Object.assign(new Error(), { name });
const closed = (code: number): object => ({
  info: { code, reason: "", clean: true, opened: true, received: { code, reason: "" } },
});

/** Failures of a page, and whether another attempt follows. */
const FAILURES: readonly [failure: object, again: boolean][] = [
  ...TERMINAL_CODES.map((code) => [closed(code), false] as [object, boolean]),
  [closed(1001), true],
  [closed(4000), true],
  [{ error: new HandshakeError("ERR_HANDSHAKE_REFUSED", "", 101) }, false],
  [{ error: failed(named("SecurityError")) }, false],
  [{ error: failed(named("NotCapable")) }, false],
  [{ error: failed(named("NetworkError")) }, true],
  [{ error: failed(new HandlerError("token", named("SecurityError"))) }, true],
  [{ error: failed() }, true],
  [{ error: new TransportError("ERR_CONNECT_TIMEOUT", "") }, true],
  [{ error: new TransportError("ERR_ABORTED", "") }, false],
  [{ error: new OptionError("") }, false],
  [{ error: new StateError("ERR_UNSUPPORTED", "") }, false],
  [{ error: new HandlerError("onSendHandshake", 1) }, false],
];

describe("browserFailures", () => {
  it("answers as a client with sockets does", async () => {
    for (const [failure, again] of FAILURES) {
      for (const { rules } of [browserFailures, socketFailures]) {
        for (const wasOpen of [false, true]) {
          const facts = { wasOpen, mayBeStale: false };
          assertEquals(await isWorthRetrying({ failures: 1, ...failure }, settings, facts, rules), again);
        }
      }
    }
  });

  it("has a rule for anything, and no time that a server asks for", () => {
    assert(browserFailures.rules.at(-1)!.covers({ failures: 1 }, settings));
    assertEquals(browserFailures.retryAfter, undefined);
  });
});
