/**
 * Groups: the values of the webhook fields `group_…_update`.
 *
 * @module
 */

import type { WhatsAppGroupEvent, WhatsAppGroupParticipant, WhatsAppGroupSetting } from "./field_records.ts";
import { type ListItemParser, parseLists } from "./field_values.ts";
import {
  boolean,
  date,
  fullText,
  type JsonObject,
  object,
  objects,
  own,
  pick,
  text,
  withoutUndefined,
} from "./json.ts";
import { type ChangeOrigin, type ParsedValue, recordBase } from "./origin.ts";
import { parseAccountError, parseErrors } from "./parse_errors.ts";
import { phoneDigits, plainUsername } from "./people.ts";

const LISTS: ReadonlyMap<string, ListItemParser> = new Map<string, ListItemParser>([
  ["groups", parseGroup],
  ["errors", parseAccountError],
]);

/** Settings that have a result each; others are known by their member `update_successful`. */
const SETTINGS: readonly string[] = ["group_subject", "group_description", "profile_picture"];

/**
 * Reads events of groups.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record of each event and error.
 */
export function parseGroups(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  return parseLists(value, origin, LISTS);
}

function parseGroup(raw: JsonObject, origin: ChangeOrigin): WhatsAppGroupEvent {
  const aboutOne = ["join_request_id", "wa_id", "user_id", "username"].some((key) => fullText(raw, key) !== undefined);
  return withoutUndefined({
    kind: "group",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    type: text(raw, "type") ?? "",
    groupId: text(raw, "group_id") ?? "",
    ...pick(raw, {
      requestId: "request_id",
      subject: "subject",
      description: "description",
      inviteLink: "invite_link",
      joinApprovalMode: "join_approval_mode",
      reason: "reason",
      initiatedBy: "initiated_by",
      joinRequestId: "join_request_id",
    }),
    // The errors beside the ids are those of the event.
    participant: aboutOne ? { ...parseParticipant(raw), errors: [] } : undefined,
    addedParticipants: objects(raw, "added_participants").map(parseParticipant),
    removedParticipants: objects(raw, "removed_participants").map(parseParticipant),
    failedParticipants: objects(raw, "failed_participants").map(parseParticipant),
    settings: Object.keys(raw).flatMap((name) => parseSetting(name, object(raw, name))),
    errors: parseErrors(raw),
  });
}

function parseParticipant(raw: JsonObject): WhatsAppGroupParticipant {
  const waId = fullText(raw, "wa_id");
  const phone = phoneDigits(waId);
  return withoutUndefined({
    phone,
    userId: fullText(raw, "user_id") ?? (phone === undefined ? waId : undefined),
    parentUserId: fullText(raw, "parent_user_id"),
    username: plainUsername(text(raw, "username")),
    input: text(raw, "input"),
    errors: parseErrors(raw),
  });
}

function parseSetting(name: string, raw: JsonObject | undefined): WhatsAppGroupSetting[] {
  if (raw === undefined || (!SETTINGS.includes(name) && own(raw, "update_successful") === undefined)) return [];
  const successful = boolean(raw, "update_successful");
  const texts = pick(raw, { text: "text", mimeType: "mime_type", sha256: "sha256" });
  return [withoutUndefined({ name, successful, ...texts, errors: parseErrors(raw) })];
}
