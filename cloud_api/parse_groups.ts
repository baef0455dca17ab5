/**
 * Groups: the values of the webhook fields `group_…_update`.
 *
 * @module
 */

import type { WhatsAppGroupEvent, WhatsAppGroupParticipant, WhatsAppGroupSetting } from "./field_records.ts";
import { makeRecord } from "./field_values.ts";
import { boolean, fullText, type JsonObject, object, own, text, withoutUndefined } from "./json.ts";
import { each, members, textOrEmpty } from "./members.ts";
import type { ChangeOrigin } from "./origin.ts";
import { parseErrors } from "./parse_errors.ts";
import { phoneDigits, username } from "./people.ts";

/** Settings that have a result each; others are known by their member `update_successful`. */
const SETTINGS: readonly string[] = ["group_subject", "group_description", "profile_picture"];

const parseMembers = /* @__PURE__ */ members(() => ({
  type: textOrEmpty,
  groupId: textOrEmpty,
  requestId: text,
  subject: text,
  description: text,
  inviteLink: text,
  joinApprovalMode: text,
  reason: text,
  initiatedBy: text,
  joinRequestId: text,
  addedParticipants: each(parseParticipant),
  removedParticipants: each(parseParticipant),
  failedParticipants: each(parseParticipant),
  settings: (raw: JsonObject) => Object.keys(raw).flatMap((name) => parseSetting(name, object(raw, name))),
  errors: parseErrors,
}));

/**
 * Reads an event of a group.
 *
 * @param raw The event.
 * @param origin The change.
 * @returns A record.
 */
export function parseGroup(raw: JsonObject, origin: ChangeOrigin): WhatsAppGroupEvent {
  const aboutOne = ["join_request_id", "wa_id", "user_id", "username"].some((key) => fullText(raw, key) !== undefined);
  return makeRecord("group", raw, origin, {
    ...parseMembers(raw),
    // The errors beside the ids are those of the event.
    ...aboutOne && { participant: { ...parseParticipant(raw), errors: [] } },
  });
}

const parseIds = /* @__PURE__ */ members(() => ({
  phone: [fullText, "wa_id"],
  userId: fullText,
  parentUserId: fullText,
  username,
  input: text,
  errors: parseErrors,
}));

function parseParticipant(raw: JsonObject): WhatsAppGroupParticipant {
  const { phone: waId, ...ids } = parseIds(raw);
  const phone = phoneDigits(waId);
  return phone === undefined ? withoutUndefined({ userId: waId, ...ids }) : { phone, ...ids };
}

const parseResult = /* @__PURE__ */ members(() => ({
  successful: [boolean, "update_successful"],
  text,
  mimeType: text,
  sha256: text,
  errors: parseErrors,
}));

function parseSetting(name: string, raw: JsonObject | undefined): WhatsAppGroupSetting[] {
  if (raw === undefined || (!SETTINGS.includes(name) && own(raw, "update_successful") === undefined)) return [];
  return [{ name, ...parseResult(raw) }];
}
