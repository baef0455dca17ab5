/**
 * Values of a program that may be anything: an object without a prototype, a revoked `Proxy`, a `toString` that throws.
 *
 * @module
 */

import { quote } from "./error_text.ts";

/**
 * Tells whether a thrown value is of a class. Unlike `instanceof` it takes any value.
 *
 * @param error The thrown value.
 * @param kind The class.
 * @returns `true` if it is.
 */
export function isError<Kind>(error: unknown, kind: abstract new (...args: never[]) => Kind): error is Kind {
  try {
    return error instanceof kind;
  } catch {
    return false;
  }
}

/**
 * Shows a value in a message.
 *
 * @param value The value.
 * @returns Its type and its text in double quotes; only its type if it has no text.
 */
export function shown(value: unknown): string {
  try {
    return `${typeof value} ${quote(String(value))}`;
  } catch {
    return `a value of type ${typeof value}`;
  }
}
