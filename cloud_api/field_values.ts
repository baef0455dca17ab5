/**
 * Reading the values of webhook fields: lists of items, and values that are one item.
 *
 * @module
 */

import { date, type Defined, isObject, type JsonObject, list, withoutUndefined } from "./json.ts";
import { type ChangeOrigin, type FieldParser, type ParsedValue, recordBase } from "./origin.ts";
import { parseAccountError } from "./parse_errors.ts";
import type { WhatsAppRecord } from "./records.ts";

/** Members that all records have, and those of a kind. */
type RecordOf<Kind extends string, Members> =
  & Defined<{ kind: Kind; timestamp: Date | undefined } & ReturnType<typeof recordBase>>
  & Members;

/**
 * Makes a record. Its time is that of the item, or that of the entry.
 *
 * @param kind Its kind.
 * @param raw The item as sent.
 * @param origin The change.
 * @param members The members of the kind.
 * @returns The record.
 */
export function makeRecord<Kind extends string, Members extends object>(
  kind: Kind,
  raw: JsonObject,
  origin: ChangeOrigin,
  members: Members,
): RecordOf<Kind, Members> {
  const timestamp = date(raw, "timestamp") ?? origin.entryTime;
  return withoutUndefined({ kind, ...recordBase(origin, raw), timestamp, ...members }) as RecordOf<Kind, Members>;
}

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
 * Makes the parser of a field whose value is a list.
 *
 * @param key The key of the list.
 * @param parse The parser of its items.
 * @returns The parser, which reads errors beside the list too.
 */
export function listValue(key: string, parse: ListItemParser): FieldParser {
  const lists = new Map([[key, parse], ["errors", parseAccountError as ListItemParser]]);
  return (value, origin) => parseLists(value, origin, lists);
}

/**
 * Makes the parser of a field whose value is one record, which has all of it in its `raw`.
 *
 * @param parse The parser of the value.
 * @returns The parser.
 */
export function wholeValue(parse: ListItemParser): FieldParser {
  return (value, origin) => ({ records: [parse(value, origin)], rest: {} });
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
