/**
 * Simulated notifications in the form of Meta's, one of each type, for tests and trials.
 *
 * @module
 */

import { OptionNames, type OptionTable } from "../base/option_names.ts";
import type { JsonObject } from "./json.ts";

/** A simulated notification. */
export interface SimulatedNotification {
  /** The body, escaped as Meta does. */
  readonly json: string;
  /** The type of message, or `status`, `payment`, or the webhook field. */
  readonly type: string;
  /** The id of its message, status or call; its number if it has none. */
  readonly id: string;
}

const PEOPLE = [
  { name: "Anna Example", phone: "491700000001", userId: "DE.13491208655302741918" },
  { name: "Luca Esempio", phone: "393300000002", userId: "IT.23491208655302741918" },
  { name: "José Muñoz 🚲", phone: "5511900000003", userId: "BR.33491208655302741918" },
] as const;

const MEDIA = { id: "1013859600285441", sha256: "SFhLRlBMVFVXUzJYVTc2WlFIS0lPSkY3WEs2RA==" };

/** Contents of messages, by type. */
const MESSAGES: Readonly<Record<string, unknown>> = {
  text: { body: "Is it still available? 50 € / piece, call me @home" },
  image: { ...MEDIA, mime_type: "image/jpeg", caption: "The broken one" },
  video: { ...MEDIA, mime_type: "video/mp4" },
  audio: { ...MEDIA, mime_type: "audio/ogg; codecs=opus", voice: true },
  document: { ...MEDIA, mime_type: "application/pdf", filename: "invoice.pdf", caption: "As asked" },
  sticker: { ...MEDIA, mime_type: "image/webp", animated: true },
  location: { latitude: 52.5163, longitude: 13.3777, name: "Brandenburger Tor", address: "Pariser Platz, Berlin" },
  contacts: [{ name: { formatted_name: "Anna Example" }, phones: [{ phone: "+49 170 0000001", type: "CELL" }] }],
  reaction: { message_id: "wamid.EARLIER", emoji: "👍" },
  interactive: { type: "button_reply", button_reply: { id: "yes", title: "Yes" } },
  button: { text: "Stop", payload: "stop" },
  order: {
    catalog_id: "194836987003835",
    product_items: [{ product_retailer_id: "sku-7", quantity: 2, item_price: 12.5, currency: "EUR" }],
  },
  system: { type: "user_changed_number", body: "Anna changed the number", wa_id: "491700000009" },
  unsupported: { type: "poll_creation" },
  edit: { original_message_id: "wamid.EARLIER", message: { type: "text", text: { body: "I meant Tuesday" } } },
  revoke: { original_message_id: "wamid.EARLIER" },
  hologram: { of: "a type that Meta has not invented yet" },
};

const STATUSES = ["sent", "delivered", "read", "failed"] as const;

/** Values of other webhook fields. */
const FIELDS: Readonly<Record<string, JsonObject>> = {
  account_update: { event: "VERIFIED_ACCOUNT" },
  message_template_status_update: {
    event: "APPROVED",
    message_template_id: 1689556908129832,
    message_template_name: "order_update",
    message_template_language: "en-US",
  },
  phone_number_quality_update: { display_phone_number: "15550000000", event: "UPGRADE", current_limit: "TIER_10K" },
};

/** A customer. */
interface Person {
  readonly name: string;
  readonly phone: string;
  readonly userId: string;
}

/** Facts of one simulated notification. */
interface Facts {
  readonly number: number;
  readonly id: string;
  readonly timestamp: string;
  readonly metadata: JsonObject;
  readonly person: Person;
  readonly contents?: unknown;
  readonly fields?: JsonObject | undefined;
}

