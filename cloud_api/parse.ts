/**
 * The WhatsApp Cloud API webhook payload: raw JSON to typed records.
 *
 * The parser is total: it takes any input, never throws, and reports skipped items with the reason. Future kinds of
 * notifications, and unknown members beside known ones, become records with their `raw` value.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import { printable } from "../base/log.ts";
import { quote } from "../base/error_text.ts";
import { Collector, hasObjects, type MemberReader, pickMembers, restOf } from "./collector.ts";
import { parseExact } from "./exact_json.ts";
import {
  date,
  fullText,
  isObject,
  type JsonObject,
  list,
  object,
  objects,
  own,
  text,
  withoutUndefined,
} from "./json.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import { parseAccountError } from "./parse_errors.ts";
import { FIELD_PARSERS } from "./parse_fields.ts";
import { HISTORY_LISTS, parseHistory } from "./parse_history.ts";
import { parseEcho, parseMessage, parseStatus, parseUserAction } from "./parse_records.ts";
import { phoneNumberIdOf } from "./value_number.ts";
import type { WhatsAppMessage } from "./messages.ts";
import type { ParsedNotification, WhatsAppEcho, WhatsAppPayment, WhatsAppRecord, WhatsAppStatus } from "./records.ts";

/**
 * Parses a notification. Never throws.
 *
 * @param raw The JSON as Meta sent it.
 * @returns The records in order, and the skipped items.
 *
 * @example
 * ```ts
 * import { parseNotification } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * const message = { id: "wamid.A", from: "491511234567", timestamp: "1790416800", type: "text", text: { body: "Hi" } };
 * const { records } = parseNotification(JSON.stringify({
 *   object: "whatsapp_business_account",
 *   entry: [{ id: "1", changes: [{ field: "messages", value: { messages: [message] } }] }],
 * }));
 * const [record] = records;
 * assertEquals(record?.kind === "message" && record.type === "text" && record.text.body, "Hi");
 * ```
 */
export function parseNotification(raw: string | Uint8Array): ParsedNotification {
  const parser = new NotificationParser();
  parser.parse(raw);
  const { records, skipped } = parser.collector;
  return { records, skipped };
}

/** Makes one record of each item in a list of a change. */
type ItemParser = (item: JsonObject, origin: ChangeOrigin) => WhatsAppRecord;

/** Lists of the field `messages`, each of which may be absent. */
const MESSAGE_LISTS: ReadonlyMap<string, ItemParser> = new Map<string, ItemParser>([
  ["messages", parseMessage],
  ["statuses", parseStatus],
  ["errors", parseAccountError],
  ["user_actions", parseUserAction],
]);
/** Lists of fields that hold messages which the business itself sent with the app. */
const ECHO_LISTS: ReadonlyMap<string, ItemParser> = new Map<string, ItemParser>([
  ["message_echoes", parseEcho],
  ["messages", parseEcho],
  ["errors", parseAccountError],
]);
/** Lists of a standby: in the object `standby`, or beside it. */
const STANDBY_LISTS: ReadonlyMap<string, ItemParser> = new Map<string, ItemParser>([
  ["messages", /* @__PURE__ */ standby(parseMessage)],
  ["message_echoes", /* @__PURE__ */ standby(parseEcho)],
  ["statuses", /* @__PURE__ */ standby(parseStatus)],
  ["errors", parseAccountError],
]);
const STANDBY_MEMBERS: ReadonlySet<string> = new Set(["messages", "message_echoes", "statuses", "errors", "standby"]);

/** Fields that consist of lists. */
const LIST_FIELDS: ReadonlyMap<string, ReadonlyMap<string, ItemParser>> = new Map([
  ["messages", MESSAGE_LISTS],
  ["smb_message_echoes", ECHO_LISTS],
  ["message_echoes", ECHO_LISTS],
]);

/** Known members of a notification, of its entries and of their changes. */
const ROOT: ReadonlyMap<string, MemberReader> = new Map<string, MemberReader>([["object", text], ["entry", own]]);
const ENTRY: ReadonlyMap<string, MemberReader> = new Map<string, MemberReader>([
  ["id", text],
  ["time", plain],
  ["changes", own],
  ["changed_fields", own],
]);
const CHANGE: ReadonlyMap<string, MemberReader> = new Map<string, MemberReader>([["field", text], ["value", own]]);

class NotificationParser {
  readonly collector: Collector = new Collector();

