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
import { type ListItemParser, parseLists, wholeValue } from "./field_values.ts";
import { date, firstText, fullText, type JsonObject, number, object, pick, text, withoutUndefined } from "./json.ts";
import { type ChangeOrigin, type FieldParser, type ParsedValue, recordBase } from "./origin.ts";
import { parseAccountError } from "./parse_errors.ts";
import { findContact, namesOf, personOf, phoneDigits, plainUsername } from "./people.ts";

/** Reads `messaging_handovers`: the value is one handover. */
export const parseHandover: FieldParser = (value: JsonObject, origin: ChangeOrigin): ParsedValue => {
  const sender = object(value, "sender") ?? {};
  const event = text(value, "type") ?? HANDOVERS.find((key) => object(value, key) !== undefined) ?? "";
  const details = [event, ...HANDOVERS].map((key) => object(value, key)).find((found) => found !== undefined) ?? {};
  const user = {
    phone: firstText(sender, ["phone_number", "wa_id"]),
    userId: fullText(sender, "user_id"),
    parentUserId: fullText(sender, "parent_user_id"),
  };
  const record: WhatsAppHandover = withoutUndefined({
    kind: "handover",
    ...recordBase(origin, value),
    timestamp: date(value, "timestamp") ?? origin.entryTime,
    event,
    user: { ...personOf(user, undefined), ...withoutUndefined(namesOf({ profile: sender })) },
    ...pick(details, {
      previousOwnerRole: "previous_owner_role",
      newOwnerRole: "new_owner_role",
      previousOwnerAppId: "previous_owner_app_id",
      previousOwnerAppRole: "previous_owner_app_role",
      newOwnerAppId: "new_owner_app_id",
      metadata: "metadata",
    }),
    conversationSummary: summaryIn(details) ?? summaryIn(value),
  });
  return wholeValue(record);
};

const HANDOVERS: readonly string[] = ["control_passed", "control_taken"];

function summaryIn(raw: JsonObject): string | undefined {
  const summary = object(object(raw, "conversation_context") ?? {}, "summary");
  return summary && text(summary, "text");
}

/** Reads `user_preferences`: a record of each preference. */
export const parseUserPreferences: FieldParser = /* @__PURE__ */ listParser("user_preferences", (raw, origin) => {
  const ids = {
    phone: fullText(raw, "wa_id"),
    userId: fullText(raw, "user_id"),
    parentUserId: fullText(raw, "parent_user_id"),
  };
  const record: WhatsAppUserPreference = withoutUndefined({
    kind: "userPreference",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    user: personOf(ids, findContact(ids.phone, ids.userId, origin)),
    category: text(raw, "category") ?? "",
    value: text(raw, "value") ?? "",
    ...pick(raw, { detail: "detail", signupId: "signup_id" }),
  });
  return record;
});

/** Reads `automatic_events`: a record of each event. */
export const parseAutomaticEvents: FieldParser = /* @__PURE__ */ listParser("automatic_events", (raw, origin) => {
  const data = object(raw, "custom_data") ?? {};
  const record: WhatsAppAutomaticEvent = withoutUndefined({
    kind: "automaticEvent",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    id: text(raw, "id") ?? "",
    eventName: text(raw, "event_name") ?? "",
    ctwaClid: text(raw, "ctwa_clid"),
    currency: text(data, "currency"),
    value: number(data, "value"),
  });
  return record;
});

/** Reads `smb_app_state_sync`: a record of each contact. */
export const parseStateSync: FieldParser = /* @__PURE__ */ listParser("state_sync", (raw, origin) => {
  const contact = object(raw, "contact") ?? {};
  const record: WhatsAppContactSync = withoutUndefined({
    kind: "contactSync",
    ...recordBase(origin, raw),
    timestamp: date(object(raw, "metadata") ?? {}, "timestamp") ?? date(raw, "timestamp") ?? origin.entryTime,
    type: text(raw, "type") ?? "",
    action: text(raw, "action") ?? "",
    ...pick(contact, { fullName: "full_name", firstName: "first_name" }),
    userId: fullText(contact, "user_id"),
    parentUserId: fullText(contact, "parent_user_id"),
    phone: phoneDigits(text(contact, "phone_number")),
    username: plainUsername(text(contact, "username")),
  });
  return record;
});

/** Reads `user_id_update`: a record of each person. */
export const parseUserIdUpdates: FieldParser = /* @__PURE__ */ listParser("user_id_update", (raw, origin) => {
  const [userId, parentUserId] = [idChange(raw, "user_id"), idChange(raw, "parent_user_id")];
  const ids = { phone: fullText(raw, "wa_id"), userId: userId.current, parentUserId: parentUserId.current };
  const record: WhatsAppAccountUpdate = withoutUndefined({
    kind: "account",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    userIdChange: withoutUndefined({
      user: personOf(ids, findContact(ids.phone, ids.userId, origin)),
      previousUserId: userId.previous,
      previousParentUserId: parentUserId.previous,
      detail: text(raw, "detail"),
    }),
  });
  return record;
});

/** Reads an id before and after a change; a text is the one after it. */
function idChange(raw: JsonObject, key: string): { previous: string | undefined; current: string | undefined } {
  const change = object(raw, key);
  if (change === undefined) return { previous: undefined, current: fullText(raw, key) };
  return { previous: fullText(change, "previous"), current: fullText(change, "current") };
}

function listParser(key: string, parse: ListItemParser): FieldParser {
  const lists = new Map<string, ListItemParser>([[key, parse], ["errors", parseAccountError]]);
  return (value, origin) => parseLists(value, origin, lists);
}
