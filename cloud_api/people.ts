/**
 * Persons of a notification: phone numbers, user ids, and the contacts that belong to them.
 *
 * @module
 */

import { fullText, type JsonObject, object, text, withoutUndefined } from "./json.ts";
import type { WhatsAppSender } from "./messages.ts";
import type { ChangeOrigin } from "./origin.ts";

/**
 * Reads a phone number: digits only, without the `+` and the spaces that relays add.
 *
 * @param value The text as sent; payloads show business-scoped user ids in its place.
 * @returns 5 to 20 digits; `undefined` for anything else.
 */
export function phoneDigits(value: string | undefined): string | undefined {
  if (value === undefined || value.length > 40) return undefined;
  // Most are digits already.
  const digits = isDigits(value) ? value : withoutSpaces(value);
  return digits === undefined || digits.length < 5 || digits.length > 20 ? undefined : digits;
}

function isDigits(value: string): boolean {
  for (let at = 0; at < value.length; at++) if (value[at]! < "0" || value[at]! > "9") return false;
  return true;
}

/** Leaves out a leading `+` and spaces; `undefined` if there is anything else but digits. */
function withoutSpaces(value: string): string | undefined {
  let digits = "";
  for (const character of value) {
    if (character >= "0" && character <= "9") digits += character;
    else if (character !== " " && (character !== "+" || digits !== "")) return undefined;
  }
  return digits;
}

/**
 * Finds a contact by number, then by user id, since `contacts` is not aligned with `messages`; a sole contact matches
 * all. Notes that a record has it: the record keeps it as sent, under `contact`.
 *
 * @param phone The phone number, if known.
 * @param userId The business-scoped user id, if known.
 * @param origin The change with the contacts.
 * @returns The contact.
 */
export function findContact(
  phone: string | undefined,
  userId: string | undefined,
  origin: ChangeOrigin,
): JsonObject | undefined {
  const { contacts, taken } = origin;
  const sole = contacts.length === 1 ? contacts[0] : undefined;
  const found = matchContact(phone, userId, origin) ?? sole;
  if (found !== undefined) taken?.add(found);
  return found;
}

/**
 * Finds a contact as {@linkcode findContact}, but takes none of another person: many persons may have few contacts.
 *
 * @param phone The phone number, if known.
 * @param userId The business-scoped user id, if known.
 * @param origin The change with the contacts.
 * @returns The contact.
 */
export function matchContact(
  phone: string | undefined,
  userId: string | undefined,
  { contacts, taken }: ChangeOrigin,
): JsonObject | undefined {
  const found = contacts.length > FEW ? findIndexed(phone, userId, contacts) : findAmong(phone, userId, contacts);
  if (found !== undefined) taken?.add(found);
  return found;
}

/** Number of contacts up to which an index is not worth it. */
const FEW = 8;

function findAmong(
  phone: string | undefined,
  userId: string | undefined,
  contacts: readonly JsonObject[],
): JsonObject | undefined {
  const digits = phone && plainPhone(phone);
  return (digits ? contacts.find((contact) => phoneOf(contact) === digits) : undefined) ??
    (userId ? contacts.find((contact) => text(contact, "user_id") === userId) : undefined);
}

/** Contacts by number and by user id. */
interface ContactIndex {
  readonly byPhone: ReadonlyMap<string | undefined, JsonObject>;
  readonly byUser: ReadonlyMap<string | undefined, JsonObject>;
}

/** Indexes of long lists: a search for each message would take the square of their length. */
const indexes = /* @__PURE__ */ new WeakMap<readonly JsonObject[], ContactIndex>();

function findIndexed(
  phone: string | undefined,
  userId: string | undefined,
  contacts: readonly JsonObject[],
): JsonObject | undefined {
  const index = indexes.get(contacts) ?? makeIndex(contacts);
  return (phone ? index.byPhone.get(plainPhone(phone)) : undefined) ?? (userId ? index.byUser.get(userId) : undefined);
}

function makeIndex(contacts: readonly JsonObject[]): ContactIndex {
  const [byPhone, byUser] = [new Map<string | undefined, JsonObject>(), new Map<string | undefined, JsonObject>()];
  for (const contact of contacts) {
    const [phone, userId] = [phoneOf(contact), text(contact, "user_id")];
    // The first one counts, as in a search.
    if (!byPhone.has(phone)) byPhone.set(phone, contact);
    if (!byUser.has(userId)) byUser.set(userId, contact);
  }
  const index = { byPhone, byUser };
  indexes.set(contacts, index);
  return index;
}

function plainPhone(phone: string): string {
  return phoneDigits(phone) ?? phone;
}

function phoneOf(contact: JsonObject): string | undefined {
  const waId = text(contact, "wa_id");
  return waId && plainPhone(waId);
}

/** Names of a person, and the contact that they are from. */
export interface PersonNames {
  /** The profile name. */
  readonly name: string | undefined;
  /** The username, without a leading `@`. */
  readonly username: string | undefined;
}