/** Values of webhook fields that are about a number, and the status of a payment. */
const MORE: Readonly<Record<string, (facts: Facts) => JsonObject>> = {
  payment: ({ id, timestamp, person }) => {
    const transaction = { id: `pay_${id}`, type: "razorpay", status: "success" };
    const payment = { reference_id: "order-17", amount: { value: 9990, offset: 100 }, currency: "INR", transaction };
    return { statuses: [{ id, status: "captured", type: "payment", timestamp, recipient_id: person.phone, payment }] };
  },
  calls: ({ id, timestamp, metadata, person }) => {
    const parties = { from: person.phone, to: metadata.display_phone_number, direction: "USER_INITIATED" };
    const session = { sdp_type: "offer", sdp: "v=0\r\n" };
    return { contacts: [contactOf(person)], calls: [{ id, event: "connect", timestamp, ...parties, session }] };
  },
  messaging_handovers: ({ id, timestamp, metadata, person }) => {
    const roles = { previous_owner_role: "ai_agent", new_owner_role: "escalation" };
    const control_passed = { ...roles, metadata: `a question about ${id}` };
    const sender = { phone_number: person.phone, user_id: person.userId };
    return { recipient: metadata, sender, timestamp, type: "control_passed", control_passed };
  },
  user_preferences: ({ number, timestamp, person }) => {
    const detail = "User requested to stop marketing messages";
    const preference = { wa_id: person.phone, category: "marketing_messages", value: "stop", detail };
    return { user_preferences: [{ ...preference, timestamp: Number(timestamp) + number }] };
  },
  smb_message_echoes: ({ id, timestamp, metadata, person }) => {
    const ends = { from: metadata.display_phone_number, to: person.phone, to_user_id: person.userId };
    return { message_echoes: [{ ...ends, id, timestamp, type: "text", text: { body: "Sent from the app" } }] };
  },
  history: ({ id, timestamp, person }) => {
    const text = { type: "text", text: { body: "Of last year" }, history_context: { status: "READ" } };
    const messages = [{ from: person.phone, id, timestamp, ...text }];
    const metadata = { phase: 1, chunk_order: 1, progress: 100 };
    return { history: [{ metadata, threads: [{ id: person.phone, messages }] }] };
  },
  standby: ({ id, timestamp, person }) => {
    const message = {
      to: person.phone,
      type: "text",
      text: { body: "Of another app" },
      context: { message_id: "wamid.A" },
    };
    return { standby: { message_echoes: [{ id, timestamp, message }] } };
  },
};

/** The types that {@linkcode simulateNotification} knows, in the order in which it takes them. */
export const SIMULATED_TYPES: readonly string[] = [
  ...Object.keys(MESSAGES),
  "status",
  ...Object.keys(FIELDS),
  ...Object.keys(MORE),
];

/** Options of {@linkcode simulateNotification}. */
export interface SimulatedOptions {
  /** Type of the notification: see {@linkcode SIMULATED_TYPES}; by default one after the other. */
  type?: string | undefined;
  /** Id of the business phone number. */
  phoneNumberId?: string | undefined;
  /** Time of sending. */
  time?: Date | undefined;
  /**
   * Contents of a message in Meta's form, such as `{ body: "menu" }` of a text. Each type has some by default; statuses
   * and other fields take none.
   */
  contents?: unknown;
  /** Phone number of the customer who sends a message, digits only. */
  from?: string | undefined;
  /** Further members of a message in Meta's form, such as `{ context: { id: "wamid.A" } }`: they go before others. */
  fields?: JsonObject | undefined;
}

const NAMES: OptionTable<SimulatedOptions> = {
  type: true,
  phoneNumberId: true,
  time: true,
  contents: true,
  from: true,
  fields: true,
};
const OPTIONS = /* @__PURE__ */ new OptionNames("simulateNotification", {
  tables: [NAMES],
  hints: { content: 'use "contents"', body: 'use contents: { body: "…" }', text: 'use contents: { body: "…" }' },
  example: () => '{ type: "text" }',
});