  parse(raw: string | Uint8Array): void {
    let root: unknown;
    try {
      root = parseExact(withoutByteOrderMark(typeof raw === "string" ? raw : new TextDecoder().decode(raw)));
    } catch (error) {
      return this.collector.skip("", `not JSON: ${describe(error)}`);
    }
    if (!isObject(root)) return this.collector.skip("", "not an object");
    const object = text(root, "object");
    if (object !== "whatsapp_business_account") {
      return this.collector.skip("object", `${quote(printable(String(object)))} is of another product`);
    }
    this.collector.each(root, "entry", "", (entry, path) => this.#entry(entry, path));
    this.collector.addUnknown(restOf(root, ROOT), { field: "", accountId: "", contacts: [] });
  }

  #entry(entry: JsonObject, path: string): void {
    const accountId = text(entry, "id") ?? "";
    const origin: ChangeOrigin = { field: "", accountId, contacts: [], entryTime: date(entry, "time") };
    const time = plain(entry, "time");
    // Pages of Meta print a text that stands for a time.
    if (time !== undefined && origin.entryTime === undefined) {
      this.collector.skip(`${path}.time`, `${quote(printable(String(time)))} is no time`);
    }
    const rest = restOf(entry, ENTRY);
    const changes = own(entry, "changes") ?? undefined;
    const names = own(entry, "changed_fields") ?? undefined;
    if (changes === undefined && names !== undefined) {
      return this.collector.addOther(entry, { ...origin, field: "changed_fields" });
    }
    if (changes === undefined && Object.keys(rest).length === 0) return this.collector.skip(path, "without changes");
    this.collector.each(entry, "changes", path, (change, changePath) => this.#change(change, origin, changePath));
    if (names !== undefined) this.collector.addOther({ changed_fields: names }, { ...origin, field: "changed_fields" });
    this.collector.addUnknown(rest, origin);
  }

  #change(change: JsonObject, entry: ChangeOrigin, path: string): void {
    const field = text(change, "field") ?? "";
    const value = own(change, "value");
    const origin = makeOrigin(isObject(value) ? value : {}, field, entry);
    if (isObject(value)) this.#value(value, origin, `${path}.value`);
    else this.collector.skip(`${path}.value`, "not an object");
    this.collector.addUnknown(restOf(change, CHANGE), origin);
  }

  #value(value: JsonObject, origin: ChangeOrigin, path: string): void {
    const lists = LIST_FIELDS.get(origin.field) ?? (hasLostField(value, origin) ? MESSAGE_LISTS : undefined);
    const before = this.collector.count;
    if (lists !== undefined) {
      this.#lists(value, lists, origin, path);
      this.#rest(value, lists, origin, before);
    } else if (origin.field === "standby") {
      const inner = object(value, "standby");
      this.#lists(value, STANDBY_LISTS, origin, path);
      const isRead = inner !== undefined && this.#inner(inner, origin, `${path}.standby`);
      this.#rest(value, isRead ? STANDBY_MEMBERS : STANDBY_LISTS, origin, before);
    } else if (origin.field === "history") {
      parseHistory(value, origin, path, this.collector);
      this.#rest(value, HISTORY_LISTS, origin, before);
    } else this.#field(value, origin);
  }

  /** Reads the value of a field with a parser of its own, or of an unknown one. */
  #field(value: JsonObject, origin: ChangeOrigin): void {
    const parsed = FIELD_PARSERS.get(origin.field)?.(value, origin);
    // A value that is not as its parser knows it is no less than one of an unknown field.
    if (parsed === undefined || parsed.records.length === 0) return this.collector.addOther(value, origin);
    // One by one: there may be more of them than a call can have arguments.
    for (const record of parsed.records) this.collector.records.push(record);
    this.#unknown(pickMembers(parsed.rest, isOwnMember), parsed.rest, origin);
  }

  /** Reads the lists in the order of the notification. */
  #lists(value: JsonObject, lists: ReadonlyMap<string, ItemParser>, origin: ChangeOrigin, path: string): void {
    for (const key of Object.keys(value)) {
      const parse = lists.get(key);
      if (parse === undefined) continue;
      this.collector.each(value, key, path, (item) => this.collector.records.push(parse(item, origin)));
    }
  }

  /** Reads the lists of a standby one level deeper; returns `false` if there is nothing in them. */
  #inner(inner: JsonObject, origin: ChangeOrigin, path: string): boolean {
    const before = this.collector.count;
    this.#lists(inner, STANDBY_LISTS, origin, path);
    const rest = pickMembers(inner, (key) => !STANDBY_LISTS.has(key) && isOwnMember(key));
    if (this.collector.count === before && !hasObjects(rest)) return false;
    this.#unknown(rest, inner, origin);
    return true;
  }

  /** Makes records of the members that stand beside lists; of the whole value if there is nothing in the lists. */
  #rest(value: JsonObject, lists: { has(key: string): boolean }, origin: ChangeOrigin, before: number): void {
    const rest = pickMembers(value, (key) => !lists.has(key) && isOwnMember(key));
    if (this.collector.count === before && !hasObjects(rest)) this.collector.addOther(value, origin);
    else this.#unknown(rest, value, origin);
  }

  /**
   * Makes records of members that no record has.
   *
   * @param rest Members that only this field has.
   * @param value An object with the members that values of all fields may have.
   */
  #unknown(rest: JsonObject, value: JsonObject, origin: ChangeOrigin): void {
    const metadata = object(value, "metadata");
    if (metadata !== undefined) {
      this.collector.addRest(pickMembers(metadata, (key) => !isTyped(metadata, key, origin)), origin, "metadata");
    }
    this.collector.addUnknown(
      pickMembers(value, (key) => {
        if (key === "metadata") return metadata === undefined;
        if (key === "messaging_product") return value[key] !== "whatsapp";
        if (key === "contacts") return !Array.isArray(value[key]);
        return key === "conversation_context" && !origin.taken!.has(value[key] as JsonObject);
      }),
      origin,
    );
    const isNew = (contact: unknown): boolean => !origin.taken!.has(contact as JsonObject);
    const contacts = list(value, "contacts");
    if (contacts.some(isNew)) this.collector.addUnknown({ contacts: contacts.filter(isNew) }, origin);
    this.collector.addUnknown(rest, origin);
  }
}

