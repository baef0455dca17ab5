/**
 * Records and skipped items of a notification while it is parsed, and records of all that no parser knows.
 *
 * @module
 */

import { date, isObject, type JsonObject, own, withoutUndefined } from "./json.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import type { SkippedItem, WhatsAppRecord } from "./records.ts";

/** Reads a known member; `undefined` if it has another type: it is unknown then. */
export type MemberReader = (raw: JsonObject, key: string) => unknown;

/**
 * Returns the members of an object that no record has.
 *
 * @param raw The object.
 * @param known Readers of its known members.
 * @returns Members without a reader, or with a value that its reader does not take. Absent ones are left out.
 */
export function restOf(raw: JsonObject, known: ReadonlyMap<string, MemberReader>): JsonObject {
  return pickMembers(raw, (key) => known.get(key)?.(raw, key) === undefined);
}

/** No members. */
const NOTHING: JsonObject = /* @__PURE__ */ Object.freeze({});

/**
 * Copies members of an object. Notifications have nothing unknown as a rule: then there is no copy.
 *
 * @param raw The object.
 * @param wanted Chooses members by their keys.
 * @returns Its members without absent ones.
 */
export function pickMembers(raw: JsonObject, wanted: (key: string) => boolean): JsonObject {
  let members: [key: string, value: unknown][] | undefined;
  for (const key of Object.keys(raw)) {
    if (wanted(key) && !isAbsent(raw[key])) (members ??= []).push([key, raw[key]]);
  }
  // From entries: a key may be __proto__.
  return members === undefined ? NOTHING : Object.fromEntries(members);
}

/** Returns `true` for values that hold nothing: relays send `null` and empty ones for members that are absent. */
function isAbsent(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** Collects the records of a notification. */
export class Collector {
  /** The records, in order. */
  readonly records: WhatsAppRecord[] = [];
  /** Items that are no records. */
  readonly skipped: SkippedItem[] = [];

  /** Number of items so far. */
  get count(): number {
    return this.records.length + this.skipped.length;
  }

  /**
   * Notes an item that is no record.
   *
   * @param path Its place.
   * @param reason The reason.
   */
  skip(path: string, reason: string): void {
    this.skipped.push({ path, reason });
  }

  /**
   * Calls back for each object in an array; other elements are skipped one by one. `null` is an absent list.
   *
   * @param parent The object around the array.
   * @param key Its key.
   * @param path Place of the object; "" for the whole notification.
   * @param visit Called with each object and its place.
   */
  each(parent: JsonObject, key: string, path: string, visit: (item: JsonObject, path: string) => void): void {
    const value = own(parent, key) ?? undefined;
    if (value === undefined) return;
    const base = path === "" ? key : `${path}.${key}`;
    if (!Array.isArray(value)) return this.skip(base, "not an array");
    value.forEach((item, index) => {
      if (isObject(item)) visit(item, `${base}[${index}]`);
      else this.skip(`${base}[${index}]`, "not an object");
    });
  }

  /**
   * Adds a record of something that has no kind of its own.
   *
   * @param raw Its value.
   * @param origin The change that it is from.
   * @param key Name of the member that it is; `undefined`: the value of the change.
   */
  addOther(raw: JsonObject, origin: ChangeOrigin, key?: string): void {
    const timestamp = date(raw, "timestamp") ?? origin.entryTime;
    this.records.push(withoutUndefined({ kind: "other", key, timestamp, ...recordBase(origin, raw) }));
  }

  /**
   * Makes records of members that no parser knows: one of each object, also of those in lists, and one of all other
   * values together.
   *
   * @param rest The members.
   * @param origin The change that they are from.
   */
  addUnknown(rest: JsonObject, origin: ChangeOrigin): void {
    if (rest === NOTHING) return;
    const plain: [key: string, value: unknown][] = [];
    for (const [key, value] of Object.entries(rest)) {
      const items = (Array.isArray(value) ? value : [value]).filter((item) => !isAbsent(item));
      for (const item of items) if (isObject(item)) this.addOther(item, origin, key);
      const others = items.filter((item) => !isObject(item));
      if (others.length > 0) plain.push([key, Array.isArray(value) ? others : value]);
    }
    if (plain.length > 0) this.addOther(Object.fromEntries(plain), origin);
  }

  /**
   * Makes one record of the members of a known object that no record has, if there are any.
   *
   * @param rest The members.
   * @param origin The change that they are from.
   * @param key The name of the object.
   */
  addRest(rest: JsonObject, origin: ChangeOrigin, key: string): void {
    if (Object.keys(rest).length > 0) this.addOther(rest, origin, key);
  }
}

/**
 * Tells whether members hold an object, of which {@linkcode Collector.addUnknown} makes a record of its own.
 *
 * @param rest The members.
 * @returns `true` if there is an object among them, or in a list.
 */
export function hasObjects(rest: JsonObject): boolean {
  const isRecord = (value: unknown): boolean => isObject(value) && !isAbsent(value);
  return Object.values(rest).some((value) => Array.isArray(value) ? value.some(isRecord) : isRecord(value));
}
