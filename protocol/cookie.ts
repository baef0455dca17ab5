/**
 * Several `Cookie` lines as one (RFC 9113 §8.2.3, RFC 6265 §5.4): with "; " between them, never with a comma.
 *
 * @module
 */

import { isToken } from "../base/token.ts";

/**
 * Joins the values of `Cookie` lines.
 *
 * @param values The values, in order.
 * @returns The value of one line.
 */
export function joinCookies(values: readonly string[]): string {
  return values.join("; ");
}

/**
 * Replaces the commas with which `Headers` of Deno joins cookies that were appended one by one. A comma inside of a
 * value stays: no `name=` follows it.
 *
 * @param value The value, as `Headers` has it.
 * @returns The value with "; " between the cookies.
 */
export function separateCookies(value: string): string {
  const [first = "", ...rest] = value.split(", ");
  return rest.reduce((joined, part) => joined + (beginsCookie(part) ? "; " : ", ") + part, first);
}

function beginsCookie(text: string): boolean {
  const end = text.indexOf("=");
  return end > 0 && isToken(text.slice(0, end));
}
