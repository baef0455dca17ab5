/**
 * Persons of a notification: phone numbers, user ids, and the contacts that belong to them.
 *
 * @module
 */

import { type JsonObject, object, text, withoutUndefined } from "./json.ts";
import type { WhatsAppSender } from "./messages.ts";
import type { Origin } from "./origin.ts";

/**
 * Reads a phone number: digits only, without the `+` and the spaces that relays add.
 *
 * @param value The text as sent; payloads show business-scoped user ids in its place.
 * @returns 5 to 20 digits; `undefined` for anything else.
 */
export function phoneDigits(value: string | undefined): string | undefined {
  if (value === undefined || value.length > 40) return undefined;
  let digits = "";
  for (let at = 0; at < value.length; at++) {
    const character = value[at]!;
    if (character >= "0" && character <= "9") digits += character;
    else if (character !== " " && (character !== "+" || digits !== "")) return undefined;
  }
  return digits.length < 5 || digits.length > 20 ? undefined : digits;
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
  { contacts, takenContacts }: Origin,
): JsonObject | undefined {
  const digits = phoneDigits(phone) ?? phone;
  const found = (digits ? contacts.find((contact) => hasPhone(contact, digits)) : undefined) ??
    (userId ? contacts.find((contact) => text(contact, "user_id") === userId) : undefined) ??
    (contacts.length === 1 ? contacts[0] : undefined);
  if (found !== undefined) takenContacts?.add(found);
  return found;
}

function hasPhone(contact: JsonObject, phone: string): boolean {
  const waId = text(contact, "wa_id");
  return waId !== undefined && (waId === phone || phoneDigits(waId) === phone);
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

/** Ids of a person, as an item of a notification has them. */
export interface PersonIds {
  /** The phone number; payloads show business-scoped user ids in its place. */
  readonly phone: string | undefined;
  /** The business-scoped user id. */
  readonly userId: string | undefined;
  /** The user id within the parent business portfolio. */
  readonly parentUserId: string | undefined;
}

/**
 * Describes a person.
 *
 * @param ids The ids of the item; they may be empty texts.
 * @param contact The contact, if there is one: it gives the names, and ids that the item does not have.
 * @returns The person.
 */
export function personOf(ids: PersonIds, contact: JsonObject | undefined): WhatsAppSender {
  const given = phoneDigits(ids.phone);
  const waId = phoneDigits(contact && text(contact, "wa_id"));
  const phone = given ?? waId;
  const userId = ids.userId || (contact && text(contact, "user_id")) || (given === undefined && ids.phone) || undefined;
  return withoutUndefined({
    id: phone ?? userId ?? "",
    phone,
    userId,
    parentUserId: ids.parentUserId || (contact && text(contact, "parent_user_id")) || undefined,
    ...namesOf(contact),
    waId: waId === phone ? undefined : waId,
    identityKeyHash: contact && text(contact, "identity_key_hash"),
  });
}
