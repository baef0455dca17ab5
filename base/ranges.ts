/**
 * The ranges of settings that server and client share.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import { isToken } from "./token.ts";

/** What goes wrong silently if it is not a number from 0 on. */
export type LimitName =
  | "maxMessageSize"
  | "maxFragments"
  | "messageTimeout"
  | "maxBufferedAmount"
  | "highWaterMark"
  | "closeTimeout"
  | "idleTimeout"
  | "pingInterval"
  | "pongTimeout"
  | "maxMessageRate"
  | "maxByteRate"
  | "rateBurst"
  | "frameSize";

/** The limits of a connection. */
export const LIMIT_NAMES: readonly LimitName[] = [
  "maxMessageSize",
  "maxFragments",
  "messageTimeout",
  "maxBufferedAmount",
  "highWaterMark",
  "closeTimeout",
  "idleTimeout",
  "pingInterval",
  "pongTimeout",
  "maxMessageRate",
  "maxByteRate",
  "rateBurst",
  "frameSize",
];

/**
 * Checks a number among the settings.
 *
 * @param name Which.
 * @param value Its value.
 * @param most The largest value; without it that of a timer, if the name is that of a time, or any.
 * @throws {OptionError} If it is not an integer from 0 to `most`.
 */
export function assertNumber(name: string, value: unknown, most: number = largest(name)): void {
  if (typeof value !== "number") {
    throw new OptionError(
      `The setting "${name}" is ${JSON.stringify(value)}, of type ${typeof value} instead of number`,
    );
  }
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? "from 0 on" : `from 0 to ${most}`;
    throw new OptionError(`The setting "${name}" is ${value}, not an integer ${range}`);
  }
}

/** Timers take no more than 2^31 - 1 ms, some 24 days, and run at once with more. */
function largest(name: string): number {
  return name.endsWith("Timeout") || name.endsWith("Interval") ? 0x7fffffff : Number.MAX_SAFE_INTEGER;
}

/**
 * Checks that a name can go over a connection: UTF-8 has no bytes for half of a surrogate pair, and would put U+FFFD there, which makes
 * one name of several.
 *
 * @param what What the text is, to begin a sentence with.
 * @param text The text.
 * @throws {OptionError} If it has a lone surrogate.
 */
export function assertWellFormed(what: string, text: string): void {
  if (!text.isWellFormed()) throw new OptionError(`${what} has a lone surrogate, which UTF-8 cannot hold`);
}

/**
 * Checks a port.
 *
 * @param value The port.
 * @throws {OptionError} If it is not an integer from 0 to 65535.
 */
export function assertPort(value: unknown): void {
  assertNumber("port", value, 65535);
}

/**
 * Checks what is to become of slow peers.
 *
 * @param value The setting.
 * @throws {OptionError} If it is neither `"close"` nor `"drop"`.
 */
export function assertSlowConsumer(value: unknown): void {
  if (value === "close" || value === "drop") return;
  throw new OptionError(`The setting "slowConsumer" is "${value}" instead of "close" or "drop"`);
}

/**
 * Checks a list of subprotocols.
 *
 * @param protocols The subprotocols.
 * @throws {OptionError} If one is no token, or named twice.
 */
export function assertProtocols(protocols: readonly string[]): void {
  if (!Array.isArray(protocols)) throw new OptionError(`The subprotocols "${protocols}" are not in an array`);
  for (const protocol of protocols) {
    if (!isToken(protocol)) throw new OptionError(`The subprotocol "${protocol}" is not a token`);
  }
  if (new Set(protocols).size < protocols.length) {
    throw new OptionError(`A subprotocol is named twice: "${protocols.join(", ")}"`);
  }
}