/**
 * Reads the names of a contact.
 *
 * @param contact The contact, if there is one.
 * @returns Its names; empty ones are absent.
 */
export function namesOf(contact: JsonObject | undefined): PersonNames {
  const profile = contact && object(contact, "profile");
  return {
    name: (profile && text(profile, "name")) || undefined,
    username: plainUsername(profile && text(profile, "username")),
  };
}

/**
 * Reads a username, which comes with or without `@`, and sometimes empty.
 *
 * @param value The username as sent.
 * @returns The username without `@`; `undefined` if it is empty.
 */
export function plainUsername(value: string | undefined): string | undefined {
  return (value?.startsWith("@") ? value.slice(1) : value) || undefined;
}

/**
 * Reads the sender of a message.
 *
 * @param raw The message as sent.
 * @param contact The sender's contact, if there is one.
 * @returns The sender.
 */
export function parseSender(raw: JsonObject, contact: JsonObject | undefined): WhatsAppSender {
  const from = text(raw, "from") ?? "";
  const phone = phoneDigits(from);
  const userId = fullText(raw, "from_user_id") ?? textOf(contact, "user_id") ??
    (phone === undefined && from || undefined);
  return describe(phone, userId, fullText(raw, "from_parent_user_id"), contact, from);
}

/** Describes a person; a contact gives the names, and the id of the parent if it is not given. */
function describe(
  phone: string | undefined,
  userId: string | undefined,
  parentUserId: string | undefined,
  contact: JsonObject | undefined,
  otherId: string,
): WhatsAppSender {
  const waId = phoneDigits(contact && text(contact, "wa_id"));
  return withoutUndefined({
    id: phone ?? userId ?? otherId,
    phone,
    userId,
    parentUserId: parentUserId ?? textOf(contact, "parent_user_id"),
    ...namesOf(contact),
    waId: waId === phone ? undefined : waId,
    identityKeyHash: contact && text(contact, "identity_key_hash"),
    contact,
  });
}

/**
 * Reads a text of a contact.
 *
 * @param contact The contact, if there is one.
 * @param key The key.
 * @returns The text; `undefined` for an empty one, and for any other value.
 */
export function textOf(contact: JsonObject | undefined, key: string): string | undefined {
  return contact && fullText(contact, key);
}

/**
 * Reads the sender of a message that the business sent: its number, if the message does not say.
 *
 * @param raw The message as sent.
 * @param origin The change with the number of the business.
 * @returns The sender.
 */
export function businessSender(raw: JsonObject, origin: ChangeOrigin): WhatsAppSender {
  const sender = parseSender(raw, undefined);
  if (sender.id !== "") return sender;
  const phone = businessPhone(origin);
  return phone === undefined ? sender : { ...sender, id: phone, phone };
}

/**
 * Reads the phone number of the business.
 *
 * @param origin The change.
 * @returns Digits only: the form for display may have spaces, hyphens and brackets.
 */
export function businessPhone({ displayPhoneNumber = "" }: ChangeOrigin): string | undefined {
  let digits = "";
  for (const character of displayPhoneNumber.slice(0, 40)) {
    if (character >= "0" && character <= "9") digits += character;
  }
  return phoneDigits(digits);
}

/** Ids of a person, as an item of a notification has them; none is empty. */
export interface PersonIds {
  /** The phone number; payloads show business-scoped user ids in its place. */
  readonly phone?: string | undefined;
  /** The business-scoped user id. */
  readonly userId?: string | undefined;
  /** The user id within the parent business portfolio. */
  readonly parentUserId?: string | undefined;
}

/**
 * Describes a person.
 *
 * @param ids The ids of the item.
 * @param contact The contact, if there is one: it gives the names, and ids that the item does not have.
 * @returns The person.
 */
export function personOf(ids: PersonIds, contact: JsonObject | undefined): WhatsAppSender {
  const given = phoneDigits(ids.phone);
  const userId = ids.userId ?? textOf(contact, "user_id") ?? (given === undefined ? ids.phone : undefined);
  return describe(given ?? phoneDigits(contact && text(contact, "wa_id")), userId, ids.parentUserId, contact, "");
}

/**
 * Describes a person, with the contact of a change.
 *
 * @param ids The ids of the item.
 * @param origin The change.
 * @returns The person.
 */
export function personIn(ids: PersonIds, origin: ChangeOrigin): WhatsAppSender {
  return personOf(ids, findContact(ids.phone, ids.userId, origin));
}

/**
 * Reads a username, as {@linkcode plainUsername}.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The username.
 */
export function username(raw: JsonObject, key: string): string | undefined {
  return plainUsername(text(raw, key));
}

/**
 * Reads a phone number, as {@linkcode phoneDigits}.
 *
 * @param raw The object.
 * @param key The key.
 * @returns The number.
 */
export function phone(raw: JsonObject, key: string): string | undefined {
  return phoneDigits(text(raw, key));
}
