/**
 * The WhatsApp Cloud API webhook payload: raw JSON to typed records.
 *
 * The parser is total: it takes any input, never throws, and reports skipped items with the reason. Future kinds of
 * notifications become records with their `raw` value.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import { printable } from "../base/log.ts";
import { quote } from "../base/error_text.ts";
import {
  boolean,
  date,
  firstText,
  isObject,
  type JsonObject,
  type Loose,
  number,
  object,
  objects,
  own,
  text,
  withoutUndefined,
} from "./json.ts";
import type { WhatsAppMessage, WhatsAppMessageBase, WhatsAppReferral, WhatsAppSender } from "./messages.ts";
import { parseContents, parseContext } from "./parse_contents.ts";
import { parseAccountError, parseErrors } from "./parse_errors.ts";
import type {
  ParsedNotification,
  SkippedItem,
  WhatsAppConversation,
  WhatsAppEcho,
  WhatsAppHistoryMessage,
  WhatsAppPricing,
  WhatsAppRecord,
  WhatsAppStatus,
  WhatsAppUserAction,
} from "./records.ts";

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
  return { records: parser.records, skipped: parser.skipped };
}

/** Facts of a change about all its items. */
interface Origin {
  field: string;
  accountId: string;
  phoneNumberId: string | undefined;
  displayPhoneNumber: string | undefined;
  contacts: JsonObject[];
  conversationSummary: string | undefined;
}

/** Makes one record of each item in a list of a change. */
type ItemParser = (item: JsonObject, origin: Origin) => WhatsAppRecord;

/** Fields whose lists hold messages that the business itself sent with the app. */
const ECHO_FIELDS: readonly string[] = ["smb_message_echoes", "message_echoes"];

/** Lists of the field `messages`, each of which may be absent. */
const MESSAGE_LISTS = new Map<string, ItemParser>([
  ["messages", parseMessage],
  ["statuses", parseStatus],
  ["errors", parseAccountError],
  ["user_actions", parseUserAction],
]);
const ECHO_LISTS = new Map<string, ItemParser>([
  ["message_echoes", parseEcho],
  ["messages", parseEcho],
  ["errors", parseAccountError],
]);
const STANDBY_LISTS = new Map<string, ItemParser>([
  ["messages", /* @__PURE__ */ standby(parseMessage)],
  ["message_echoes", /* @__PURE__ */ standby(parseEcho)],
  ["statuses", /* @__PURE__ */ standby(parseStatus)],
  ["errors", parseAccountError],
]);

class NotificationParser {
  readonly records: WhatsAppRecord[] = [];
  readonly skipped: SkippedItem[] = [];

  parse(raw: string | Uint8Array): void {
    let root: unknown;
    try {
      root = JSON.parse(withoutByteOrderMark(typeof raw === "string" ? raw : new TextDecoder().decode(raw)));
    } catch (error) {
      this.#skip("", `not JSON: ${describe(error)}`);
      return;
    }
    if (!isObject(root)) return this.#skip("", "not an object");
    const object = text(root, "object");
    if (object !== "whatsapp_business_account") {
      return this.#skip("object", `${quote(printable(String(object)))} is of another product`);
    }
    this.#each(root, "entry", "", (entry, path) => this.#entry(entry, path));
  }

