/**
 * The WhatsApp Cloud API webhook payload: raw JSON to typed records.
 *
 * The parser is total: it takes any input, throws never, and reports what it skipped and why. Whatever Meta invents tomorrow
 * comes out as a record with its `raw` value.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import { printable } from "../base/log.ts";
import { quote } from "../base/error_text.ts";
import type { JsonObject, ParsedNotification, SkippedItem, WhatsAppAccountError, WhatsAppCallPermission, WhatsAppContact, WhatsAppContents, WhatsAppContext, WhatsAppConversation, WhatsAppEcho, WhatsAppEdit, WhatsAppError, WhatsAppHistoryMessage, WhatsAppInteractive, WhatsAppLocation, WhatsAppMedia, WhatsAppMessage, WhatsAppMessageBase, WhatsAppOrder, WhatsAppPricing, WhatsAppProduct, WhatsAppReaction, WhatsAppRecord, WhatsAppReferral, WhatsAppSender, WhatsAppStatus, WhatsAppSystem, WhatsAppUserAction } from "./types.ts";

/**
 * Takes a notification apart. Never throws.
 *
 * @param raw The JSON as Meta sent it.
 * @returns The records in order, and what was skipped.
 *
 * @example
 * ```ts
 * import { parseNotification } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * const { records } = parseNotification(JSON.stringify({
 *   object: "whatsapp_business_account",
 *   entry: [{
 *     id: "1",
 *     changes: [{
 *       field: "messages",
 *       value: { messages: [{ id: "wamid.A", from: "491511234567", timestamp: "1790416800", type: "text", text: { body: "Hi" } }] },
 *     }],
 *   }],
 * }));
 * assertEquals(records.map((record) => record.kind === "message" && record.type === "text" && record.text.body), ["Hi"]);
 * ```
 */
export function parseNotification(raw: string | Uint8Array): ParsedNotification {
  const parser = new NotificationParser();
  parser.parse(raw);
  return { records: parser.records, skipped: parser.skipped };
}

/** What a change tells about all its items. */
interface Origin {
  field: string;
  accountId: string;
  phoneNumberId?: string;
  displayPhoneNumber?: string;
  contacts: JsonObject[];
  conversationSummary?: string;
}

/** What a list of a change holds: makes one record of each item. */
type ItemParser = (item: JsonObject, origin: Origin) => WhatsAppRecord;

/** Fields whose lists hold what the business itself sent with the app. */
const ECHO_FIELDS: readonly string[] = ["smb_message_echoes", "message_echoes"];

/** The lists of `messages`, each of which may be there or not. */
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
  ["messages", standby(parseMessage)],
  ["message_echoes", standby(parseEcho)],
  ["statuses", standby(parseStatus)],
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

  /** Calls back for each object in an array; what is none is skipped by itself. */
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

  /** In the order of the notification. */
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

  /** Chunks of threads, or media and echoes by themselves, which follow later. */
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

/** `JSON.parse` takes none. */
function withoutByteOrderMark(json: string): string {
  return json.charCodeAt(0) === 0xfeff ? json.slice(1) : json;
}

/** `metadata` may stand beside the lists, or one level above them. */
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
  const base: WhatsAppMessageBase = {
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
  // Absent parts are left out altogether, so that records print and compare as what they hold.
  return withoutUndefined({ ...base, ...parseContents(raw) });
}

function parseContents(raw: JsonObject): WhatsAppContents {
  const originalType = text(raw, "type") ?? guessType(raw);
  return CONTENTS.get(originalType)?.(raw) ?? { type: "unknown", originalType };
}

