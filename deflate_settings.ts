/**
 * The option `compression` (RFC 7692): fields, defaults, ranges.
 *
 * @module
 */

import { OptionError } from "./errors.ts";

/**
 * How messages are compressed. The last four are the parameters of RFC 7692 §7.1: what this end asks for and agrees to;
 * what was agreed on is in `connection.extensions`.
 */
export interface CompressionOptions {
  /**
   * Messages of fewer bytes are not compressed; nor are messages in fragments by hand whose first fragment has fewer.
   * @default {128}
   */
  threshold?: number;
  /**
   * 1 (fastest) to 9 (smallest); 0: no compression, in compressed form.
   * @default {6}
   */
  level?: number;
  /**
   * 1 to 9: a compressor has hash tables of 2^(memoryLevel + 9) bytes.
   * @default {8}
   */
  memoryLevel?: number;
  /**
   * The server compresses each message by itself.
   * @default {false}
   */
  serverNoContextTakeover?: boolean;
  /**
   * The client compresses each message by itself. A server that asks for it always gets it.
   * @default {false}
   */
  clientNoContextTakeover?: boolean;
  /**
   * The server's window is at most 2^n bytes, 8 to 15.
   * @default {15}
   */
  serverMaxWindowBits?: number;
  /**
   * The client's window is at most 2^n bytes, 8 to 15. A server can ask for less than 15 only from a client that says that it
   * can do it; others are served with 15.
   * @default {15}
   */
  clientMaxWindowBits?: number;
}

/** {@linkcode CompressionOptions} with nothing left out. */
export type CompressionSettings = Readonly<Required<CompressionOptions>>;

const DEFAULTS: CompressionSettings = {
  threshold: 128,
  level: 6,
  memoryLevel: 8,
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

/** The least and the most of each number. */
const RANGES: readonly [name: keyof CompressionOptions, least: number, most: number][] = [
  ["threshold", 0, Number.MAX_SAFE_INTEGER],
  ["level", 0, 9],
  ["memoryLevel", 1, 9],
  ["serverMaxWindowBits", 8, 15],
  ["clientMaxWindowBits", 8, 15],
];

/**
 * Fills in and checks the option `compression`. Whether this platform can compress is not looked at.
 *
 * @param option `true`: the defaults. `false`: no compression.
 * @returns The settings, or `undefined` for no compression.
 * @throws {OptionError} If a field is out of range, or unknown.
 */
export function checkCompression(option: boolean | CompressionOptions): CompressionSettings | undefined {
  if (option === false) return undefined;
  if (option === true) return DEFAULTS;
  if (Array.isArray(option)) throw new OptionError('The setting "compression" is a list: only a client offers several');
  if (typeof option !== "object" || option === null) {
    throw new OptionError(`The setting "compression" is "${option}", neither true, false nor an object`);
  }
  const settings: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(option)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new OptionError(`The setting "compression" has no field "${name}"`);
    if (value !== undefined) settings[name] = value;
  }
  for (const [name, least, most] of RANGES) {
    const value = settings[name];
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) continue;
    throw new OptionError(`The setting "compression.${name}" is ${value}, not an integer from ${least} to ${most}`);
  }
  for (const name of ["serverNoContextTakeover", "clientNoContextTakeover"]) {
    if (typeof settings[name] === "boolean") continue;
    throw new OptionError(`The setting "compression.${name}" is "${settings[name]}", neither true nor false`);
  }
  return settings as unknown as CompressionSettings;
}
