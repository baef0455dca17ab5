/**
 * Policy of reconnecting: which failures are worth another attempt, and the time until then.
 *
 * @module
 */

import type { CloseInfo } from "../connection/options.ts";
import { OptionError, TransportError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";
import { showValue } from "../base/option_names.ts";
import { bytes, type Complete, FieldsReader, milliseconds, numberOf, type SettingsTable } from "../base/settings.ts";

/** Failed attempt to connect, or loss of a connection. */
export interface ReconnectFailure {
  /**
   * Number of attempts that have failed in a row, this one included; 0: a connection that had been open for `minUptime`
   * was lost.
   */
  readonly failures: number;
  /** Error of the attempt, if there was no connection. */
  readonly error?: unknown;
  /** End of the connection, if there was one. */
  readonly info?: CloseInfo | undefined;
}

/**
 * Attempt that is going to be made.
 *
 * Also from {@linkcode ReconnectFailure}: `failures`, `error`, `info`.
 */
export interface ReconnectAttempt extends ReconnectFailure {
  /** Time until then, in ms. */
  readonly delay: number;
}

/** End of what a call of `connect` has begun. */
export interface RunEnd {
  /** End of the last connection, if there was one. */
  readonly info?: CloseInfo | undefined;
  /** Error of reconnecting that was given up; its cause is what ended it. */
  readonly error?: TransportError | undefined;
}

/** Options of reconnecting. */
export interface ReconnectOptions {
  /**
   * Longest wait before the first attempt, in ms, at most `maxDelay`; it doubles with each failure. The wait is a
   * random part of that ("full jitter"), so that many clients do not all come back at once. It is never shorter than a
   * server's `Retry-After`.
   * @default {500}
   */
  minDelay?: number | undefined;
  /**
   * Upper limit of the longest wait, in ms.
   * @default {30000}
   */
  maxDelay?: number | undefined;
  /**
   * Time for which a connection must be open before earlier failures no longer count, in ms.
   * @default {5000}
   */
  minUptime?: number | undefined;
  /**
   * Largest number of failures in a row; 0: no limit.
   * @default {0}
   */
  maxAttempts?: number | undefined;
  /**
   * Close codes after which the client does not reconnect: of the server's close frame, or else of the client's. By
   * default it does after its own 1002 and 1007: bytes of the server were broken, as when a proxy that restarts cuts a
   * frame.
   * @default {[1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010]}
   */
  terminalCodes?: readonly number[] | undefined;
  /**
   * Decides about another attempt, instead of `terminalCodes` and the list at `reconnect`. None follows if it throws.
   */
  shouldReconnect?: ((failure: ReconnectFailure) => boolean | Promise<boolean>) | undefined;
  /**
   * Largest size of messages that `send` keeps while there is no connection, in bytes; it returns `"queued"` for them.
   * 0: none, `send` throws.
   * @default {0}
   */
  maxQueuedSize?: number | undefined;
}

/** Fields of `reconnect`, complete. */
export interface ReconnectFields extends Complete<Omit<ReconnectOptions, "shouldReconnect">> {
  /** See `ReconnectOptions`. */
  shouldReconnect: ReconnectOptions["shouldReconnect"];
}

/** {@linkcode ReconnectOptions} with nothing left out. */
export interface ReconnectSettings extends ReconnectFields {
  /** Codes of `terminalCodes` that count when the client has closed the connection, without an answer. */
  ownTerminalCodes: readonly number[];
}

/** Close codes after which another attempt would fail in the same way, or is not wanted. */
export const TERMINAL_CODES: readonly number[] = [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010];
/** Codes by which the client itself tells the server that its bytes are broken: the next ones may not be. */
const BROKEN_BYTES: readonly number[] = [1002, 1007];

/** The fields of `reconnect`. */
export const RECONNECT_SETTINGS: SettingsTable<ReconnectFields> = {
  minDelay: milliseconds(500),
  maxDelay: milliseconds(30_000),
  minUptime: milliseconds(5000),
  maxAttempts: numberOf(0),
  terminalCodes: { kind: "list", default: TERMINAL_CODES, check: assertCodes },
  shouldReconnect: { kind: "function", default: undefined },
  maxQueuedSize: bytes(0),
};

const reconnectOptions = /* @__PURE__ */ new FieldsReader('The setting "reconnect"', RECONNECT_SETTINGS, {
  prefix: "reconnect.",
});

function assertCodes(codes: readonly unknown[], name: string): void {
  const wrong = codes.find((code) => !Number.isInteger(code));
  if (wrong !== undefined) throw new OptionError(`The setting "${name}" has ${showValue(wrong)}, not a close code`);
}

/**
 * Reads the setting `reconnect`.
 *
 * @param option The setting.
 * @param terminalCodes The default of the field of that name.
 * @returns The settings, complete; `undefined`: the client does not reconnect.
 * @throws {OptionError} If a field is out of range.
 */
export function reconnectSettings(
  option: boolean | ReconnectOptions,
  terminalCodes: readonly number[] = TERMINAL_CODES,
): ReconnectSettings | undefined {
  if (option === false) return undefined;
  if (option !== true && (typeof option !== "object" || option === null)) {
    throw new OptionError(
      `The setting "reconnect" is ${showValue(option)}, not true, false, or an object such as { minDelay: 500 }`,
    );
  }
  const given = option === true ? {} : option;
  const settings = reconnectOptions.read(given, { terminalCodes });
  // A default gives way to the other limit.
  if (given.maxDelay === undefined) settings.maxDelay = Math.max(settings.minDelay, settings.maxDelay);
  if (given.minDelay === undefined) settings.minDelay = Math.min(settings.minDelay, settings.maxDelay);
  const { minDelay, maxDelay } = settings;
  if (minDelay <= maxDelay) return withOwnCodes(settings, settings.terminalCodes !== terminalCodes);
  throw new OptionError(
    `The setting "reconnect.minDelay" is ${minDelay}, more than "reconnect.maxDelay", which is ${maxDelay}`,
  );
}

function withOwnCodes(settings: ReconnectFields, byProgram: boolean): ReconnectSettings {
  const ownTerminalCodes = settings.terminalCodes.filter((code) => byProgram || !BROKEN_BYTES.includes(code));
  return { ...settings, ownTerminalCodes };
}

// ---- Failures ----------------------------------------------------------------------------------------------------

/** Facts about the client that decide together with a failure. */
export interface RetryFacts {
  /** `true` if `connect` has brought a connection: address, permission and trust were right then. */
  readonly wasOpen: boolean;
  /** `true` if credentials are asked for before each attempt, and those of one attempt were refused since. */
  readonly mayBeStale: boolean;
}

/** Answer to a kind of failure: another attempt always, never, or if a fact of {@linkcode RetryFacts} holds. */
export type Again = "always" | "never" | keyof RetryFacts;

/** Kind of failure, and the answer to it. */
export interface FailureRule {
  /** Answer. */
  readonly again: Again;
  /**
   * Tells whether a failure is of this kind.
   *
   * @param failure The failure; it is of no kind of an earlier row.
   * @param settings Settings of reconnecting.
   * @returns `true` if it is.
   */
  covers(failure: ReconnectFailure, settings: ReconnectSettings): boolean;
}

/** Settings by which credentials come. */
export interface CredentialSettings {
  /** A token, or a function that is asked for it. */
  readonly token: unknown;
  /** Header fields, or a function that is asked for them. */
  readonly headers: unknown;
  /** Asked for the URL, if it is set. */
  readonly resolveUrl: unknown;
}

/** Failures on one kind of platform. */
export interface FailurePolicy {
  /** Kinds of failures; the first one that covers a failure decides, and the last one covers all. */
  readonly rules: readonly FailureRule[];
  /**
   * Reads the time that a server asks for.
   *
   * @param error The error of the attempt.
   * @returns The time until the next attempt, in ms; 0: it does not ask for any.
   */
  retryAfter?(error: unknown): number;
  /**
   * Tells whether a server refused the credentials of an attempt.
   *
   * @param error The error of the attempt.
   * @returns `true` for the status 401.
   */
  isUnauthorized?(error: unknown): boolean;
  /**
   * Tells whether credentials are asked for before each attempt.
   *
   * @param settings The settings of the client.
   * @returns `true`: an attempt after a refusal has fresh ones.
   */
  renewsCredentials?(settings: CredentialSettings): boolean;
}

/** Kinds of ends of a connection, the first rows of each policy. */
export const END_RULES: readonly FailureRule[] = [
  {
    // the server closes with a code of `terminalCodes`
    again: "never",
    covers: ({ info }, { terminalCodes }) => info?.received !== undefined && terminalCodes.includes(info.received.code),
  },
  {
    // the client closes with such a code; by default not 1002 and 1007
    again: "never",
    covers: ({ info }, { ownTerminalCodes }) =>
      info?.sent !== undefined && info.received === undefined && ownTerminalCodes.includes(info.sent.code),
  },
  {
    // the connection is lost, its bytes are broken (1002, 1007), another close code
    again: "always",
    covers: ({ info }) => info !== undefined,
  },
];

/** Kinds of failures that no other row covers, the last rows of each policy. */
export const LAST_RULES: readonly FailureRule[] = [
  {
    // `disconnect`, or a signal
    again: "never",
    covers: ({ error }) => isError(error, TransportError) && error.code === "ERR_ABORTED",
  },
  {
    // any other failure of network, proxy, `token`, `headers`, `resolveUrl`; in a page all
    again: "always",
    covers: ({ error }) => isError(error, TransportError),
  },
  {
    // setting or file that cannot be used, another handler that throws
    again: "never",
    covers: () => true,
  },
];

/**
 * Decides about another attempt.
 *
 * @param failure The failure.
 * @param settings Settings of reconnecting.
 * @param facts Facts about the client.
 * @param rules Kinds of failures on this platform.
 * @returns `true` if another attempt is made.
 */
export async function isWorthRetrying(
  failure: ReconnectFailure,
  settings: ReconnectSettings,
  facts: RetryFacts,
  rules: readonly FailureRule[],
): Promise<boolean> {
  if (settings.maxAttempts > 0 && failure.failures >= settings.maxAttempts) return false;
  if (settings.shouldReconnect !== undefined) return await settings.shouldReconnect(failure) === true;
  const { again } = rules.find((rule) => rule.covers(failure, settings))!;
  return again === "always" || (again !== "never" && facts[again]);
}