  #skip(path: string, reason: string): void {
    this.skipped.push({ path, reason });
  }

  /** Calls back for each object in an array; other elements are skipped one by one. */
  #each(parent: JsonObject, key: string, path: string, visit: (item: JsonObject, path: string) => void): void {
    const value = own(parent, key);
    if (value === undefined) return;
    const base = path === "" ? key : `${path}.${key}`;
    if (!Array.isArray(value)) return this.#skip(base, "not an array");
    value.forEach((item, index) => {
      if (isObject(item)) visit(item, `${base}[${index}]`);
      else this.#skip(`${base}[${index}]`, "not an object");
    });
  }

  #entry(entry: JsonObject, path: string): void {
    const accountId = text(entry, "id") ?? "";
    if (own(entry, "changes") === undefined) {
      const fields = own(entry, "changed_fields");
      if (fields === undefined) return this.#skip(path, "without changes");
      const timestamp = date(entry, "time");
      this.records.push(withoutUndefined({ kind: "other", field: "changed_fields", accountId, timestamp, raw: entry }));
      return;
    }
    this.#each(entry, "changes", path, (change, changePath) => this.#change(change, entry, accountId, changePath));
  }

  #change(change: JsonObject, entry: JsonObject, accountId: string, path: string): void {
    const field = text(change, "field") ?? "";
    const value = own(change, "value");
    if (!isObject(value)) return this.#skip(`${path}.value`, "not an object");
    const origin = makeOrigin(value, value, field, accountId);
    const before = this.records.length + this.skipped.length;
    const valuePath = `${path}.value`;
    if (field === "messages") this.#lists(value, MESSAGE_LISTS, origin, valuePath);
    else if (ECHO_FIELDS.includes(field)) this.#lists(value, ECHO_LISTS, origin, valuePath);
    else if (field === "standby") this.#standby(value, origin, valuePath);
    else if (field === "history") this.#history(value, origin, valuePath);
    if (this.records.length + this.skipped.length > before) return;
    const { phoneNumberId } = origin;
    const timestamp = date(entry, "time");
    this.records.push(withoutUndefined({ kind: "other", field, accountId, phoneNumberId, timestamp, raw: value }));
  }

  /** Reads the lists in the order of the notification. */
  #lists(value: JsonObject, lists: Map<string, ItemParser>, origin: Origin, path: string): void {
    for (const key of Object.keys(value)) {
      const parse = lists.get(key);
      if (parse === undefined) continue;
      this.#each(value, key, path, (item) => this.records.push(parse(item, origin)));
    }
  }

  #standby(value: JsonObject, origin: Origin, path: string): void {
    const inner = object(value, "standby");
    if (inner === undefined) return this.#lists(value, STANDBY_LISTS, origin, path);
    this.#lists(inner, STANDBY_LISTS, makeOrigin(inner, value, origin.field, origin.accountId), `${path}.standby`);
  }

  /** Reads chunks of threads, or media and echoes alone, which follow later. */
  #history(value: JsonObject, origin: Origin, path: string): void {
    const add = (chunk?: JsonObject, thread?: JsonObject) => (message: JsonObject): void => {
      this.records.push(parseHistoryMessage(message, origin, chunk, thread));
    };
    this.#each(value, "history", path, (chunk, chunkPath) => {
      this.#each(chunk, "errors", chunkPath, (error) => this.records.push(parseAccountError(error, origin)));
      this.#each(chunk, "threads", chunkPath, (thread, threadPath) => {
        this.#each(thread, "messages", threadPath, add(chunk, thread));
      });
    });
    for (const key of ["messages", "message_echoes"]) this.#each(value, key, path, add());
    this.#each(value, "errors", path, (error) => this.records.push(parseAccountError(error, origin)));
  }
}

/** Removes the byte order mark, which `JSON.parse` refuses. */
function withoutByteOrderMark(json: string): string {
  return json.charCodeAt(0) === 0xfeff ? json.slice(1) : json;
}

/** Reads the facts of a change; `metadata` may stand beside the lists, or one level above them. */
function makeOrigin(lists: JsonObject, value: JsonObject, field: string, accountId: string): Origin {
  const metadata = object(lists, "metadata") ?? object(value, "metadata") ?? {};
  const conversation = object(value, "conversation_context");
  const summary = conversation && object(conversation, "summary");
  return {
    field,
    accountId,
    phoneNumberId: text(metadata, "phone_number_id"),
    displayPhoneNumber: text(metadata, "display_phone_number"),
    contacts: objects(own(lists, "contacts") === undefined ? value : lists, "contacts"),
    conversationSummary: summary && text(summary, "text"),
  };
}

// ---- Records -----------------------------------------------------------------------------------------------------

function parseMessage(raw: JsonObject, origin: Origin): WhatsAppMessage {
  return parseMessageOf(raw, origin, parseSender(raw, origin.contacts));
}

