/**
 * Addresses of one user for calls about a user: a phone number, or a business-scoped user id.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import type { WhatsAppMessage } from "./messages.ts";
import { isUserId, phoneNumber } from "./recipient.ts";

/**
 * A user: a phone number with country code, a business-scoped user id such as `US.13491208655302741918`, or the sender
 * of a message.
 */
export type WhatsAppUser = string | WhatsAppMessage;

/** Either address of a user. */
export type UserAddress = { readonly phone: string } | { readonly userId: string };

/**
 * Finds the address of a user.
 *
 * @param user The user.
 * @returns The phone number, without what stands between its digits, or the user id.
 * @throws {OptionError} If it is neither.
 */
export function addressOfUser(user: WhatsAppUser): UserAddress {
  if (typeof user === "object" && user !== null) return addressOfSender(user);
  if (typeof user === "string") {
    if (isUserId(user)) return { userId: user };
    const phone = phoneNumber(user);
    if (phone !== undefined) return { phone };
  }
  throw new OptionError(`The user is ${showValue(user)} instead of ${FORMS}`);
}

const FORMS = 'a phone number with country code, a user id such as "US.134…", or a message';

/** Prefers the number, since a user id changes when the number does. Ids that Meta gave are sent back as they are. */
function addressOfSender({ sender }: WhatsAppMessage): UserAddress {
  const { phone, userId, id = "" } = sender ?? {};
  if (phone !== undefined) return { phone };
  const other = userId ?? id;
  if (other === "") throw new OptionError(`The user is a message without a sender instead of ${FORMS}`);
  const number = phoneNumber(other);
  return number === undefined ? { userId: other } : { phone: number };
}
