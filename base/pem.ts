/**
 * PEM text that a program gives instead of the path of a file.
 *
 * @module
 */

import { OptionError } from "./errors.ts";

/** PEM text, or its bytes. */
export type PemData = string | Uint8Array;

/** Begin of a PEM block. */
const BEGIN = "-----BEGIN ";
/** The longest text that is taken for a path, in characters. */
const MAX_PATH = 1024;
const PATH_BEGINS = ["/", "./", "../", "~", ".\\", "..\\"];
const PATH_ENDS = [".pem", ".crt", ".cer", ".cert", ".key", ".p8"];
/** First byte of certificates and keys in DER. */
const DER_SEQUENCE = 0x30;

/**
 * Tells whether a text has a PEM block.
 *
 * @param text The text.
 * @returns `true` if a block begins in it.
 */
export function hasPemBlock(text: string): boolean {
  return text.includes(BEGIN);
}

/**
 * Decodes PEM.
 *
 * @param data The text, or its bytes.
 * @returns The text.
 */
export function pemText(data: PemData): string {
  return typeof data === "string" ? data : new TextDecoder().decode(data);
}

/**
 * Checks a setting that takes PEM text. The message never has a part of the value: it may be a key.
 *
 * @param value The value; "" stands for none.
 * @param name The setting, beside which there is one for a path: the same name with `File` behind it.
 * @throws {OptionError} If it is neither text nor bytes, or has no PEM block.
 */
export function assertPem(value: unknown, name: string): void {
  if (value === "") return;
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new OptionError(`The setting "${name}" is neither PEM text nor its bytes: it is of type "${typeof value}"`);
  }
  const text = pemText(value);
  if (!hasPemBlock(text)) throw new OptionError(`The setting "${name}" ${faultOf(value, text, name)}`);
}

function faultOf(value: PemData, text: string, name: string): string {
  if (isPath(text)) return `is a path: use "${name}File"`;
  if (typeof value !== "string" && value[0] === DER_SEQUENCE) return "is DER: convert it to PEM, as openssl does";
  return 'has no PEM block, which begins with "-----BEGIN "';
}

function isPath(text: string): boolean {
  if (text.length > MAX_PATH || text.includes("\n")) return false;
  return PATH_BEGINS.some((begin) => text.startsWith(begin)) || PATH_ENDS.some((end) => text.endsWith(end));
}