/** Meta's own documentation has a message without `type`: the one known key it has says what it is. */
function guessType(raw: JsonObject): string {
  const found = [...CONTENTS.keys()].filter((type) => own(raw, type) !== undefined);
  return found.length === 1 ? found[0] : "";
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

/** A WhatsApp id that says more than the phone number. */
function otherThan(phone: string | undefined, waId: string | undefined): string | undefined {
  return waId !== undefined && isPhone(waId) && waId !== phone ? waId : undefined;
}

/** With or without `@`, and sometimes empty. */
function parseUsername(profile: JsonObject | undefined): string | undefined {
  const username = (profile && text(profile, "username")) ?? "";
  return (username.startsWith("@") ? username.slice(1) : username) || undefined;
}

/** `contacts` is not aligned with `messages`: matched by number, then by user id; a sole contact is whom it is about. */
function findContact(phone: string, userId: string, contacts: JsonObject[]): JsonObject | undefined {
  const byPhone = phone === "" ? undefined : contacts.find((contact) => text(contact, "wa_id") === phone);
  const byUser = userId === "" ? undefined : contacts.find((contact) => text(contact, "user_id") === userId);
  return byPhone ?? byUser ?? (contacts.length === 1 ? contacts[0] : undefined);
}

/** Fixtures show business-scoped ids inside `from`: only digits are trusted to be a number. */
function isPhone(value: string): boolean {
  if (value.length < 5 || value.length > 20) return false;
  for (let at = 0; at < value.length; at++) if (value[at] < "0" || value[at] > "9") return false;
  return true;
}

function parseContext(raw: JsonObject | undefined): WhatsAppContext | undefined {
  if (raw === undefined) return undefined;
  const product = object(raw, "referred_product");
  return withoutUndefined({
    messageId: text(raw, "id"),
    from: text(raw, "from"),
    fromUserId: text(raw, "from_user_id"),
    fromParentUserId: text(raw, "from_parent_user_id"),
    forwarded: own(raw, "forwarded") === true || own(raw, "frequently_forwarded") === true,
    frequentlyForwarded: own(raw, "frequently_forwarded") === true,
    referredProduct: product && parseProduct(product),
  });
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

function parseErrors(raw: JsonObject): WhatsAppError[] {
  return objects(raw, "errors").map(parseError);
}

function parseError(raw: JsonObject): WhatsAppError {
  const data = object(raw, "error_data");
  return withoutUndefined({
    code: number(raw, "code") ?? 0,
    title: text(raw, "title"),
    message: text(raw, "message"),
    // Older bodies have the details in the error itself.
    details: (data && text(data, "details")) ?? text(raw, "details"),
    href: text(raw, "href"),
  });
}

function parseAccountError(raw: JsonObject, origin: Origin): WhatsAppAccountError {
  const { field, accountId, phoneNumberId, displayPhoneNumber } = origin;
  const error = parseError(raw);
  return withoutUndefined({ kind: "error", error, field, accountId, phoneNumberId, displayPhoneNumber, raw });
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
    // The contacts are customers: none of them is the sender.
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
  // A group has no contact: the sole one is of a member, if any.
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
    // Statuses of groups have the price inside the conversation.
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

// ---- Contents by type --------------------------------------------------------------------------------------------

/** What a type adds to a message, or `undefined` if its contents are missing. */
type ContentsParser = (message: JsonObject) => WhatsAppContents | undefined;

/** A map, since a type comes from outside and might be called `constructor`. */
const CONTENTS = new Map<string, ContentsParser>([
  ["text", contents("text", (raw) => ({ body: text(raw, "body") ?? "" }))],
  ["image", contents("image", parseMedia)],
  ["video", contents("video", parseMedia)],
  ["audio", contents("audio", parseMedia)],
  ["voice", parseVoice],
  ["document", contents("document", parseMedia)],
  ["sticker", contents("sticker", parseMedia)],
  ["location", contents("location", parseLocation)],
  ["contacts", parseContacts],
  ["reaction", contents("reaction", parseReaction)],
  ["interactive", contents("interactive", parseInteractive)],
  ["button", contents("button", (raw) => ({ text: text(raw, "text"), payload: text(raw, "payload") }))],
  ["order", contents("order", parseOrder)],
  ["system", contents("system", parseSystem)],
  ["unsupported", parseUnsupported],
  ["edit", contents("edit", parseEdit)],
  ["revoke", contents("revoke", (raw) => ({ originalMessageId: text(raw, "original_message_id") ?? "" }))],
  ["request_welcome", () => ({ type: "request_welcome" })],
]);

function contents<Name extends string>(type: Name, parse: (raw: JsonObject) => object | undefined): ContentsParser {
  return (message) => {
    const raw = object(message, type);
    const parsed = raw && parse(raw);
    return parsed && { type, [type]: withoutUndefined(parsed) } as unknown as WhatsAppContents;
  };
}

/** `voice` is how the on-premises API called a recorded `audio`. */
function parseVoice(message: JsonObject): WhatsAppContents | undefined {
  const voice = object(message, "voice");
  return voice && { type: "audio", audio: withoutUndefined({ ...parseMedia(voice), voice: true }) };
}

function parseMedia(raw: JsonObject): WhatsAppMedia {
  return {
    id: text(raw, "id") ?? "",
    mimeType: text(raw, "mime_type"),
    sha256: text(raw, "sha256"),
    caption: text(raw, "caption"),
    filename: text(raw, "filename"),
    url: text(raw, "url"),
    voice: boolean(raw, "voice"),
    animated: boolean(raw, "animated"),
  };
}

function parseLocation(raw: JsonObject): WhatsAppLocation {
  const latitude = number(raw, "latitude") ?? NaN;
  const longitude = number(raw, "longitude") ?? NaN;
  return { latitude, longitude, name: text(raw, "name"), address: text(raw, "address"), url: text(raw, "url") };
}

function parseContacts(message: JsonObject): WhatsAppContents | undefined {
  if (!Array.isArray(own(message, "contacts"))) return undefined;
  return { type: "contacts", contacts: objects(message, "contacts").map(parseContact) };
}

/** Older notifications have the errors only. */
function parseUnsupported(message: JsonObject): WhatsAppContents {
  const raw = object(message, "unsupported") ?? {};
  return { type: "unsupported", unsupported: withoutUndefined({ type: text(raw, "type") }) };
}

function parseEdit(raw: JsonObject): WhatsAppEdit {
  const message = object(raw, "message");
  // An edit of an edit has no end.
  const nested = message === undefined || text(message, "type") === "edit" || own(message, "edit") !== undefined;
  return {
    originalMessageId: text(raw, "original_message_id") ?? "",
    message: nested ? undefined : parseContents(message),
    context: message && parseContext(object(message, "context")),
  };
}

function parseContact(raw: JsonObject): WhatsAppContact {
  const name = object(raw, "name") ?? {};
  const org = object(raw, "org");
  return withoutUndefined({
    name: pick(name, {
      formattedName: "formatted_name",
      firstName: "first_name",
      lastName: "last_name",
      middleName: "middle_name",
      suffix: "suffix",
      prefix: "prefix",
    }),
    phones: objects(raw, "phones").map((phone) => pick(phone, { phone: "phone", waId: "wa_id", type: "type" })),
    emails: objects(raw, "emails").map((email) => pick(email, { email: "email", type: "type" })),
    addresses: objects(raw, "addresses").map((address) =>
      pick(address, {
        street: "street",
        city: "city",
        state: "state",
        zip: "zip",
        country: "country",
        countryCode: "country_code",
        type: "type",
      })
    ),
    urls: objects(raw, "urls").map((url) => pick(url, { url: "url", type: "type" })),
    org: org && pick(org, { company: "company", department: "department", title: "title" }),
    birthday: text(raw, "birthday"),
    origin: text(raw, "origin"),
    vcard: text(raw, "vcard"),
  });
}

function parseReaction(raw: JsonObject): WhatsAppReaction {
  return { messageId: text(raw, "message_id") ?? "", emoji: text(raw, "emoji") || undefined };
}

function parseInteractive(raw: JsonObject): WhatsAppInteractive | undefined {
  const type = text(raw, "type");
  if (type === undefined) return undefined;
  const reply = object(raw, type) ?? {};
  const responseJson = text(reply, "response_json");
  return {
    type,
    id: text(reply, "id"),
    title: text(reply, "title"),
    description: text(reply, "description"),
    name: text(reply, "name"),
    body: text(reply, "body"),
    responseJson,
    response: responseJson === undefined ? undefined : parseJson(responseJson),
    callPermission: type === "call_permission_reply" ? parseCallPermission(reply) : undefined,
    product: type === "product" ? parseProduct(reply) : undefined,
    raw,
  };
}

function parseCallPermission(raw: JsonObject): WhatsAppCallPermission {
  return withoutUndefined({
    response: text(raw, "response"),
    isPermanent: boolean(raw, "is_permanent"),
    expirationTimestamp: date(raw, "expiration_timestamp"),
    responseSource: text(raw, "response_source"),
  });
}

function parseProduct(raw: JsonObject): WhatsAppProduct {
  return withoutUndefined({
    catalogId: text(raw, "catalog_id"),
    productRetailerId: text(raw, "product_retailer_id"),
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function parseOrder(raw: JsonObject): WhatsAppOrder {
  return {
    catalogId: text(raw, "catalog_id"),
    text: text(raw, "text"),
    productItems: objects(raw, "product_items").map((item) =>
      withoutUndefined({
        productRetailerId: text(item, "product_retailer_id"),
        quantity: number(item, "quantity"),
        itemPrice: number(item, "item_price"),
        currency: text(item, "currency"),
      })
    ),
  };
}

function parseSystem(raw: JsonObject): WhatsAppSystem {
  return {
    type: text(raw, "type"),
    body: text(raw, "body"),
    // Up to version 11 the number stood under another name.
    waId: text(raw, "wa_id") ?? text(raw, "new_wa_id"),
    userId: text(raw, "user_id"),
    previousUserId: text(raw, "previous_user_id"),
    parentUserId: text(raw, "parent_user_id"),
    previousParentUserId: text(raw, "previous_parent_user_id"),
    customer: text(raw, "customer"),
    identity: text(raw, "identity"),
  };
}

// ---- Looking things up -------------------------------------------------------------------------------------------

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Own properties only: the keys come from outside. */
function own(raw: JsonObject, key: string): unknown {
  return Object.hasOwn(raw, key) ? raw[key] : undefined;
}

/** A text; a number is taken as one, since Meta is not consistent. */
function text(raw: JsonObject, key: string): string | undefined {
  const value = own(raw, key);
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : undefined;
}

/** The first of some keys that holds a text: Meta prints several. */
function firstText(raw: JsonObject, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = text(raw, key);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** A number; a text that is one is taken as one. */
function number(raw: JsonObject, key: string): number | undefined {
  const value = own(raw, key);
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

function boolean(raw: JsonObject, key: string): boolean | undefined {
  const value = own(raw, key);
  return typeof value === "boolean" ? value : undefined;
}

function object(raw: JsonObject, key: string): JsonObject | undefined {
  const value = own(raw, key);
  return isObject(value) ? value : undefined;
}

function objects(raw: JsonObject, key: string): JsonObject[] {
  const value = own(raw, key);
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Unix seconds, as text or number. */
function date(raw: JsonObject, key: string): Date | undefined {
  const seconds = number(raw, key);
  if (seconds === undefined) return undefined;
  const parsed = new Date(seconds * 1000);
  return Number.isNaN(parsed.getTime()) ? undefined : parsed;
}

/** The texts under some keys, under our names. */
function pick<Name extends string>(raw: JsonObject, names: Record<Name, string>): { [key in Name]?: string } {
  const picked: { [key in Name]?: string } = {};
  for (const name of Object.keys(names) as Name[]) {
    const value = text(raw, names[name]);
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

function withoutUndefined<T extends object>(record: T): T {
  for (const key of Object.keys(record) as (keyof T)[]) if (record[key] === undefined) delete record[key];
  return record;
}
