/**
 * Filters of notifications: the changes that a receiver wants, and those that its token allows.
 *
 * @module
 */

import { didYouMean } from "../base/did_you_mean.ts";
import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { parseExact } from "./exact_json.ts";
import { isObject, type JsonObject, list, own } from "./json.ts";
import { phoneNumberIdOf } from "./value_number.ts";
import type { WhatsAppRecord } from "./records.ts";

/** Chooses changes of notifications that match each given list. An empty list matches none. */
export interface WhatsAppFilter {
  /** Ids of business phone numbers. A change about no number does not match. */
  phoneNumberIds?: readonly string[] | undefined;
  /** Ids of WhatsApp Business accounts. */
  accountIds?: readonly string[] | undefined;
  /** Webhook fields, such as `messages`. */
  fields?: readonly string[] | undefined;
}

/** Parts of a change or record that a filter compares. */
export interface FilterSubject {
  /** The webhook field. */
  field: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number, if it is about one. */
  phoneNumberId?: string | undefined;
}

/** Parts of an entry beside its changes. */
export interface EntryHead {
  /** The WhatsApp Business account. */
  id?: string | number | undefined;
  /** Unix time, in s. */
  time?: number | undefined;
}

/** One change of a notification. */
export interface Change extends FilterSubject {
  /** Entry of the change: the same object for all changes of one entry. */
  entry: EntryHead;
  /** List of the entry that holds the change. */
  list: "changes" | "changed_fields";
  /** The change with known members only; `undefined` if it is no change of Meta's form. */
  content: string | { field: string; value: JsonObject } | undefined;
}

const LISTS = ["phoneNumberIds", "accountIds", "fields"] as const;
/** Maximum of entries of one list: a filter comes from a peer. */
const MAX_ENTRIES = 1000;

/**
 * Checks a filter of a program or a peer.
 *
 * @param filter The filter.
 * @returns A copy with known lists only.
 * @throws {OptionError} If it is no filter.
 */
export function checkFilter(filter: unknown): WhatsAppFilter {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw new OptionError(`The filter is ${JSON.stringify(filter)} instead of an object`);
  }
  const checked: WhatsAppFilter = {};
  for (const name of Object.keys(filter)) {
    if ((LISTS as readonly string[]).includes(name)) continue;
    // It may come from a peer: the name is quoted, which bounds it.
    const hint = didYouMean(name, LISTS) || `: lists are ${LISTS.join(", ")}`;
    throw new OptionError(`The filter has no list ${quote(name)}${hint}`);
  }
  for (const name of LISTS) {
    // An inherited list would be overlooked, and everything match.
    if (name in filter && !Object.hasOwn(filter, name)) {
      throw new OptionError(`The list "${name}" of the filter is inherited, not its own`);
    }
    const list: unknown = (filter as WhatsAppFilter)[name];
    if (list === undefined) continue;
    if (!Array.isArray(list) || list.length > MAX_ENTRIES || !list.every((entry) => typeof entry === "string")) {
      throw new OptionError(`The list "${name}" of the filter is not an array of at most ${MAX_ENTRIES} strings`);
    }
    checked[name] = [...list];
  }
  return checked;
}

/**
 * Matches a change with a filter.
 *
 * @param subject Parts of the change.
 * @param filter The filter.
 * @returns `true` if it is on all lists that are given.
 */
export function matchesFilter({ phoneNumberId, accountId, field }: FilterSubject, filter: WhatsAppFilter): boolean {
  const { phoneNumberIds, accountIds, fields } = filter;
  if (phoneNumberIds !== undefined && (phoneNumberId === undefined || !phoneNumberIds.includes(phoneNumberId))) {
    return false;
  }
  return (accountIds?.includes(accountId) ?? true) && (fields?.includes(field) ?? true);
}

/**
 * Matches a record with a filter.
 *
 * @param record The record.
 * @param filter The filter.
 * @returns `true` if it is on all lists that are given.
 */
export function recordMatches(record: WhatsAppRecord, filter: WhatsAppFilter): boolean {
  return matchesFilter(record, filter);
}