function parseMessageOf(raw: JsonObject, origin: Origin, sender: WhatsAppSender): WhatsAppMessage {
  const { accountId, phoneNumberId, displayPhoneNumber, conversationSummary } = origin;
  const base: Loose<WhatsAppMessageBase> = {
    kind: "message",
    id: text(raw, "id") ?? "",
    timestamp: date(raw, "timestamp"),
    sender,
    accountId,
    phoneNumberId,
    displayPhoneNumber,
    groupId: text(raw, "group_id"),
    context: parseContext(object(raw, "context")),
    referral: parseReferral(object(raw, "referral")),
    conversationSummary,
    errors: parseErrors(raw),
    raw,
  };
  return withoutUndefined({ ...base, ...parseContents(raw) });
}

function parseSender(raw: JsonObject, contacts: JsonObject[]): WhatsAppSender {
  const from = text(raw, "from") ?? "";
  const contact = findContact(from, text(raw, "from_user_id") ?? "", contacts);
  const profile = contact === undefined ? undefined : object(contact, "profile");
  const phone = isPhone(from) ? from : undefined;
  const userId = text(raw, "from_user_id") || (contact && text(contact, "user_id")) ||
    (phone === undefined && from !== "" ? from : undefined);
  return withoutUndefined({
    id: phone ?? (userId || from),
    phone,
    userId: userId || undefined,
    parentUserId: text(raw, "from_parent_user_id") || (contact && text(contact, "parent_user_id")) || undefined,
    name: (profile && text(profile, "name")) || undefined,
    username: parseUsername(profile),
    waId: otherThan(phone, contact && text(contact, "wa_id")),
    identityKeyHash: contact && text(contact, "identity_key_hash"),
  });
}

/** Returns a WhatsApp id that differs from the phone number. */
function otherThan(phone: string | undefined, waId: string | undefined): string | undefined {
  return waId !== undefined && isPhone(waId) && waId !== phone ? waId : undefined;
}

/** Reads a username, which comes with or without `@`, and sometimes empty. */
function parseUsername(profile: JsonObject | undefined): string | undefined {
  const username = (profile && text(profile, "username")) ?? "";
  return (username.startsWith("@") ? username.slice(1) : username) || undefined;
}

/**
 * Finds a contact by number, then by user id, since `contacts` is not aligned with `messages`; a sole contact matches
 * all.
 */
function findContact(phone: string, userId: string, contacts: JsonObject[]): JsonObject | undefined {
  const byPhone = phone === "" ? undefined : contacts.find((contact) => text(contact, "wa_id") === phone);
  const byUser = userId === "" ? undefined : contacts.find((contact) => text(contact, "user_id") === userId);
  return byPhone ?? byUser ?? (contacts.length === 1 ? contacts[0] : undefined);
}

/** Returns `true` for digits only: payloads show business-scoped ids inside `from`. */
function isPhone(value: string): boolean {
  if (value.length < 5 || value.length > 20) return false;
  for (let at = 0; at < value.length; at++) if (value[at]! < "0" || value[at]! > "9") return false;
  return true;
}

function parseReferral(raw: JsonObject | undefined): WhatsAppReferral | undefined {
  if (raw === undefined) return undefined;
  const welcome = object(raw, "welcome_message");
  return withoutUndefined({
    sourceUrl: text(raw, "source_url"),
    sourceId: text(raw, "source_id"),
    sourceType: text(raw, "source_type"),
    headline: text(raw, "headline"),
    body: text(raw, "body"),
    mediaType: text(raw, "media_type"),
    imageUrl: text(raw, "image_url"),
    videoUrl: text(raw, "video_url"),
    thumbnailUrl: text(raw, "thumbnail_url"),
    ctwaClid: text(raw, "ctwa_clid"),
    welcomeMessage: welcome && text(welcome, "text"),
    ref: text(raw, "ref"),
  });
}

function parseUserAction(raw: JsonObject, origin: Origin): WhatsAppUserAction {
  const { accountId, phoneNumberId, displayPhoneNumber } = origin;
  const actionType = text(raw, "action_type") ?? "";
  return withoutUndefined({
    kind: "userAction",
    actionType,
    timestamp: date(raw, "timestamp"),
    data: object(raw, `${actionType}_data`),
    accountId,
    phoneNumberId,
    displayPhoneNumber,
    raw,
  });
}

