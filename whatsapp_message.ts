/**
 * The WhatsApp Cloud API webhook payload: raw JSON to typed records.
 *
 * The parser is total: it takes any input, throws never, and reports what it skipped and why. Whatever Meta invents tomorrow
 * comes out as a record with its `raw` value.
 *
 * @module
 */

import type {
  JsonObject,
  ParsedNotification,
  SkippedItem,
  WhatsAppContact,
  WhatsAppContext,
  WhatsAppError,
  WhatsAppInteractive,
  WhatsAppLocation,
  WhatsAppMedia,
  WhatsAppMessage,
  WhatsAppMessageBase,
  WhatsAppOrder,
  WhatsAppReaction,
  WhatsAppRecord,
  WhatsAppReferral,
  WhatsAppSender,
  WhatsAppStatus,
  WhatsAppSystem,
} from "./whatsapp_types.ts";

export type * from "./whatsapp_types.ts";

/**
 * Takes a notification apart. Never throws.
 *
 * @param raw The JSON as Meta sent it.
 * @returns The records in order, and what was skipped.
 *
 * @example
 * ```ts
 * import { parseNotification } from "@tackline/websocket/whatsapp-message";
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
  accountId: string;
  phoneNumberId?: string;
  displayPhoneNumber?: string;
  contacts: JsonObject[];
}

class NotificationParser {
  readonly records: WhatsAppRecord[] = [];
  readonly skipped: SkippedItem[] = [];

  parse(raw: string | Uint8Array): void {
    let root: unknown;
    try {
      root = JSON.parse(typeof raw === "string" ? raw : new TextDecoder("utf-8", { fatal: true }).decode(raw));
    } catch (error) {
      this.#skip("", `not JSON: ${error instanceof Error ? error.message : error}`);
      return;
    }
    if (!isObject(root)) return this.#skip("", "not an object");
    const object = text(root, "object");
    if (object !== "whatsapp_business_account") return this.#skip("object", `"${object}" is of another product`);
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
      this.records.push({ kind: "other", field: "changed_fields", accountId, raw: entry });
      return;
    }
    this.#each(entry, "changes", path, (change, changePath) => this.#change(change, accountId, changePath));
  }

  #change(change: JsonObject, accountId: string, path: string): void {
    const field = text(change, "field") ?? "";
    const value = own(change, "value");
    if (!isObject(value)) return this.#skip(`${path}.value`, "not an object");
    // Echoes, history and standby hold messages too, but not live ones of customers.
    if (field !== "messages") this.records.push({ kind: "other", field, accountId, raw: value });
    else this.#messages(value, accountId, `${path}.value`);
  }

  #messages(value: JsonObject, accountId: string, path: string): void {
    const metadata = object(value, "metadata") ?? {};
    const contacts = own(value, "contacts");
    const origin: Origin = {
      accountId,
      phoneNumberId: text(metadata, "phone_number_id"),
      displayPhoneNumber: text(metadata, "display_phone_number"),
      contacts: Array.isArray(contacts) ? contacts.filter(isObject) : [],
    };
    const before = this.records.length + this.skipped.length;
    this.#each(value, "messages", path, (message) => this.records.push(parseMessage(message, origin)));
    this.#each(value, "statuses", path, (status) => this.records.push(parseStatus(status, origin)));
    for (const part of ["errors", "user_actions"]) {
      this.#each(value, part, path, (raw) => this.records.push({ kind: "other", field: part, accountId, raw }));
    }
    if (this.records.length + this.skipped.length > before) return;
    this.records.push({ kind: "other", field: "messages", accountId, raw: value });
  }
}

// ---- Records -----------------------------------------------------------------------------------------------------

function parseMessage(raw: JsonObject, origin: Origin): WhatsAppMessage {
  const { accountId, phoneNumberId, displayPhoneNumber, contacts } = origin;
  const base: WhatsAppMessageBase = {
    kind: "message",
    id: text(raw, "id") ?? "",
    timestamp: date(raw, "timestamp"),
    sender: parseSender(raw, contacts),
    accountId,
    phoneNumberId,
    displayPhoneNumber,
    groupId: text(raw, "group_id"),
    context: parseContext(object(raw, "context")),
    referral: parseReferral(object(raw, "referral")),
    errors: parseErrors(raw),
    raw,
  };
  const originalType = text(raw, "type") ?? guessType(raw);
  const contents = CONTENTS.get(originalType)?.(raw);
  // Absent parts are left out altogether, so that records print and compare as what they hold.
  if (contents !== undefined) return withoutUndefined({ ...base, ...contents }) as WhatsAppMessage;
  return withoutUndefined({ ...base, type: "unknown", originalType });
}

/** Meta's own documentation has a message without `type`: the one known key it has says what it is. */
function guessType(raw: JsonObject): string {
  const found = [...CONTENTS.keys()].filter((type) => own(raw, type) !== undefined);
  return found.length === 1 ? found[0] : "";
}

