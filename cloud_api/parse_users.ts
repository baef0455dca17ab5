/**
 * Events of persons: handovers of conversations, preferences, detected purchases, contacts and changed ids.
 *
 * @module
 */

import type { WhatsAppAccountUpdate } from "./account_records.ts";
import type {
  WhatsAppAutomaticEvent,
  WhatsAppContactSync,
  WhatsAppHandover,
  WhatsAppUserPreference,
} from "./field_records.ts";
import { makeRecord } from "./field_values.ts";
import { date, fullText, type JsonObject, number, object, text, withoutUndefined } from "./json.ts";
import { members, textOrEmpty } from "./members.ts";
import type { ChangeOrigin } from "./origin.ts";
import { namesOf, personIn, personOf, phone, username } from "./people.ts";

const parseIds = /* @__PURE__ */ members(() => ({
  phone: [fullText, "phone_number", "wa_id"],
  userId: fullText,
  parentUserId: fullText,
}));

const HANDOVERS: readonly string[] = ["control_passed", "control_taken"];

const parseDetails = /* @__PURE__ */ members(() => ({
  previousOwnerRole: text,
  newOwnerRole: text,
  previousOwnerAppId: text,
  previousOwnerAppRole: text,
  newOwnerAppId: text,
  metadata: text,
  conversationSummary: [text, SUMMARY],
}));

/** Place of the summary of a conversation, in the details of a handover or beside them. */
const SUMMARY = "conversation_context.summary.text";
const parseSummary = /* @__PURE__ */ members(() => ({ conversationSummary: [text, SUMMARY] }));

/**
 * Reads the value of `messaging_handovers`.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record.
 */
export function parseHandover(value: JsonObject, origin: ChangeOrigin): WhatsAppHandover {
  const sender = object(value, "sender") ?? {};
  const event = text(value, "type") ?? HANDOVERS.find((key) => object(value, key) !== undefined) ?? "";
  const details = [event, ...HANDOVERS].map((key) => object(value, key)).find((found) => found !== undefined) ?? {};
  return makeRecord("handover", value, origin, {
    event,
    user: { ...personOf(parseIds(sender), undefined), ...withoutUndefined(namesOf({ profile: sender })) },
    ...parseSummary(value),
    ...parseDetails(details),
  });
}

const parsePreference = /* @__PURE__ */ members(() => ({
  category: textOrEmpty,
  value: textOrEmpty,
  detail: text,
  signupId: text,
}));

/**
 * Reads an item of `user_preferences`.
 *
 * @param raw The item.
 * @param origin The change.
 * @returns A record.
 */
export function parseUserPreference(raw: JsonObject, origin: ChangeOrigin): WhatsAppUserPreference {
  return makeRecord("userPreference", raw, origin, { user: personIn(parseIds(raw), origin), ...parsePreference(raw) });
}

const parseEvent = /* @__PURE__ */ members(() => ({
  id: textOrEmpty,
  eventName: textOrEmpty,
  ctwaClid: text,
  currency: [text, "custom_data.currency"],
  value: [number, "custom_data.value"],
}));

/**
 * Reads an item of `automatic_events`.
 *
 * @param raw The item.
 * @param origin The change.
 * @returns A record.
 */
export function parseAutomaticEvent(raw: JsonObject, origin: ChangeOrigin): WhatsAppAutomaticEvent {
  return makeRecord("automaticEvent", raw, origin, parseEvent(raw));
}

const parseSync = /* @__PURE__ */ members(() => ({
  type: textOrEmpty,
  action: textOrEmpty,
  timestamp: [date, "metadata.timestamp", "timestamp"],
}));

const parseContact = /* @__PURE__ */ members(() => ({
  fullName: text,
  firstName: text,
  userId: fullText,
  parentUserId: fullText,
  phone: [phone, "phone_number"],
  username,
}));

/**
 * Reads an item of `state_sync`.
 *
 * @param raw The item.
 * @param origin The change.
 * @returns A record.
 */
export function parseContactSync(raw: JsonObject, origin: ChangeOrigin): WhatsAppContactSync {
  return makeRecord("contactSync", raw, origin, { ...parseSync(raw), ...parseContact(object(raw, "contact") ?? {}) });
}

const parseChange = /* @__PURE__ */ members(() => ({
  userId: [fullText, "user_id.current", "user_id"],
  previousUserId: [fullText, "user_id.previous"],
  parentUserId: [fullText, "parent_user_id.current", "parent_user_id"],
  previousParentUserId: [fullText, "parent_user_id.previous"],
  phone: [fullText, "wa_id"],
  detail: text,
}));

/**
 * Reads an item of `user_id_update`, whose ids are objects; a text is the id after the change.
 *
 * @param raw The item.
 * @param origin The change.
 * @returns A record.
 */
export function parseUserIdUpdate(raw: JsonObject, origin: ChangeOrigin): WhatsAppAccountUpdate {
  const { userId, parentUserId, phone, ...change } = parseChange(raw);
  const user = personIn({ userId, parentUserId, phone }, origin);
  return makeRecord("account", raw, origin, { userIdChange: { user, ...change } });
}
