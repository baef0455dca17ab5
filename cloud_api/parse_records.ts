/**
 * Items of the lists of a change to typed records: messages, echoes, statuses, payments, actions of users.
 *
 * @module
 */

import {
  boolean,
  date,
  firstText,
  fullText,
  type JsonObject,
  type Loose,
  object,
  own,
  text,
  withoutUndefined,
} from "./json.ts";
import { members, nested } from "./members.ts";
import type { WhatsAppMessage, WhatsAppMessageBase, WhatsAppSender } from "./messages.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import { parseContents, parseContext } from "./parse_contents.ts";
import { parseErrors } from "./parse_errors.ts";
import { parsePayment } from "./parse_payment.ts";
import { businessSender, findContact, namesOf, parseSender, phoneDigits, textOf } from "./people.ts";
import type { WhatsAppEcho, WhatsAppPayment, WhatsAppStatus, WhatsAppUserAction } from "./records.ts";

/**
 * Reads a message of a customer.
 *
 * @param raw The message.
 * @param origin The change that it came with.
 * @returns The message.
 */
export function parseMessage(raw: JsonObject, origin: ChangeOrigin): WhatsAppMessage {
  const contact = findContact(text(raw, "from"), text(raw, "from_user_id"), origin);
  return parseMessageOf(raw, origin, parseSender(raw, contact));
}

/**
 * Reads a message whose sender is known.
 *
 * @param raw The message.
 * @param origin The change that it came with.
 * @param sender Its sender.
 * @returns The message.
 */
export function parseMessageOf(raw: JsonObject, origin: ChangeOrigin, sender: WhatsAppSender): WhatsAppMessage {
  const { conversationContext, taken } = origin;
  const summary = conversationContext && object(conversationContext, "summary");
  const context = object(raw, "context");
  const referral = object(raw, "referral");
  if (conversationContext !== undefined) taken?.add(conversationContext);
  const base: Loose<WhatsAppMessageBase> = {
    kind: "message",
    id: text(raw, "id") ?? "",
    timestamp: date(raw, "timestamp"),
    sender,
    groupId: text(raw, "group_id"),
    context: context && parseContext(context),
    referral: referral && parseReferral(referral),
    conversationSummary: summary && text(summary, "text"),
    conversationContext,
    errors: parseErrors(raw),
    // Written out: most records are messages.
    field: origin.field,
    accountId: origin.accountId,
    phoneNumberId: origin.phoneNumberId,
    displayPhoneNumber: origin.displayPhoneNumber,
    entryTime: origin.entryTime,
    raw,
  };
  return withoutUndefined(Object.assign(base, parseContents(raw)));
}

const parseReferral = /* @__PURE__ */ members(() => ({
  sourceUrl: text,
  sourceId: text,
  sourceType: text,
  headline: text,
  body: text,
  mediaType: text,
  imageUrl: text,
  videoUrl: text,
  thumbnailUrl: text,
  ctwaClid: text,
  welcomeMessage: [text, "welcome_message.text"],
  ref: text,
}));

/**
 * Reads a message that the business sent: one from the app, or, one level deeper, one that another app sent with the
 * Graph API.
 *
 * @param raw The echo.
 * @param origin The change that it came with.
 * @returns The echo.
 */
export function parseEcho(raw: JsonObject, origin: ChangeOrigin): WhatsAppEcho {
  const body = unwrapEcho(raw);
  const to = fullText(body, "to");
  const toUserId = firstText(body, ["to_user_id", "recipient"]);
  const contact = findContact(to, toUserId, origin);
  const { name: recipientName, username: recipientUsername } = namesOf(contact);
  // The contacts are customers; the sender is the business.
  const message = parseMessageOf(body, origin, businessSender(body, origin));
  return withoutUndefined({
    kind: "echo",
    timestamp: message.timestamp,
    to: phoneDigits(to) ?? to ?? toUserId ?? "",
    toUserId: toUserId ?? textOf(contact, "user_id"),
    toParentUserId: fullText(body, "to_parent_user_id") ?? textOf(contact, "parent_user_id"),
    recipientName,
    recipientUsername,
    contact,
    creationType: fullText(body, "message_creation_type"),
    bizOpaqueCallbackData: text(body, "biz_opaque_callback_data"),
    message: { ...message, raw },
    ...recordBase(origin, raw),
  });
}