function parseEcho(raw: JsonObject, origin: Origin): WhatsAppEcho {
  const { field, accountId, phoneNumberId } = origin;
  const phone = text(raw, "to") ?? "";
  const userId = text(raw, "to_user_id") ?? "";
  const contact = findContact(phone, userId, origin.contacts);
  const profile = contact && object(contact, "profile");
  return withoutUndefined({
    kind: "echo",
    field,
    to: phone || userId,
    recipientName: (profile && text(profile, "name")) || undefined,
    // The contacts are customers; the sender is the business.
    message: parseMessageOf(raw, origin, parseSender(raw, [])),
    accountId,
    phoneNumberId,
    raw,
  });
}

function parseHistoryMessage(
  raw: JsonObject,
  origin: Origin,
  chunk: JsonObject | undefined,
  thread: JsonObject | undefined,
): WhatsAppHistoryMessage {
  const { accountId, phoneNumberId } = origin;
  const metadata = (chunk && object(chunk, "metadata")) ?? {};
  const context = object(raw, "history_context") ?? {};
  return withoutUndefined({
    kind: "history",
    message: parseMessageOf(raw, origin, parseSender(raw, [])),
    threadId: thread && text(thread, "id"),
    status: text(context, "status"),
    phase: number(metadata, "phase"),
    chunkOrder: number(metadata, "chunk_order"),
    progress: number(metadata, "progress"),
    accountId,
    phoneNumberId,
    raw,
  });
}

function standby(
  parse: (raw: JsonObject, origin: Origin) => WhatsAppMessage | WhatsAppStatus | WhatsAppEcho,
): ItemParser {
  return (raw, origin) => {
    const { accountId, phoneNumberId } = origin;
    return withoutUndefined({ kind: "standby", record: parse(raw, origin), accountId, phoneNumberId, raw });
  };
}

function parseStatus(raw: JsonObject, origin: Origin): WhatsAppStatus {
  const { accountId, phoneNumberId, displayPhoneNumber } = origin;
  const recipientId = text(raw, "recipient_id");
  const recipientUserId = text(raw, "recipient_user_id");
  // A group has no contact: a sole contact is a member of it.
  const isGroup = text(raw, "recipient_type") === "group";
  const contact = isGroup ? undefined : findContact(recipientId ?? "", recipientUserId ?? "", origin.contacts);
  const profile = contact && object(contact, "profile");
  return withoutUndefined({
    kind: "status",
    id: text(raw, "id") ?? "",
    status: text(raw, "status") ?? "",
    timestamp: date(raw, "timestamp"),
    recipientId,
    recipientUserId,
    parentRecipientUserId: firstText(raw, [
      "parent_recipient_user_id",
      "recipient_parent_user_id",
      "parent_user_id",
    ]),
    recipientType: text(raw, "recipient_type"),
    recipientParticipantId: firstText(raw, ["recipient_participant_id", "participant_recipient_id"]),
    recipientParticipantUserId: text(raw, "recipient_participant_user_id"),
    recipientParticipantParentUserId: text(raw, "recipient_participant_parent_user_id"),
    recipientName: (profile && text(profile, "name")) || undefined,
    recipientUsername: parseUsername(profile),
    recipientIdentityKeyHash: text(raw, "recipient_identity_key_hash"),
    accountId,
    phoneNumberId,
    displayPhoneNumber,
    bizOpaqueCallbackData: text(raw, "biz_opaque_callback_data"),
    conversation: parseConversation(object(raw, "conversation")),
    // Statuses of groups have the price in the conversation.
    pricing: parsePricing(object(raw, "pricing") ?? object(object(raw, "conversation") ?? {}, "pricing")),
    errors: parseErrors(raw),
    raw,
  });
}

function parseConversation(raw: JsonObject | undefined): WhatsAppConversation | undefined {
  if (raw === undefined) return undefined;
  const origin = object(raw, "origin");
  return withoutUndefined({
    id: text(raw, "id"),
    expirationTimestamp: date(raw, "expiration_timestamp"),
    originType: origin && text(origin, "type"),
  });
}

function parsePricing(raw: JsonObject | undefined): WhatsAppPricing | undefined {
  if (raw === undefined) return undefined;
  return withoutUndefined({
    billable: boolean(raw, "billable"),
    pricingModel: text(raw, "pricing_model"),
    type: text(raw, "type"),
    subtype: text(raw, "subtype"),
    category: text(raw, "category"),
  });
}