/**
 * Makes a notification.
 *
 * @param number Its number, from 0: a number gives the same notification each time, and each number another id.
 * @param options Its type, by default one after the other; the id of the business phone number; the time of sending;
 * the contents of a message in Meta's form, such as `{ body: "menu" }` of a text, the phone number of its sender, and
 * further members of it.
 * @returns The notification.
 * @throws {OptionError} If an option is unknown.
 *
 * @example
 * ```ts
 * import { parseNotification, simulateNotification } from "@tackline/websocket/cloud-api";
 * import { assertEquals } from "@std/assert";
 *
 * const { json, id } = simulateNotification(7, { type: "text" });
 * const [record] = parseNotification(json).records;
 * assertEquals(record?.kind === "message" && record.id, id);
 * ```
 */
export function simulateNotification(
  number: number,
  options: SimulatedOptions = {},
): SimulatedNotification {
  OPTIONS.assert(options);
  const { phoneNumberId = "106540352242922", time = new Date(0) } = options;
  const type = options.type ?? SIMULATED_TYPES[number % SIMULATED_TYPES.length]!;
  const id = `${type === "calls" ? "wacid" : "wamid"}.SIM${number}`;
  const timestamp = String(Math.floor(time.getTime() / 1000));
  const metadata = { display_phone_number: "15550000000", phone_number_id: phoneNumberId };
  const { contents, from, fields } = options;
  const person: Person = PEOPLE[number % PEOPLE.length]!;
  const sender = from === undefined ? person : { name: person.name, phone: from, userId: `US.${from}` };
  const change = makeChange(type, { number, id, timestamp, metadata, person: sender, contents, fields });
  const entry = [{ id: "102290129340398", changes: [change] }];
  return { json: escapeLikeMeta(JSON.stringify({ object: "whatsapp_business_account", entry })), type, id };
}

function makeChange(type: string, facts: Facts): JsonObject {
  const { number, metadata } = facts;
  const base = { messaging_product: "whatsapp", metadata };
  if (type === "status") return { field: "messages", value: { ...base, statuses: [makeStatus(facts)] } };
  // Such a notification has no id: only its number makes it unique.
  if (Object.hasOwn(FIELDS, type)) return { field: type, value: { ...FIELDS[type], simulated: number } };
  if (Object.hasOwn(MORE, type)) {
    return { field: type === "payment" ? "messages" : type, value: { ...base, ...MORE[type]!(facts) } };
  }
  const contacts = [contactOf(facts.person)];
  return { field: "messages", value: { ...base, contacts, messages: [makeMessage(type, facts)] } };
}

function contactOf({ name, phone, userId }: Facts["person"]): JsonObject {
  return { profile: { name }, wa_id: phone, user_id: userId };
}

function makeStatus({ number, id, timestamp, person }: Facts): JsonObject {
  const status = STATUSES[number % STATUSES.length];
  const errors = [{ code: 131047, title: "Re-engagement message", message: "Re-engagement message" }];
  const more = status === "failed" ? { errors } : {};
  return { id, status, timestamp, recipient_id: person.phone, recipient_user_id: person.userId, ...more };
}

function makeMessage(type: string, { id, timestamp, person, contents: given, fields }: Facts): JsonObject {
  const contents = given ?? (Object.hasOwn(MESSAGES, type) ? MESSAGES[type] : {});
  const errors = type === "unsupported" ? { errors: [{ code: 131051, title: "Message type unknown" }] } : {};
  const ids = { from: person.phone, from_user_id: person.userId, id };
  return { ...ids, timestamp, type, [type]: contents, ...errors, ...fields };
}

/**
 * Escapes JSON as Meta does: ASCII with escaped slashes, and the signature is over exactly these bytes.
 *
 * @param json The JSON.
 * @returns The same, in ASCII.
 */
export function escapeLikeMeta(json: string): string {
  let escaped = "";
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (json[at] === "/") escaped += "\\/";
    else escaped += code > 0x7e ? `\\u${code.toString(16).padStart(4, "0")}` : json[at];
  }
  return escaped;
}
