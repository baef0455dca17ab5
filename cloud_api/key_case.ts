/**
 * Names of members in the two forms: `callIconVisibility` of this library, and `call_icon_visibility` of Meta.
 *
 * @module
 */

import { isObject, type JsonObject } from "./json.ts";

/** Members whose own members are names that a business chose. */
const OPAQUE: readonly string[] = ["request_uri_user_params", "requestUriUserParams"];

/**
 * Gives all members names with capital letters.
 *
 * @param raw An object of Meta.
 * @returns A copy.
 */
export function camelKeys(raw: JsonObject): JsonObject {
  return renamed(raw, camelCase);
}

/**
 * Gives all members names with underscores, and leaves out those that are `undefined`.
 *
 * @param record An object of a program.
 * @returns A copy.
 */
export function snakeKeys(record: object): JsonObject {
  return renamed(record as JsonObject, snakeCase);
}

function renamed(value: JsonObject, rename: (name: string) => string): JsonObject {
  const copy: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) define(copy, rename(name), OPAQUE.includes(name) ? member : renamedValue(member, rename));
  }
  return copy;
}

function renamedValue(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((element) => renamedValue(element, rename));
  return isObject(value) ? renamed(value, rename) : value;
}

/** An assignment would call the setter of `__proto__`. */
function define(copy: JsonObject, name: string, value: unknown): void {
  Object.defineProperty(copy, name, { value, writable: true, enumerable: true, configurable: true });
}

function camelCase(name: string): string {
  let camel = "";
  let begun = false;
  for (let at = 0; at < name.length; at++) {
    const next = name[at + 1];
    begun ||= name[at] !== "_";
    // Underscores at the beginning, and before what is no letter, stay.
    if (name[at] === "_" && begun && next !== undefined && next >= "a" && next <= "z") {
      camel += next.toUpperCase();
      at++;
    } else camel += name[at];
  }
  return camel;
}

/**
 * Gives a name the form of Meta.
 *
 * @param name The name with capital letters.
 * @returns The name with underscores.
 */
export function snakeCase(name: string): string {
  let snake = "";
  for (const character of name) {
    snake += character >= "A" && character <= "Z" ? `_${character.toLowerCase()}` : character;
  }
  return snake;
}
