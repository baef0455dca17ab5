/**
 * Policy of reconnecting: which failures are worth another attempt, and the time until then.
 *
 * @module
 */

import type { CloseInfo } from "../connection/options.ts";
import { HandshakeError, OptionError, TransportError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import { RECONNECT_HINTS } from "./option_hints.ts";

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

/** Attempt that is going to be made. */
export interface ReconnectAttempt extends ReconnectFailure {
  /** Time until then, in ms. */
  readonly delay: number;
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
   * Close codes after which the client does not reconnect: of the server's close frame, or else of the client's.
   * @default {[1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010]}
   */
  terminalCodes?: readonly number[] | undefined;
  /**
   * Decides about another attempt, instead of `terminalCodes` and the default: none after an error of the program, nor
   * after a refusal with another status than 408, 425, 429, 500, 502, 503 and 504. None follows if it throws.
   */
  shouldReconnect?: ((failure: ReconnectFailure) => boolean | Promise<boolean>) | undefined;
  /**
   * Largest size of messages that `send` keeps while there is no connection, in bytes; it returns `"queued"` for them.
   * 0: none, `send` throws.
   * @default {0}
   */
  maxQueuedSize?: number | undefined;
}

/** {@linkcode ReconnectOptions} with nothing left out. */
export interface ReconnectSettings extends Complete<Omit<ReconnectOptions, "shouldReconnect">> {
  /** See `ReconnectOptions`. */
  shouldReconnect: ReconnectOptions["shouldReconnect"];
}

/** Close codes after which another attempt would fail in the same way, or is not wanted. */
export const TERMINAL_CODES: readonly number[] = [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010];
/** Statuses of a server or a proxy that is unavailable for a while. */
const TRANSIENT_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** The fields of `reconnect`. */
export const RECONNECT_SETTINGS: SettingsTable<ReconnectSettings> = {
  minDelay: { kind: "number", unit: "ms", default: 500 },
  maxDelay: { kind: "number", unit: "ms", default: 30_000 },
  minUptime: { kind: "number", unit: "ms", default: 5000 },
  maxAttempts: { kind: "number", unit: "count", default: 0 },
  terminalCodes: { kind: "list", default: TERMINAL_CODES, check: assertCodes },
  shouldReconnect: { kind: "function", default: undefined },
  maxQueuedSize: { kind: "number", unit: "bytes", default: 0 },
};

const reconnectOptions = new FieldsReader('The setting "reconnect"', RECONNECT_SETTINGS, {
  prefix: "reconnect.",
  hints: RECONNECT_HINTS,
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
  if (minDelay <= maxDelay) return settings;
  throw new OptionError(
    `The setting "reconnect.minDelay" is ${minDelay}, more than "reconnect.maxDelay", which is ${maxDelay}`,
  );
}

/**
 * Decides about another attempt.
 *
 * @param failure The failure.
 * @param settings Settings of reconnecting.
 * @returns `true` if another attempt is made.
 */
export async function isWorthRetrying(failure: ReconnectFailure, settings: ReconnectSettings): Promise<boolean> {
  if (settings.maxAttempts > 0 && failure.failures >= settings.maxAttempts) return false;
  if (settings.shouldReconnect !== undefined) return await settings.shouldReconnect(failure) === true;
  const { info, error } = failure;
  if (info !== undefined) return !settings.terminalCodes.includes((info.received ?? info.sent ?? info).code);
  if (error instanceof HandshakeError) return TRANSIENT_STATUSES.includes(error.status);
  return error instanceof TransportError && error.code !== "ERR_ABORTED";
}

/** Longest `Retry-After` that is respected, in ms. */
const MAX_RETRY_AFTER = 3600_000;

/**
 * Reads `Retry-After` of a refusal (RFC 9110 §10.2.3).
 *
 * @param error The error of the attempt.
 * @returns The time in ms; 0 without the field.
 */
export function retryAfter(error: unknown): number {
  const value = error instanceof HandshakeError ? error.headers?.get("retry-after") ?? "" : "";
  if (value === "") return 0;
  const seconds = Number(value);
  const ms = Number.isInteger(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER, Math.max(0, ms)) : 0;
}
