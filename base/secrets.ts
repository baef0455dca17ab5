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
 * @throws {OptionError} If there is none, or one is no text, empty, white space only, or has white space around it or
 * control characters, as a line of a file has: no peer would ever show it.
 */
export function assertSecrets(name: string, secrets: string | readonly string[]): void {
  if (typeof secrets !== "string" && !Array.isArray(secrets)) {
    throw new OptionError(`The setting "${name}" is ${kindOf(secrets)} instead of a string or an array of strings`);
  }
  const list = typeof secrets === "string" ? [secrets] : secrets;
  const other: unknown = list.find((entry) => typeof entry !== "string");
  if (other !== undefined) {
    throw new OptionError(`The setting "${name}" has an entry that is ${kindOf(other)} instead of a string`);
  }
  if (list.length === 0 || !list.every(isSecret)) {
    throw new OptionError(`The setting "${name}" is empty, or has an empty entry`);
  }
  const faulty = list.find((secret) => faultOf(secret) !== undefined);
  if (faulty !== undefined) throw new OptionError(`The setting "${name}" ${faultOf(faulty)}`);
}

/**
 * Checks a secret of which there is one, or a function that is asked for it.
 *
 * @param name The setting.
 * @param secret The secret.
 * @throws {OptionError} If it is of another kind, or cannot be a secret.
 */
export function assertSecret(name: string, secret: unknown): void {
  if (typeof secret === "function") return;
  if (typeof secret === "string") return assertSecrets(name, secret);
  throw new OptionError(`The setting "${name}" is ${kindOf(secret)} instead of a string or a function`);
}

/**
 * Checks the secret that a function of the program returned.
 *
 * @param name The setting.
 * @param secret The secret.
 * @throws {OptionError} If it is of another kind, or cannot be a secret.
 */
export function assertAnswer(name: string, secret: unknown): asserts secret is string {
  if (typeof secret === "string") return assertSecrets(name, secret);
  throw new OptionError(`The function of the setting "${name}" returned ${kindOf(secret)} instead of a string`);
}

/** Names the kind of a value, which may be a secret. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  if (value instanceof Promise) return "a promise (await it)";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function faultOf(secret: string): string | undefined {
  if (secret.trim() !== secret) {
    const atEnd = secret.trimEnd() !== secret;
    const line = atEnd && (secret.endsWith("\n") || secret.endsWith("\r"));
    return `${atEnd ? "ends" : "begins"} with ${line ? "a line break" : "white space"}: trim it`;
  }
  for (let at = 0; at < secret.length; at++) {
    const code = secret.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return "has a control character, such as a line break or a tab";
  }
  return undefined;
}

/**
 * Checks a token that is shown in `Authorization`. The runtimes would quote it in their errors.
 *
 * @param name The setting.
 * @param token The token.
 * @throws {OptionError} If it is no text, empty, or has a character that a header field cannot hold.
 */
export function assertToken(name: string, token: string): void {
  const given: unknown = token;
  if (typeof given !== "string") throw new OptionError(`The setting "${name}" is ${kindOf(given)} instead of a string`);
  assertSecrets(name, token);
  if (!isFieldValue(token)) throw new OptionError(`The setting "${name}" has a character that is not allowed`);
}