/** A notification for filters: its changes, and a check for members besides them. */
export class Envelope {
  /** Its changes in order; empty if it is no notification. */
  readonly changes: readonly Change[];
  #body: Uint8Array;
  #root: JsonObject | undefined;
  #exact: boolean | undefined;

  /**
   * Takes a notification apart. Never throws.
   *
   * @param body The notification as it came.
   */
  constructor(body: Uint8Array) {
    this.#body = body;
    this.#root = tryParse(body);
    this.changes = listChanges(this.#root);
  }

  /**
   * Makes the part of the notification that a token allows. The signature is not valid for a part.
   *
   * @param allowed The filter of the token, which at least one change matches.
   * @returns JSON made anew of checked changes; `undefined`: the token allows the notification as it came.
   * @throws {RangeError} If it is nested too deeply to be made anew.
   */
  partFor(allowed: WhatsAppFilter): Uint8Array | undefined {
    if (this.changes.every((change) => mayHave(change, allowed)) && this.#isExact()) return undefined;
    const entry: (EntryHead & { changes?: unknown[] | undefined; changed_fields?: unknown[] | undefined })[] = [];
    let last: EntryHead | undefined;
    for (const change of listChanges(parse(this.#body, keepNumber))) {
      if (!mayHave(change, allowed)) continue;
      if (change.entry !== last) entry.push({ ...change.entry });
      last = change.entry;
      (entry[entry.length - 1]![change.list] ??= []).push(change.content);
    }
    return new TextEncoder().encode(JSON.stringify({ object: OBJECT, entry }));
  }

  /**
   * Returns `true` if each reader of the text finds the changes and nothing else, whichever of two equal keys it takes.
   */
  #isExact(): boolean {
    return this.#exact ??= this.#root !== undefined && hasOnlyEntries(this.#root) && isUtf8(this.#body) &&
      countColons(this.#body) === countMembers(this.#root);
  }
}

/**
 * Decides if a token allows a change.
 *
 * @param change The change.
 * @param allowed The filter of the token.
 * @returns `true` if it has the form of Meta's changes, and is on all lists that are given.
 */
export function mayHave(change: Change, allowed: WhatsAppFilter): boolean {
  return change.content !== undefined && matchesFilter(change, allowed);
}

/** The only known product. */
const OBJECT = "whatsapp_business_account";
const ROOT_KEYS: ReadonlySet<string> = new Set(["object", "entry"]);
const ENTRY_KEYS: ReadonlySet<string> = new Set(["id", "time", "changes", "changed_fields"]);
const CHANGE_KEYS: ReadonlySet<string> = new Set(["field", "value"]);

function listChanges(root: JsonObject | undefined): Change[] {
  const isOurs = own(root, "object") === OBJECT;
  return list(root, "entry").flatMap((raw) => {
    const accountId = exactText(raw, "id") ?? "";
    const entry = entryHead(raw);
    // A notification without values names the fields only.
    const names = list(raw, "changed_fields").filter((name) => typeof name === "string");
    const named = names.map((field): Change => {
      return { field, accountId, entry, list: "changed_fields", content: isOurs ? field : undefined };
    });
    const changes = list(raw, "changes").map((change) => describeChange(change, accountId, entry, isOurs));
    return [...named, ...changes];
  });
}

function entryHead(raw: unknown): EntryHead {
  const [id, time] = [own(raw, "id"), own(raw, "time")];
  const head: EntryHead = {};
  // The digits of a long number are kept as they came.
  if (typeof id === "string" || Number.isSafeInteger(id) || longInteger(id) !== undefined) head.id = id as string;
  if (Number.isSafeInteger(time)) head.time = time as number;
  return head;
}

function describeChange(raw: unknown, accountId: string, entry: EntryHead, isOurs: boolean): Change {
  const [field, value] = [own(raw, "field"), own(raw, "value")];
  const content = isOurs && typeof field === "string" && isValue(value) ? { field, value } : undefined;
  const phoneNumberId = phoneNumberIdOf(value, exactText);
  return { field: exactText(raw, "field") ?? "", accountId, phoneNumberId, entry, list: "changes", content };
}

/** Returns `true` if a notification has no members besides those that {@linkcode listChanges} reads. */
function hasOnlyEntries(root: JsonObject): boolean {
  const entries = own(root, "entry");
  return hasOnly(root, ROOT_KEYS) && Array.isArray(entries) && entries.every(isPlainEntry);
}

function isPlainEntry(raw: unknown): boolean {
  if (!hasOnly(raw, ENTRY_KEYS)) return false;
  const { id, time } = entryHead(raw);
  if (id !== own(raw, "id") || time !== own(raw, "time")) return false;
  const [changes, names] = [own(raw, "changes"), own(raw, "changed_fields")];
  const plain = (changes === undefined || Array.isArray(changes)) && (names === undefined || Array.isArray(names));
  const found = list(raw, "changes").length + list(raw, "changed_fields").length;
  return plain && found > 0 && list(raw, "changes").every((change) => hasOnly(change, CHANGE_KEYS)) &&
    list(raw, "changed_fields").every((name) => typeof name === "string");
}

function hasOnly(raw: unknown, keys: ReadonlySet<string>): boolean {
  return isObject(raw) && Object.keys(raw).every((key) => keys.has(key));
}

/** A reviver of `JSON.parse` that gets the digits of a number. */
type NumberReviver = (key: string, value: unknown, context: { source?: string | undefined }) => unknown;

function tryParse(body: Uint8Array): JsonObject | undefined {
  try {
    return parse(body);
  } catch {
    return undefined;
  }
}

function parse(body: Uint8Array, reviver?: NumberReviver): JsonObject | undefined {
  const json = new TextDecoder().decode(body);
  const root = reviver === undefined
    ? parseExact(json)
    : JSON.parse(json, reviver as (key: string, value: unknown) => unknown);
  return isObject(root) ? root : undefined;
}

/** Newer functions of `JSON`. Not taken out here: getters have effects, and bundlers would keep them. */
const jsonNow = JSON as unknown as {
  rawJSON?: ((source: string) => unknown) | undefined;
  isRawJSON?: ((value: unknown) => boolean) | undefined;
};

/** Keeps the digits of numbers that a double does not hold, such as ids of more than 53 bits. */
const keepNumber: NumberReviver = (_key, value, { source }) => {
  const exact = typeof value !== "number" || Number.isSafeInteger(value) || source === undefined;
  return exact ? value : jsonNow.rawJSON?.(source) ?? value;
};

function isUtf8(body: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(body);
    return true;
  } catch {
    return false;
  }
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Counts the members of all objects in valid JSON, including two of an object with the same key. */
function countColons(json: Uint8Array): number {
  let count = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === COLON) count++;
  }
  return count;
}

/** Counts the members of all objects in a value. It may be nested deeply: no recursion. */
function countMembers(root: object): number {
  const open = [root];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const values: unknown[] = Array.isArray(next) ? next : Object.values(next);
    if (values !== next) count += values.length;
    for (const value of values) if (typeof value === "object" && value !== null) open.push(value);
  }
  return count;
}

/** Tells objects from other values, and from what {@linkcode keepNumber} makes: a number of the notification. */
function isValue(raw: unknown): raw is JsonObject {
  return isObject(raw) && jsonNow.isRawJSON?.(raw) !== true;
}

/** Reads a text; an integer is taken as one, with all its digits. */
function exactText(raw: unknown, key: string): string | undefined {
  const value = own(raw, key);
  if (typeof value === "string") return value;
  return Number.isSafeInteger(value) ? String(value) : longInteger(value);
}

/** Returns the digits of an integer that {@linkcode keepNumber} has kept. */
function longInteger(value: unknown): string | undefined {
  if (jsonNow.isRawJSON?.(value) !== true) return undefined;
  const { rawJSON: digits } = value as { rawJSON: string };
  return parseExact(digits) === digits ? digits : undefined;
}
