/**
 * Checks of arguments before a call of the Graph API. Messages have a length or a count, never a whole text.
 *
 * @module
 */

import { quote, redactUrl } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { countCharacters } from "./contents_checks.ts";

/** Least and greatest length of a text, in characters. */
export interface LengthLimits {
  /**
   * Least length.
   * @default {0}
   */
  readonly min?: number | undefined;
  /** Greatest length. */
  readonly max: number;
}

/**
 * Checks the length of a text.
 *
 * @param name The name of the text, for the error.
 * @param text The text.
 * @param limits Its limits.
 * @throws {OptionError} If it is no text, or too short or too long.
 */
export function assertLength(name: string, text: unknown, { min = 0, max }: LengthLimits): asserts text is string {
  if (typeof text !== "string") throw new OptionError(`The "${name}" is ${showValue(text)} instead of a text`);
  const length = countCharacters(text);
  if (length >= min && length <= max) return;
  const range = length < min ? `${min} to ${max}` : `${max} at most`;
  throw new OptionError(`The "${name}" has ${length} characters: the Cloud API takes ${range}`);
}

/**
 * Checks the size of a page of a list.
 *
 * @param size The number of elements; `undefined` stands for Meta's own choice.
 * @param max Greatest number, if there is one.
 * @throws {OptionError} If it is no whole number from 1 on, or too great.
 */
export function assertPageSize(size: number | undefined, max: number = Number.MAX_SAFE_INTEGER): void {
  if (size === undefined || (Number.isSafeInteger(size) && size >= 1 && size <= max)) return;
  const range = max === Number.MAX_SAFE_INTEGER ? "a whole number from 1 on" : `a whole number from 1 to ${max}`;
  throw new OptionError(`The option "pageSize" is ${showValue(size)} instead of ${range}`);
}

/**
 * Checks a URL that Meta shall call or show.
 *
 * @param name The name of the URL, for the error.
 * @param url The URL.
 * @param max Greatest length, in characters.
 * @param protocols The schemes allowed, with a colon.
 * @throws {OptionError} If it is no such URL, or too long.
 */
export function assertUrl(name: string, url: unknown, max: number, protocols: readonly string[]): void {
  assertLength(name, url, { max });
  if (URL.canParse(url) && protocols.includes(new URL(url).protocol)) return;
  const schemes = protocols.map((protocol) => `${protocol}//`).join(" or ");
  throw new OptionError(`The "${name}" is ${quote(redactUrl(url))}: a URL that begins with ${schemes} is wanted`);
}

/**
 * Checks a text that is made of digits only, such as a PIN. The error does not show it.
 *
 * @param name The name, for the error.
 * @param digits The text.
 * @param count Number of digits; any number from 1 on without it.
 * @throws {OptionError} If it is another text.
 */
export function assertDigits(name: string, digits: unknown, count?: number): asserts digits is string {
  const wanted = count === undefined ? "digits" : `${count} digits`;
  if (typeof digits !== "string") {
    throw new OptionError(`The ${name} is of the type ${typeof digits} instead of a text of ${wanted}`);
  }
  const length = digits.length;
  if ((count === undefined ? length > 0 : length === count) && isDigits(digits)) return;
  throw new OptionError(`The ${name} is a text of ${length} characters instead of ${wanted}`);
}

/**
 * Tells whether a text has digits only.
 *
 * @param text The text.
 * @returns `true` if it has, also if it is empty.
 */
export function isDigits(text: string): boolean {
  for (const character of text) if (character < "0" || character > "9") return false;
  return true;
}

/**
 * Checks the names of fields that an answer shall have.
 *
 * @param fields The names; `undefined` stands for those of this library.
 * @throws {OptionError} If they are no texts, or none.
 */
export function assertFields(fields: readonly string[] | undefined): void {
  if (fields === undefined) return;
  if (Array.isArray(fields) && fields.length > 0 && fields.every((field) => typeof field === "string" && field)) return;
  throw new OptionError('The option "fields" wants an array with names of fields, such as ["status"]');
}
