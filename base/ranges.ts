/**
 * The ranges of settings that server and client share.
 *
 * @module
 */

import { OptionError } from "./errors.ts";

/** Timers take no more than 2^31 - 1 ms, some 24 days, and run at once with more. */
export const LONGEST_TIMER = 0x7fffffff;

/**
 * Checks a number among the settings.
 *
 * @param name Its name.
 * @param value Its value.
 * @param most The largest value; without it any.
 * @param least The smallest value.
 * @throws {OptionError} If it is not an integer from `least` to `most`.
 */
export function assertNumber(name: string, value: unknown, most: number = Number.MAX_SAFE_INTEGER, least = 0): void {
  if (typeof value !== "number") {
    // JSON has no form for these.
    const shown = typeof value === "bigint" || typeof value === "symbol" ? String(value) : JSON.stringify(value);
    throw new OptionError(`The setting "${name}" is ${shown}, of type ${typeof value} instead of number`);
  }
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`;
    throw new OptionError(`The setting "${name}" is ${value}, not an integer ${range}`);
  }
}

/**
 * Checks that a name can go over a connection: UTF-8 has no bytes for half of a surrogate pair, and would put U+FFFD
 * there, which makes one name of several.
 *
 * @param what Description of the text, to begin a sentence with.
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
