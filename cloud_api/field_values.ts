/**
 * Reading the values of webhook fields: lists of items, and values that are one item.
 *
 * @module
 */

import { isObject, type JsonObject, list } from "./json.ts";
import type { ChangeOrigin, ParsedValue } from "./origin.ts";
import type { WhatsAppRecord } from "./records.ts";

/** Makes the record of an item in a list. */
export type ListItemParser = (item: JsonObject, origin: ChangeOrigin) => WhatsAppRecord;

/**
 * Makes a record of each object in the lists of a value.
 *
 * @param value The value.
 * @param origin The change.
 * @param lists The parser of the items, by the key of the list.
 * @returns The records in the order of the value; the rest has all other members, and items that are no objects. A list
 *   that is `null` is absent.
 */
export function parseLists(
  value: JsonObject,
  origin: ChangeOrigin,
  lists: ReadonlyMap<string, ListItemParser>,
): ParsedValue {
  const records: WhatsAppRecord[] = [];
  const rest: [key: string, member: unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    const parse = lists.get(key);
    if (parse === undefined || (!Array.isArray(member) && member !== null)) rest.push([key, member]);
    if (parse === undefined || !Array.isArray(member)) continue;
    for (const item of member) if (isObject(item)) records.push(parse(item, origin));
    const others = member.filter((item) => !isObject(item));
    if (others.length > 0) rest.push([key, others]);
  }
  // The keys come from outside: an assignment would set the prototype for one of them.
  return { records, rest: Object.fromEntries(rest) };
}

/**
 * Returns a value that is one record, which has all of it in its `raw`.
 *
 * @param record The record.
 * @returns The record, and no rest.
 */
export function wholeValue(record: WhatsAppRecord): ParsedValue {
  return { records: [record], rest: {} };
}

/**
 * Reads a list of texts; numbers are taken as texts.
 *
 * @param raw The object around it.
 * @param key The key.
 * @returns The texts; other items are left out.
 */
export function texts(raw: JsonObject, key: string): string[] {
  return list(raw, key).filter((item) => typeof item === "string" || typeof item === "number").map(String);
}
