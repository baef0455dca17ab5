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
import { Collector, hasObjects, type MemberReader, restOf } from "./collector.ts";
import { parseExact } from "./exact_json.ts";
import { date, fullText, isObject, type JsonObject, object, objects, own, text, withoutUndefined } from "./json.ts";
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
const STANDBY_LISTS: ReadonlyMap<string, ItemParser> = new Map<string, ItemParser>([
  ["messages", /* @__PURE__ */ standby(parseMessage)],
  ["message_echoes", /* @__PURE__ */ standby(parseEcho)],
  ["statuses", /* @__PURE__ */ standby(parseStatus)],
  ["errors", parseAccountError],
]);

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
  ["time", date],
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
    const rest = restOf(entry, ENTRY);
    const [changes, names] = ["changes", "changed_fields"].map((key) => own(entry, key) ?? undefined);
    if (changes === undefined && names !== undefined) {
      return this.collector.addOther(entry, { ...origin, field: "changed_fields" });
    }
    if (changes === undefined && Object.keys(rest).length === 0) return this.collector.skip(path, "without changes");
    this.collector.each(entry, "changes", path, (change, changePath) => this.#change(change, origin, changePath));
    const changed_fields = names;
    if (names !== undefined) this.collector.addOther({ changed_fields }, { ...origin, field: "changed_fields" });
    this.collector.addUnknown(rest, origin);
  }

  #change(change: JsonObject, entry: ChangeOrigin, path: string): void {
    const field = text(change, "field") ?? "";
    const value = own(change, "value");
    if (!isObject(value)) return this.collector.skip(`${path}.value`, "not an object");
    const origin = makeOrigin(value, { ...entry, field });
    const before = this.collector.count;
    const rest = this.#value(value, origin, `${path}.value`);
    const isEmpty = this.collector.count === before && !hasObjects(withoutCommon(rest));
    if (isEmpty) this.collector.addOther(value, origin);
    else this.#rest(rest, origin);
    this.collector.addUnknown(restOf(change, CHANGE), { ...entry, field });
  }

  /** Reads a value; returns the members that no record has. */
  #value(value: JsonObject, origin: ChangeOrigin, path: string): JsonObject {
    const lists = LIST_FIELDS.get(origin.field);
    if (lists !== undefined) return this.#lists(value, lists, origin, path);
    if (origin.field === "standby") return this.#standby(value, origin, path);
    if (origin.field === "history") {
      parseHistory(value, origin, path, this.collector);
      return without(value, HISTORY_LISTS);
    }
    const parsed = FIELD_PARSERS.get(origin.field)?.(value, origin);
    // A value that is not as its parser knows it is no less than one of an unknown field.
    if (parsed === undefined || parsed.records.length === 0) {
      this.collector.addOther(value, origin);
      return {};
    }
    this.collector.records.push(...parsed.records);
    return parsed.rest;
  }

  /** Reads the lists in the order of the notification. */
  #lists(value: JsonObject, lists: ReadonlyMap<string, ItemParser>, origin: ChangeOrigin, path: string): JsonObject {
    for (const key of Object.keys(value)) {
      const parse = lists.get(key);
      if (parse === undefined) continue;
      this.collector.each(value, key, path, (item) => this.collector.records.push(parse(item, origin)));
    }
    return without(value, [...lists.keys()]);
  }

  /** Reads the lists one level deeper, and those beside them, if there are any. */
  #standby(value: JsonObject, origin: ChangeOrigin, path: string): JsonObject {
    const rest = this.#lists(value, STANDBY_LISTS, origin, path);
    const inner = object(value, "standby");
    if (inner === undefined) return rest;
    const before = this.collector.count;
    const innerRest = this.#lists(inner, STANDBY_LISTS, origin, `${path}.standby`);
    if (this.collector.count === before && !hasObjects(withoutCommon(innerRest))) return rest;
    this.#rest(innerRest, origin);
    return without(rest, ["standby"]);
  }

  /** Makes records of members of a value that no record has. */
  #rest(rest: JsonObject, origin: ChangeOrigin): void {
    const metadata = object(rest, "metadata");
    if (metadata !== undefined) this.collector.addRest(restOf(metadata, metadataOf(origin)), origin, "metadata");
    const isNew = (item: unknown): boolean => !isObject(item) || !origin.taken!.has(item);
    const contacts = own(rest, "contacts");
    this.collector.addUnknown({
      ...withoutCommon(rest),
      messaging_product: own(rest, "messaging_product") === "whatsapp" ? undefined : own(rest, "messaging_product"),
      metadata: metadata === undefined ? own(rest, "metadata") : undefined,
      contacts: Array.isArray(contacts) ? contacts.filter(isNew) : contacts,
      conversation_context: [own(rest, "conversation_context")].find(isNew),
    }, origin);
  }
}

/** Members that values of all fields may have. */
const COMMON: readonly string[] = ["messaging_product", "metadata", "contacts", "conversation_context"];

function withoutCommon(value: JsonObject): JsonObject {
  return without(value, COMMON);
}

/** Copies an object without some members. */
function without(value: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** Removes the byte order mark, which `JSON.parse` refuses. */
function withoutByteOrderMark(json: string): string {
  return json.charCodeAt(0) === 0xfeff ? json.slice(1) : json;
}

/** Reads the facts of a change; those of a standby may stand beside the lists, or one level above them. */
function makeOrigin(value: JsonObject, entry: ChangeOrigin): ChangeOrigin {
  const inner = object(value, "standby") ?? {};
  const metadata = [object(inner, "metadata"), object(value, "metadata"), object(value, "recipient"), value];
  return {
    ...entry,
    phoneNumberId: phoneNumberIdOf(value, (raw, key) => isObject(raw) ? fullText(raw, key) : undefined),
    displayPhoneNumber: metadata.map((raw) => raw && fullText(raw, "display_phone_number")).find(Boolean),
    contacts: [...objects(inner, "contacts"), ...objects(value, "contacts")],
    conversationContext: object(inner, "conversation_context") ?? object(value, "conversation_context"),
    taken: new Set(),
  };
}

/** Returns readers of the members of `metadata` that the records of a change have. */
function metadataOf({ phoneNumberId, displayPhoneNumber }: ChangeOrigin): ReadonlyMap<string, MemberReader> {
  const equal = (typed: string | undefined): MemberReader => (raw, key) => text(raw, key) === typed ? typed : undefined;
  return new Map([
    ["phone_number_id", equal(phoneNumberId)],
    ["display_phone_number", equal(displayPhoneNumber)],
  ]);
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
