/**
 * A stand-in for `@std/assert`, on `node:assert`, for places where JSR is out of reach: the same names and
 * signatures, as many as the tests use.
 *
 * With the package itself: `deno test -A --import-map=tests/std/jsr.json`.
 *
 * @module
 */

import nodeAssert from "node:assert/strict";

/** Error thrown by a failed assertion. */
export const AssertionError: typeof nodeAssert.AssertionError = nodeAssert.AssertionError;

// deno-lint-ignore no-explicit-any -- as in @std/assert: any constructor at all
type Constructor<T> = abstract new (...args: any[]) => T;

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) fail(msg || "not truthy");
}

/** Asserts that `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): void {
  if (expr) fail(msg || "not falsy");
}

/** Asserts that two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, msg);
}

/** Asserts that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, msg);
}

/** Asserts that two values are the same. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, msg);
}

/** Asserts that a value is neither `null` nor `undefined`. */
export function assertExists<T>(actual: T, msg = ""): asserts actual is NonNullable<T> {
  if (actual === null || actual === undefined) fail(msg || `is ${actual}`);
}

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T>(actual: unknown, expectedType: Constructor<T>, msg = ""): asserts actual is T {
  if (!(actual instanceof expectedType)) fail(msg || `"${actual}" is not a ${expectedType.name}`);
}

/** Asserts that a text holds another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) fail(msg ?? `"${actual}" does not include "${expected}"`);
}

/** Asserts that `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) fail(msg ?? `${actual} is not greater than ${expected}`);
}

/** Asserts that `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) fail(msg ?? `${actual} is less than ${expected}`);
}

/** Asserts that `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) fail(msg ?? `${actual} is not less than ${expected}`);
}

/** Asserts that `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) fail(msg ?? `${actual} is greater than ${expected}`);
}

/** Asserts that a function throws, and returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Constructor<E> = Error as unknown as Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes, msg);
  }
  fail(msg ?? "did not throw");
}

/** Asserts that a promise rejects, and resolves to what it rejected with. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Constructor<E> = Error as unknown as Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes, msg);
  }
  fail(msg ?? "did not reject");
}

function checkError<E>(error: unknown, ErrorClass: Constructor<E>, msgIncludes?: string, msg?: string): E {
  if (!(error instanceof ErrorClass)) fail(msg ?? `threw "${error}" instead of a ${ErrorClass.name}`);
  if (msgIncludes !== undefined && !(error as Error).message.includes(msgIncludes)) {
    fail(msg ?? `the message "${(error as Error).message}" does not include "${msgIncludes}"`);
  }
  return error;
}

/** Fails. */
export function fail(msg?: string): never {
  throw new AssertionError({ message: msg ?? "Failed assertion." });
}
