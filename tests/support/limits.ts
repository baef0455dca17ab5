/** Asserts about limits of contents: the last value that is taken, and the first one that is refused. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "../../base/errors.ts";

/** One character of two UTF-16 units, which no message contains by itself. */
const CHARACTER = "𝄞";

/**
 * Checks the limit of a text.
 *
 * @param name Its name in errors.
 * @param most Most characters.
 * @param make Makes contents with the text, and returns it as it stands in the JSON.
 */
export function assertLongest(name: string, most: number, make: (text: string) => unknown): void {
  const longest = CHARACTER.repeat(most);
  assertEquals(make(longest), longest);
  const error = assertThrows(() => make(longest + CHARACTER), OptionError);
  assertStringIncludes(error.message, `"${name}" has ${most + 1} characters`);
  assertStringIncludes(error.message, `${most} at most`);
  assert(!error.message.includes(CHARACTER), "the text is in the error");
  const empty = assertThrows(() => make(""), OptionError);
  assertStringIncludes(empty.message, `"${name}" is empty`);
  const wrong = assertThrows(() => make(7 as unknown as string), OptionError);
  assertStringIncludes(wrong.message, `"${name}" is 7 instead of a text`);
}

/**
 * Checks the limits of a list.
 *
 * @param name Its name in errors.
 * @param range The fewest and the most entries.
 * @param make Makes contents with so many entries, and returns the number of those in the JSON.
 */
export function assertCounts(
  name: string,
  range: [least: number, most: number],
  make: (count: number) => number,
): void {
  const [least, most] = range;
  assertEquals([make(least), make(most)], [least, most]);
  const few = assertThrows(() => make(least - 1), OptionError);
  assertStringIncludes(few.message, `"${name}" are ${least - 1}: the Cloud API takes at least ${least}`);
  const many = assertThrows(() => make(most + 1), OptionError);
  assertStringIncludes(many.message, `"${name}" are ${most + 1}: the Cloud API takes ${most} at most`);
}

/**
 * Checks that contents are refused.
 *
 * @param make Makes them.
 * @param parts Parts of the message.
 */
export function assertRefused(make: () => unknown, ...parts: string[]): void {
  const { message } = assertThrows(make, OptionError);
  for (const part of parts) assertStringIncludes(message, part);
}