function parseSender(raw: JsonObject, contacts: JsonObject[]): WhatsAppSender {
  const from = text(raw, "from") ?? "";
  const contact = findContact(raw, from, contacts);
  const profile = contact === undefined ? undefined : object(contact, "profile");
  const phone = isPhone(from) ? from : undefined;
  const userId = text(raw, "from_user_id") || (contact && text(contact, "user_id")) ||
    (phone === undefined && from !== "" ? from : undefined);
  const username = profile && text(profile, "username");
  return withoutUndefined({
    id: phone ?? (userId || from),
    phone,
    userId: userId || undefined,
    parentUserId: text(raw, "from_parent_user_id") || (contact && text(contact, "parent_user_id")) || undefined,
    name: (profile && text(profile, "name")) || undefined,
    username: username?.startsWith("@") ? username.slice(1) : username || undefined,
  });
}

/** `contacts` is not aligned with `messages`: matched by number, then by user id; a sole contact is the sender's. */
function findContact(raw: JsonObject, from: string, contacts: JsonObject[]): JsonObject | undefined {
  const userId = text(raw, "from_user_id") ?? "";
  const byPhone = from === "" ? undefined : contacts.find((contact) => text(contact, "wa_id") === from);
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
    forwarded: own(raw, "forwarded") === true || own(raw, "frequently_forwarded") === true,
    frequentlyForwarded: own(raw, "frequently_forwarded") === true,
    referredProduct: product && withoutUndefined({
      catalogId: text(product, "catalog_id"),
      productRetailerId: text(product, "product_retailer_id"),
    }),
  });
}

function parseReferral(raw: JsonObject | undefined): WhatsAppReferral | undefined {
  if (raw === undefined) return undefined;
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
  });
}

function parseErrors(raw: JsonObject): WhatsAppError[] {
  return objects(raw, "errors").map((error) => {
    const data = object(error, "error_data");
    return withoutUndefined({
      code: number(error, "code") ?? 0,
      title: text(error, "title"),
      message: text(error, "message"),
      // Older bodies have the details in the error itself.
      details: (data && text(data, "details")) ?? text(error, "details"),
      href: text(error, "href"),
    });
  });
}

function parseStatus(raw: JsonObject, origin: Origin): WhatsAppStatus {
  const { accountId, phoneNumberId, displayPhoneNumber } = origin;
  return withoutUndefined({
    kind: "status",
    id: text(raw, "id") ?? "",
    status: text(raw, "status") ?? "",
    timestamp: date(raw, "timestamp"),
    recipientId: text(raw, "recipient_id"),
    recipientUserId: text(raw, "recipient_user_id"),
    recipientType: text(raw, "recipient_type"),
    recipientParticipantId: text(raw, "recipient_participant_id") ?? text(raw, "participant_recipient_id"),
    accountId,
    phoneNumberId,
    displayPhoneNumber,
    bizOpaqueCallbackData: text(raw, "biz_opaque_callback_data"),
    errors: parseErrors(raw),
    raw,
  });
}

// ---- Contents by type --------------------------------------------------------------------------------------------

/** What a type adds to a message, or `undefined` if its contents are missing. */
type ContentsParser = (message: JsonObject) => { type: string } | undefined;

/** A map, since a type comes from outside and might be called `constructor`. */
const CONTENTS = new Map<string, ContentsParser>([
  ["text", contents("text", (raw) => ({ body: text(raw, "body") ?? "" }))],
  ["image", contents("image", parseMedia)],
  ["video", contents("video", parseMedia)],
  ["audio", contents("audio", parseMedia)],
  ["voice", (message) => rename(contents("voice", parseMedia)(message))],
  ["document", contents("document", parseMedia)],
  ["sticker", contents("sticker", parseMedia)],
  ["location", contents("location", parseLocation)],
  ["contacts", parseContacts],
  ["reaction", contents("reaction", parseReaction)],
  ["interactive", contents("interactive", parseInteractive)],
  ["button", contents("button", (raw) => ({ text: text(raw, "text"), payload: text(raw, "payload") }))],
  ["order", contents("order", parseOrder)],
  ["system", contents("system", parseSystem)],
]);

function contents<Name extends string>(type: Name, parse: (raw: JsonObject) => object | undefined): ContentsParser {
  return (message) => {
    const raw = object(message, type);
    const parsed = raw && parse(raw);
    return parsed && { type, [type]: withoutUndefined(parsed) };
  };
}

/** `voice` is how the on-premises API called a recorded `audio`. */
function rename(voice: { type: string; voice?: object } | undefined): { type: string } | undefined {
  return voice && { type: "audio", audio: { voice: true, ...voice.voice } } as { type: string };
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

function parseContacts(message: JsonObject): { type: string } | undefined {
  if (!Array.isArray(own(message, "contacts"))) return undefined;
  const cards = objects(message, "contacts").map(parseContact);
  return { type: "contacts", contacts: cards } as { type: string };
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
    raw,
  };
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
