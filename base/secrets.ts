/**
 * Checks of secrets that a program gives: an empty secret would match a peer that shows none, and its signatures could
 * be made by any peer.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import { isFieldValue } from "./token.ts";

/**
 * One or several texts as a list.
 *
 * @param value The given value.
 * @returns The list.
 */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

/**
 * Tells whether a value is a text with more than white space.
 *
 * @param value The value.
 * @returns `true` if it can be a secret.
 */
export function isSecret(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

/**
 * Checks secrets. Messages do not show them.
 *
 * @param name The setting.
 * @param secrets One, or several.
 * @throws {OptionError} If there is none, or one is no text, empty, or white space only.
 */
export function assertSecrets(name: string, secrets: string | readonly string[]): void {
  const list = typeof secrets === "string" ? [secrets] : secrets;
  if (!Array.isArray(list)) {
    const kind = list === null ? "null" : typeof list;
    throw new OptionError(`The setting "${name}" is of type "${kind}" instead of "string", or empty`);
  }
  if (list.length > 0 && list.every(isSecret)) return;
  throw new OptionError(`The setting "${name}" is empty, or has an empty entry`);
}

/**
 * Checks a token that is shown in `Authorization`. The runtimes would quote it in their errors.
 *
 * @param name The setting.
 * @param token The token.
 * @throws {OptionError} If it is empty, or has a character that a header field cannot hold.
 */
export function assertToken(name: string, token: string): void {
  assertSecrets(name, token);
  if (!isFieldValue(token)) throw new OptionError(`The setting "${name}" has a character that is not allowed`);
}
