/**
 * Addresses of one user for calls about a user: a phone number, or a business-scoped user id.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { isDigits } from "./argument_checks.ts";
import type { WhatsAppMessage } from "./messages.ts";

/**
 * A user: a phone number with country code, a business-scoped user id such as `US.13491208655302741918`, or the sender
 * of a message.
 */
export type WhatsAppUser = string | WhatsAppMessage;

/** Either address of a user. */
export type UserAddress = { readonly phone: string } | { readonly userId: string };

/** Least and greatest number of digits of a phone number. */
const PHONE_DIGITS = [5, 20] as const;
/** Greatest number of characters of a business-scoped user id behind its last period. */
const MAX_USER_ID = 128;
/** Characters that people write between the digits of a phone number. */
const BETWEEN_DIGITS = " -().";

/**
 * Finds the address of a user.
 *
 * @param user The user.
 * @returns The phone number, without what stands between its digits, or the user id.
 * @throws {OptionError} If it is neither.
 */
export function addressOfUser(user: WhatsAppUser): UserAddress {
  const id = typeof user === "object" && user !== null ? idOfSender(user) : user;
  if (typeof id === "string") {
    if (isUserId(id)) return { userId: id };
    const phone = phoneOf(id);
    if (phone !== undefined) return { phone };
  }
  const wanted = "a phone number with country code, or a business-scoped user id such as US.13491208655302741918";
  throw new OptionError(`The user is ${showValue(id)}: ${wanted}, is wanted`);
}

/** Prefers the number, since a user id changes when the number does. */
function idOfSender({ sender }: WhatsAppMessage): unknown {
  return sender?.phone ?? sender?.userId ?? sender?.id;
}

/** Tells whether a text is `CC.` or `CC.ENT.` with letters and digits behind it. */
function isUserId(text: string): boolean {
  const parts = text.split(".");
  const [country = "", middle] = parts;
  if (parts.length !== 2 && !(parts.length === 3 && middle === "ENT")) return false;
  const last = parts.at(-1)!;
  return country.length === 2 && isMadeOf(country, isCapital) && last.length > 0 && last.length <= MAX_USER_ID &&
    isMadeOf(last, isAlphanumeric);
}

function isMadeOf(text: string, isOne: (character: string) => boolean): boolean {
  for (const character of text) if (!isOne(character)) return false;
  return true;
}

function isCapital(character: string): boolean {
  return character >= "A" && character <= "Z";
}

function isAlphanumeric(character: string): boolean {
  return isCapital(character) || (character >= "a" && character <= "z") || (character >= "0" && character <= "9");
}

function phoneOf(text: string): string | undefined {
  const plus = text.startsWith("+") ? "+" : "";
  let digits = "";
  for (const character of text.slice(plus.length)) if (!BETWEEN_DIGITS.includes(character)) digits += character;
  const [least, most] = PHONE_DIGITS;
  return isDigits(digits) && digits.length >= least && digits.length <= most ? plus + digits : undefined;
}
