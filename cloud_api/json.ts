/**
 * Readers of JSON from outside, for parser and filters: none throws, and keys are looked up among own properties only.
 *
 * @module
 */

/** A JSON object as Meta sent it. */
export type JsonObject = { [key: string]: unknown };

/** A record before {@linkcode withoutUndefined}: optional members may be `undefined`. */
export type Loose<T> = { [Key in keyof T]: object extends Pick<T, Key> ? T[Key] | undefined : T[Key] };

/** Members of a record without those that are `undefined`. */
export type Defined<T> =
  & { -readonly [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { -readonly [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };

/**
 * Tells objects from arrays and other values.
 *
 * @param value The value.
 * @returns `true` for an object.
 */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads a member. Own properties only: the keys come from outside.
 *
 * @param raw The object.
 * @param key The key.
 * @returns Its value; `undefined` if it is absent, or `raw` is no object.
 */
export function own(raw: unknown, key: string): unknown {
  return isObject(raw) && Object.hasOwn(raw, key) ? raw[key] : undefined;
}

/**
 * Reads a text; a number is taken as one, since Meta is not consistent.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The text; `undefined` for any other value.
 */
export function text(raw: JsonObject, key: string): string | undefined {
  const value = own(raw, key);
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : undefined;
}

/**
 * Reads a text that is not empty: Meta may send an empty one instead of none.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The text; `undefined` for an empty one, and for any other value.
 */
export function fullText(raw: JsonObject, key: string): string | undefined {
  return text(raw, key) || undefined;
}

/**
 * Reads the first text found under several keys, of which Meta's documentation prints several for the same field.
 *
 * @param raw The object.
 * @param keys The keys, in the order of preference.
 * @returns The first text that is not empty; `undefined` if no key holds one.
 */
export function firstText(raw: JsonObject, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = fullText(raw, key);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * Reads a number; a text that is one is taken as one.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The number; `undefined` for any other value.
 */
export function number(raw: JsonObject, key: string): number | undefined {
  const value = own(raw, key);
  // 1e400 is valid JSON.
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

/**
 * Reads a boolean.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The boolean; `undefined` for any other value.
 */
export function boolean(raw: JsonObject, key: string): boolean | undefined {
  const value = own(raw, key);
  return typeof value === "boolean" ? value : undefined;
}

/**
 * Reads an object.
 *
 * @param raw The object around it.
 * @param key The key.
 * @returns The object; `undefined` for any other value.
 */
export function object(raw: JsonObject, key: string): JsonObject | undefined {
  const value = own(raw, key);
  return isObject(value) ? value : undefined;
}

/**
 * Reads an array.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The array; empty for any other value.
 */
export function list(raw: unknown, key: string): unknown[] {
  const value = own(raw, key);
  return Array.isArray(value) ? value : [];
}

/**
 * Reads the objects of an array.
 *
 * @param raw The object around it.
 * @param key The key.
 * @returns The objects; other elements are left out.
 */
export function objects(raw: JsonObject, key: string): JsonObject[] {
  const value = own(raw, key);
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/**
 * Reads a time in Unix seconds, as text or number.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The time; `undefined` for any other value.
 */
export function date(raw: JsonObject, key: string): Date | undefined {
  const seconds = number(raw, key);
  if (seconds === undefined) return undefined;
  const parsed = new Date(seconds * 1000);
  return Number.isNaN(parsed.getTime()) ? undefined : parsed;
}

/**
 * Reads several texts, and gives them the names of this library.
 *
 * @param raw The object.
 * @param names The keys, by the names wanted.
 * @returns The texts that are there.
 */
export function pick<Name extends string>(raw: JsonObject, names: Record<Name, string>): { [key in Name]?: string } {
  const picked: { [key in Name]?: string } = {};
  for (const name of Object.keys(names) as Name[]) {
    const value = text(raw, names[name]);
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

/**
 * Leaves out members that are `undefined`, so that records print and compare as what they hold. A copy, since objects
 * that members are deleted from are slow.
 *
 * @param record The record.
 * @returns Its members that are not `undefined`.
 */
export function withoutUndefined<const T extends object>(record: T): Defined<T> {
  const defined = {} as { [key: string]: unknown };
  for (const key in record) {
    const value = record[key];
    if (value !== undefined) defined[key] = value;
  }
  return defined as Defined<T>;
}