/**
 * Brings the members of an echo to one level: those of other apps have id and time outside, and all others inside.
 *
 * @param raw The echo as sent.
 * @returns The same object if it has one level.
 */
export function unwrapEcho(raw: JsonObject): JsonObject {
  const message = own(raw, "type") === undefined ? object(raw, "message") : undefined;
  if (message === undefined) return raw;
  const { message: _, ...outer } = raw;
  return { ...message, ...outer };
}

/**
 * Reads an action of a customer that is no message.
 *
 * @param raw The action.
 * @param origin The change that it came with.
 * @returns The action.
 */
export function parseUserAction(raw: JsonObject, origin: ChangeOrigin): WhatsAppUserAction {
  const actionType = text(raw, "action_type") ?? "";
  return withoutUndefined({
    kind: "userAction",
    actionType,
    timestamp: date(raw, "timestamp"),
    data: object(raw, `${actionType}_data`),
    ...recordBase(origin, raw),
  });
}

/**
 * Reads an item of `statuses`: the status of a message, or of a payment.
 *
 * @param raw The item.
 * @param origin The change that it came with.
 * @returns The status.
 */
export function parseStatus(raw: JsonObject, origin: ChangeOrigin): WhatsAppStatus | WhatsAppPayment {
  if (own(raw, "type") === "payment") {
    const payment = parsePayment(object(raw, "payment") ?? {});
    return withoutUndefined(Object.assign(statusBase("payment", raw, origin), { payment }));
  }
  // Members are added to one object: copies of so many members take long.
  const status = Object.assign(statusBase("status", raw, origin), {
    conversation: readConversation(raw, "conversation"),
    // Statuses of groups have the price in the conversation.
    pricing: readPricing(raw, "pricing") ?? readPricing(object(raw, "conversation") ?? {}, "pricing"),
  });
  return withoutUndefined(status);
}

/** Reads the members that statuses of messages and of payments share. */
function statusBase<Kind extends "status" | "payment">(
  kind: Kind,
  raw: JsonObject,
  origin: ChangeOrigin,
): Loose<Omit<WhatsAppStatus, "kind">> & { kind: Kind } {
  const recipientId = fullText(raw, "recipient_id");
  const recipientUserId = fullText(raw, "recipient_user_id");
  const recipientParticipantId = firstText(raw, ["recipient_participant_id", "participant_recipient_id"]);
  const recipientParticipantUserId = fullText(raw, "recipient_participant_user_id");
  // A group has no contact: the contacts are members of it.
  const isGroup = text(raw, "recipient_type") === "group";
  const contact = isGroup
    ? findContact(recipientParticipantId, recipientParticipantUserId, origin)
    : findContact(recipientId, recipientUserId, origin);
  const { name, username } = namesOf(isGroup ? undefined : contact);
  return {
    kind,
    id: text(raw, "id") ?? "",
    status: text(raw, "status") ?? "",
    timestamp: date(raw, "timestamp"),
    recipientId: phoneDigits(recipientId) ?? recipientId,
    recipientUserId,
    parentRecipientUserId: firstText(raw, [
      "parent_recipient_user_id",
      "recipient_parent_user_id",
      "parent_user_id",
    ]),
    recipientType: fullText(raw, "recipient_type"),
    recipientParticipantId: phoneDigits(recipientParticipantId) ?? recipientParticipantId,
    recipientParticipantUserId,
    recipientParticipantParentUserId: fullText(raw, "recipient_participant_parent_user_id"),
    recipientName: name,
    recipientUsername: username,
    recipientIdentityKeyHash: fullText(raw, "recipient_identity_key_hash"),
    contact,
    bizOpaqueCallbackData: text(raw, "biz_opaque_callback_data"),
    errors: parseErrors(raw),
    // Written out, as those of messages.
    field: origin.field,
    accountId: origin.accountId,
    phoneNumberId: origin.phoneNumberId,
    displayPhoneNumber: origin.displayPhoneNumber,
    entryTime: origin.entryTime,
    raw,
  };
}

const readConversation = /* @__PURE__ */ nested(/* @__PURE__ */ members(() => ({
  id: text,
  expirationTimestamp: date,
  originType: [text, "origin.type"],
})));

const readPricing = /* @__PURE__ */ nested(/* @__PURE__ */ members(() => ({
  billable: boolean,
  pricingModel: text,
  type: text,
  subtype: text,
  category: text,
})));
