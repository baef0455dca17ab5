/**
 * When and how a client connects again: what is worth another attempt, and how long to wait for it.
 *
 * @module
 */

import type { CloseInfo } from "../connection/options.ts";
import { HandshakeError, OptionError, TransportError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";

/** Why a client is not connected (any more). */
export interface ReconnectFailure {
  /** How many attempts have failed in a row, this one included; 0: a connection that had been up for `minUptime` was lost. */
  readonly failures: number;
  /** Why the attempt failed, if there was no connection. */
  readonly error?: unknown;
  /** How the connection ended, if there was one. */
  readonly info?: CloseInfo;
}

/** Another attempt is going to be made. */
export interface ReconnectAttempt extends ReconnectFailure {
  /** When, in ms from now. */
  readonly delay: number;
}

/** How a client connects again. */
export interface ReconnectOptions {
  /**
   * The longest wait before the first attempt, in ms; it doubles with each failure. The wait is a random part of that ("full jitter"), so
   * that many clients do not all come back at once. A server's `Retry-After` is waited for at least.
   * @default {500}
   */
  minDelay?: number;
  /**
   * The most that the longest wait grows to, in ms.
   * @default {30000}
   */
  maxDelay?: number;
  /**
   * How long a connection must have been open, in ms, for the failures before it to be forgotten.
   * @default {5000}
   */
  minUptime?: number;
  /**
   * The most failures in a row; 0: no limit.
   * @default {0}
   */
  maxAttempts?: number;
  /**
   * Close codes after which another attempt makes no sense: of the server's close frame, or else of our own.
   * @default {[1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010]}
   */
  terminalCodes?: readonly number[];
  /**
   * Decides, instead of `terminalCodes` and of what else is known: by default whatever the program gets wrong is not tried again, nor a
   * server that refuses with another status than 408, 425, 429, 500, 502, 503 and 504. What it throws ends it.
   */
  shouldReconnect?: (failure: ReconnectFailure) => boolean | Promise<boolean>;
  /**
   * The most bytes of messages that `send` keeps while there is no connection; it says `"queued"` then. 0: none, `send` throws.
   * @default {0}
   */
  maxQueuedSize?: number;
}

/** {@linkcode ReconnectOptions} with nothing left out. */
export type ReconnectSettings =
  & Required<Omit<ReconnectOptions, "shouldReconnect">>
  & Pick<ReconnectOptions, "shouldReconnect">;

/** Another attempt after these would fail in the same way, or is not wanted. */
export const TERMINAL_CODES: readonly number[] = [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010];
/** What a server, or a proxy before it, may not say the next time. */
const TRANSIENT_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

const DEFAULTS: ReconnectSettings = {
  minDelay: 500,
  maxDelay: 30_000,
  minUptime: 5_000,
  maxAttempts: 0,
  terminalCodes: TERMINAL_CODES,
  maxQueuedSize: 0,
};

/**
 * Reads the setting `reconnect`.
 *
 * @param option The setting.
 * @param terminalCodes The default of the field of that name.
 * @returns All of it, or `undefined`: no attempt is made again.
 * @throws {OptionError} If a field is out of range.
 */
export function reconnectSettings(
  option: boolean | ReconnectOptions,
  terminalCodes: readonly number[] = TERMINAL_CODES,
): ReconnectSettings | undefined {
  if (option === false) return undefined;
  const given = Object.entries(option === true ? {} : option).filter(([, value]) => value !== undefined);
  const settings: ReconnectSettings = { ...DEFAULTS, terminalCodes, ...Object.fromEntries(given) };
  for (const name of ["minDelay", "maxDelay", "minUptime"] as const) {
    assertNumber(`reconnect.${name}`, settings[name], 0x7fffffff);
  }
  for (const name of ["maxAttempts", "maxQueuedSize"] as const) assertNumber(`reconnect.${name}`, settings[name]);
  if (!Array.isArray(settings.terminalCodes)) {
    throw new OptionError(`The setting "reconnect.terminalCodes" is "${settings.terminalCodes}" instead of an array`);
  }
  return settings;
}

/**
 * Decides whether to try again.
 *
 * @param failure What happened.
 * @param settings What the program wants.
 * @returns Whether to.
 */
export async function isWorthRetrying(failure: ReconnectFailure, settings: ReconnectSettings): Promise<boolean> {
  if (settings.maxAttempts > 0 && failure.failures >= settings.maxAttempts) return false;
  if (settings.shouldReconnect !== undefined) return await settings.shouldReconnect(failure) === true;
  const { info, error } = failure;
  if (info !== undefined) return !settings.terminalCodes.includes((info.received ?? info.sent ?? info).code);
  if (error instanceof HandshakeError) return TRANSIENT_STATUSES.includes(error.status);
  return error instanceof TransportError && error.code !== "ERR_ABORTED";
}

/** The longest time that a server's word is taken for, in ms. */
const MAX_RETRY_AFTER = 3600_000;

/**
 * What a server that refuses says about when to come again (RFC 9110 §10.2.3).
 *
 * @param error Why the attempt failed.
 * @returns In ms; 0 if it says nothing.
 */
export function retryAfter(error: unknown): number {
  const value = error instanceof HandshakeError ? error.headers?.get("retry-after") ?? "" : "";
  if (value === "") return 0;
  const seconds = Number(value);
  const ms = Number.isInteger(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER, Math.max(0, ms)) : 0;
}
