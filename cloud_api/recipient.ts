/**
 * Recipients of messages: phone numbers, business-scoped user ids, groups, and the chats of messages.
 *
 * @module
 */

import { quote } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import type { JsonObject } from "./json.ts";
import type { WhatsAppMessage } from "./messages.ts";

/**
 * Recipient of a message:
 * - a phone number with country code; spaces, dashes, dots, slashes and brackets are left out. With `+` it is taken as
 *   it is; without, Meta may put the country code of the business before it.
 * - a business-scoped user id: `US.13491208655302741918`, or `US.ENT.…` of the parent business portfolio
 * - a group
 * - a message: its chat
 */
export type Recipient = string | { group: string } | WhatsAppMessage;

const DIGITS = "0123456789";
/** Characters between the digits of a phone number; the last ones are a no-break space and a no-break hyphen. */
const SEPARATORS = " -.()/\u00a0\u2011";
/** Digits of the longest phone number: E.164 allows 15, and Meta's own ids have had more. */
const MOST_DIGITS = 20;
/** Characters of a user id after its country code. */
const MOST_ID_CHARACTERS = 128;
const ENTERPRISE = "ENT.";

/**
 * Puts a recipient into the fields of the Cloud API: numbers and groups into `to`, user ids into `recipient`.
 *
 * @param to The recipient.
 * @returns The fields.
 * @throws {OptionError} If it is empty, or none of the forms.
 */
export function addressOf(to: Recipient): JsonObject {
  if (typeof to === "string") return textAddress(to);
  if (typeof to === "object" && to !== null) {
    if ("group" in to) return groupAddress(to.group);
    if ("kind" in to && to.kind === "message") return chatAddress(to);
  }
  throw new OptionError(`Cannot send: the recipient is ${showValue(to)} instead of ${FORMS}`);
}

const FORMS = 'a phone number, a user id such as "US.134…", { group: "…" }, or a message';

/**
 * Tells user ids from phone numbers.
 *
 * @param id A text.
 * @returns `true` for `CC.` or `CC.ENT.`, `CC` being two capital letters, and up to 128 letters and digits.
 */
export function isUserId(id: string): boolean {
  if (!isCapital(id.charCodeAt(0)) || !isCapital(id.charCodeAt(1)) || id[2] !== ".") return false;
  const rest = id.slice(id.startsWith(ENTERPRISE, 3) ? 3 + ENTERPRISE.length : 3);
  if (rest === "" || rest.length > MOST_ID_CHARACTERS) return false;
  for (let at = 0; at < rest.length; at++) if (!isAlphanumeric(rest.charCodeAt(at))) return false;
  return true;
}

/**
 * Reads a phone number.
 *
 * @param text The number, perhaps with separators.
 * @returns Its digits, after `+` if it has one; `undefined` if it is not a phone number.
 */
export function phoneNumber(text: string): string | undefined {
  const trimmed = text.trim();
  let digits = "";
  for (const char of trimmed.startsWith("+") ? trimmed.slice(1) : trimmed) {
    if (DIGITS.includes(char)) digits += char;
    else if (!SEPARATORS.includes(char)) return undefined;
    if (digits.length > MOST_DIGITS) return undefined;
  }
  if (digits === "") return undefined;
  return trimmed.startsWith("+") ? `+${digits}` : digits;
}

function textAddress(to: string): JsonObject {
  if (to.trim() === "") throw new OptionError("Cannot send: the recipient is empty");
  if (isUserId(to)) return individual({ recipient: to });
  const phone = phoneNumber(to);
  if (phone !== undefined) return individual({ to: phone });
  const hint = to.startsWith("wamid.") ? "; this is the id of a message: give the message" : "";
  throw new OptionError(`Cannot send: the recipient is ${quote(to)} instead of ${FORMS}${hint}`);
}

function groupAddress(group: unknown): JsonObject {
  if (typeof group === "string" && group !== "") return { recipient_type: "group", to: group };
  const shown = group === "" ? "empty" : `${showValue(group)} instead of its id`;
  throw new OptionError(`Cannot send: the group of the recipient is ${shown}`);
}

/** Ids that Meta gave are sent back in whatever form they have. */
function chatAddress({ groupId, sender }: WhatsAppMessage): JsonObject {
  if (groupId !== undefined) return groupAddress(groupId);
  if (sender.phone !== undefined) return individual({ to: sender.phone });
  const id = sender.userId ?? sender.id;
  if (id === "") throw new OptionError("Cannot send: the message has no sender that could be answered");
  const phone = phoneNumber(id);
  return individual(phone === undefined ? { recipient: id } : { to: phone });
}

function individual(address: JsonObject): JsonObject {
  return { recipient_type: "individual", ...address };
}

function isCapital(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || isCapital(code) || (code >= 0x61 && code <= 0x7a);
}
