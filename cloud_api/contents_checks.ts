/**
 * Checks of contents against the limits of the Cloud API before anything is sent. Errors name the value at fault, and
 * its length or count, never the text.
 *
 * @module
 */

import { quote, redactUrl } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { isObject, type JsonObject } from "./json.ts";

/**
 * Counts characters: code points. Meta does not document its way of counting; UTF-16 units and bytes would be more, and
 * refuse texts that it may take.
 *
 * @param text The text.
 * @returns Number of code points.
 */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * Checks a text.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @param most Most characters.
 * @returns The text.
 * @throws {OptionError} If it is no text, empty, or too long.
 */
export function textOf(name: string, value: unknown, most: number = Infinity): string {
  if (typeof value !== "string") throw new OptionError(`The "${name}" is ${showValue(value)} instead of a text`);
  if (value === "") throw new OptionError(`The "${name}" is empty`);
  // Code points are never more than UTF-16 units.
  const count = value.length > most ? countCharacters(value) : 0;
  if (count <= most) return value;
  throw new OptionError(`The "${name}" has ${count} characters: the Cloud API takes ${most} at most`);
}

/**
 * Checks a text that may be absent.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @param most Most characters.
 * @returns The text, or `undefined`.
 * @throws {OptionError} If it is no text, empty, or too long.
 */
export function optionalText(name: string, value: unknown, most: number = Infinity): string | undefined {
  return value === undefined ? undefined : textOf(name, value, most);
}

/**
 * Checks a list.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @param most Most entries.
 * @param least Fewest entries.
 * @returns The list.
 * @throws {OptionError} If it is no array, or has too few or too many entries.
 */
export function listOf<Entry>(name: string, value: readonly Entry[], most: number, least = 1): readonly Entry[] {
  if (!Array.isArray(value)) throw new OptionError(`The "${name}" are ${showValue(value)} instead of an array`);
  assertCount(name, value.length, most, least);
  return value;
}

/**
 * Checks a number of entries.
 *
 * @param name Their name, for the message.
 * @param count The number.
 * @param most The most.
 * @param least The fewest.
 * @throws {OptionError} If it is out of range.
 */
export function assertCount(name: string, count: number, most: number, least = 1): void {
  if (count >= least && count <= most) return;
  const range = count > most ? `${most} at most` : `at least ${least}`;
  throw new OptionError(`The "${name}" are ${count}: the Cloud API takes ${range}`);
}

/**
 * Checks that no two values are the same.
 *
 * @param name The list, for the message.
 * @param member The member of its entries.
 * @param values The values.
 * @throws {OptionError} If two are the same.
 */
export function assertDistinct(name: string, member: string, values: readonly string[]): void {
  for (const [index, value] of values.entries()) {
    const first = values.indexOf(value);
    if (first === index) continue;
    throw new OptionError(`"${name}[${index}].${member}" is the same as "${name}[${first}].${member}"`);
  }
}

/**
 * Checks a URL.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @returns The URL as given.
 * @throws {OptionError} If it is not an `http` or `https` URL.
 */
export function urlOf(name: string, value: unknown): string {
  const url = textOf(name, value);
  if (URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol)) return url;
  throw new OptionError(`The "${name}" is ${quote(redactUrl(url))}: not an http or https URL`);
}

/**
 * Checks a number.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @param least The smallest.
 * @param most The largest.
 * @returns The number.
 * @throws {OptionError} If it is no number, or out of range.
 */
export function numberIn(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw new OptionError(`The "${name}" is ${showValue(value)} instead of a number from ${least} to ${most}`);
}

/**
 * Checks an integer.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @param least The smallest.
 * @param most The largest.
 * @returns The integer.
 * @throws {OptionError} If it is no integer, or out of range.
 */
export function integerIn(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value)) return numberIn(name, value, least, most);
  throw new OptionError(`The "${name}" is ${showValue(value)} instead of an integer from ${least} to ${most}`);
}

/**
 * Checks a value that has one of a few texts.
 *
 * @param name Its name, for the message.
 * @param value The value; `undefined` stands for none.
 * @param choices The texts.
 * @returns The value.
 * @throws {OptionError} If it is another one.
 */
export function choiceOf<Choice extends string>(
  name: string,
  value: Choice | undefined,
  choices: readonly Choice[],
): Choice | undefined {
  if (value === undefined || choices.includes(value)) return value;
  const known = choices.map((choice) => `"${choice}"`).join(" or ");
  throw new OptionError(`The "${name}" is ${showValue(value)} instead of ${known}`);
}

/**
 * Checks a JSON object.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @returns The object.
 * @throws {OptionError} If it is none.
 */
export function objectOf(name: string, value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw new OptionError(`The "${name}" is ${showValue(value)} instead of an object`);
}

/**
 * Checks a JSON object that may be absent.
 *
 * @param name Its name, for the message.
 * @param value The value.
 * @returns The object, or `undefined`.
 * @throws {OptionError} If it is neither.
 */
export function optionalObject(name: string, value: unknown): JsonObject | undefined {
  return value === undefined ? undefined : objectOf(name, value);
}

/**
 * Finds the only one of several members that an object has.
 *
 * @param name The object, for the message.
 * @param value The object.
 * @param members The members.
 * @returns The member that is not `undefined`.
 * @throws {OptionError} If it is no object, or has none, or several.
 */
export function onlyMember<Member extends string>(name: string, value: object, members: readonly Member[]): Member {
  if (!isObject(value)) throw new OptionError(`${name} is ${showValue(value)} instead of an object`);
  const given = members.filter((member) => Reflect.get(value, member) !== undefined);
  if (given.length === 1) return given[0]!;
  const wanted = members.map((member) => `"${member}"`).join(", ");
  throw new OptionError(`${name} needs one of ${wanted}: it has ${given.length === 0 ? "none" : given.join(", ")}`);
}
