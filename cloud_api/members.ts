/**
 * Readers of whole objects, made of tables: a row has the name in this library, and the reader of the member. Tables
 * are smaller than code, and pages load the parser.
 *
 * @module
 */

import { type Defined, type JsonObject, object, objects, own, text } from "./json.ts";
import { snakeCase } from "./key_case.ts";

/** Reads a member; `undefined` if it is absent, or of another type. */
export type Reader<Value> = (raw: JsonObject, key: string) => Value;

/**
 * A row of a table: the reader alone, if the key of Meta is the name with underscores, or the reader with the keys. The
 * first that has a value counts. A key such as `origin.type` is that of a member of a member.
 */
type Row = Reader<unknown> | readonly [Reader<unknown>, ...string[]];

type ValueOf<Each> = Each extends Reader<infer Value> ? Value
  : Each extends readonly [Reader<infer Value>, ...string[]] ? Value
  : never;

/** The object that a table makes. */
type Read<Table> = Defined<{ [Name in keyof Table]: ValueOf<Table[Name]> }>;

/** A row as it is read. */
interface CompiledRow {
  readonly name: string;
  readonly read: Reader<unknown>;
  readonly key: string;
}

/**
 * Makes a reader of objects. It gives the members that have a value, in the order of the table.
 *
 * @param table Returns the rows by name; called at the first object, so that loading the module does nothing.
 * @param prefix Begins the keys of Meta in rows without one.
 * @returns The reader.
 */
export function members<const Table extends { readonly [name: string]: Row }>(
  table: () => Table,
  prefix: string = "",
): (raw: JsonObject) => Read<Table> {
  let rows: readonly CompiledRow[] | undefined;
  return (raw) => {
    const record: { [name: string]: unknown } = {};
    for (const { name, read, key } of rows ??= compile(table(), prefix)) {
      const value = read(raw, key);
      if (value !== undefined) record[name] = value;
    }
    return record as Read<Table>;
  };
}

function compile(table: { readonly [name: string]: Row }, prefix: string): CompiledRow[] {
  return Object.entries(table).map(([name, row]) => {
    if (typeof row === "function") return { name, read: row, key: prefix + snakeCase(name) };
    const [read, ...keys] = row;
    return { name, read: firstOf(read, keys.map((key) => key.split("."))), key: "" };
  });
}

/** Reads the first key that has a value. */
function firstOf(read: Reader<unknown>, paths: readonly (readonly string[])[]): Reader<unknown> {
  return (raw) => {
    for (const path of paths) {
      let holder = raw;
      const last = path.length - 1;
      for (let at = 0; at < last; at++) holder = object(holder, path[at]!) ?? NONE;
      const value = read(holder, path[last]!);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

const NONE: JsonObject = {};

/**
 * Makes a reader of a member that is an object.
 *
 * @param read Reads the object.
 * @returns The reader.
 */
export function nested<Value>(read: (raw: JsonObject) => Value): Reader<Value | undefined> {
  return (raw, key) => {
    const value = object(raw, key);
    return value && read(value);
  };
}

/**
 * Makes a reader of a list of objects.
 *
 * @param read Reads an object.
 * @returns The reader; it gives an empty list for one that is absent.
 */
export function each<Value>(read: (raw: JsonObject) => Value): Reader<Value[]> {
  return (raw, key) => objects(raw, key).map(read);
}

/**
 * Makes a reader of a list of objects that may be absent.
 *
 * @param read Reads an object.
 * @returns The reader.
 */
export function eachIfAny<Value>(read: (raw: JsonObject) => Value): Reader<Value[] | undefined> {
  return (raw, key) => Array.isArray(own(raw, key)) ? objects(raw, key).map(read) : undefined;
}

/**
 * Makes a reader with a value for members that are absent, or of another type.
 *
 * @param read Reads the member.
 * @param value The value.
 * @returns The reader.
 */
export function otherwise<Value>(read: Reader<Value | undefined>, value: Value): Reader<Value> {
  return (raw, key) => read(raw, key) ?? value;
}

/**
 * Reads a text that is always there.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The text; "" for any other value.
 */
export function textOrEmpty(raw: JsonObject, key: string): string {
  return text(raw, key) ?? "";
}