/** Returns `true` for messages and statuses whose change has no field: some relays leave it out. */
function hasLostField(value: JsonObject, { field }: ChangeOrigin): boolean {
  return field === "" && (objects(value, "messages").length > 0 || objects(value, "statuses").length > 0);
}

/** Members that values of all fields may have. */
const COMMON: readonly string[] = ["messaging_product", "metadata", "contacts", "conversation_context"];

/** Returns `true` for a member that only the field of its value has. */
function isOwnMember(key: string): boolean {
  return !COMMON.includes(key);
}

/** Returns `true` for a member of `metadata` that each record of the change has. */
function isTyped(metadata: JsonObject, key: string, { phoneNumberId, displayPhoneNumber }: ChangeOrigin): boolean {
  const typed = key === "phone_number_id"
    ? phoneNumberId
    : key === "display_phone_number"
    ? displayPhoneNumber
    : undefined;
  return typed !== undefined && text(metadata, key) === typed;
}

/** Reads a member that is no object and no list. */
function plain(raw: JsonObject, key: string): unknown {
  const value = own(raw, key) ?? undefined;
  return typeof value === "object" || value === "" ? undefined : value;
}

/** Removes the byte order mark, which `JSON.parse` refuses. */
function withoutByteOrderMark(json: string): string {
  return json.charCodeAt(0) === 0xfeff ? json.slice(1) : json;
}

/** Reads the facts of a change; those of a standby may stand beside the lists, or one level above them. */
function makeOrigin(value: JsonObject, field: string, { accountId, entryTime }: ChangeOrigin): ChangeOrigin {
  const inner = object(value, "standby");
  const own = objects(value, "contacts");
  return {
    field,
    accountId,
    entryTime,
    phoneNumberId: phoneNumberIdOf(value, readId),
    displayPhoneNumber: displayNumberOf(inner, "metadata") ?? displayNumberOf(value, "metadata") ??
      displayNumberOf(value, "recipient") ?? fullText(value, "display_phone_number"),
    contacts: inner === undefined ? own : [...objects(inner, "contacts"), ...own],
    conversationContext: (inner && object(inner, "conversation_context")) ?? object(value, "conversation_context"),
    taken: new Set(),
  };
}

function readId(raw: unknown, key: string): string | undefined {
  return isObject(raw) ? fullText(raw, key) : undefined;
}

function displayNumberOf(value: JsonObject | undefined, key: string): string | undefined {
  const metadata = value && object(value, key);
  return metadata && fullText(metadata, "display_phone_number");
}

function standby(
  parse: (raw: JsonObject, origin: ChangeOrigin) => WhatsAppMessage | WhatsAppStatus | WhatsAppPayment | WhatsAppEcho,
): ItemParser {
  return (raw, origin) => {
    const record = parse(raw, origin);
    const { timestamp } = record;
    return withoutUndefined({ kind: "standby", timestamp, record, ...recordBase(origin, raw) });
  };
}
