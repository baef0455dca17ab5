/**
 * Calls: the value of the webhook field `calls`.
 *
 * @module
 */

import type { WhatsAppCall, WhatsAppCallSession } from "./field_records.ts";
import { type ListItemParser, parseLists } from "./field_values.ts";
import {
  date,
  firstText,
  fullText,
  type JsonObject,
  number,
  object,
  objects,
  pick,
  text,
  withoutUndefined,
} from "./json.ts";
import type { WhatsAppError, WhatsAppMedia } from "./messages.ts";
import { type ChangeOrigin, type ParsedValue, recordBase } from "./origin.ts";
import { parseMedia } from "./parse_contents.ts";
import { parseAccountError, parseErrors } from "./parse_errors.ts";
import { businessPhone, findContact, type PersonIds, personOf, phoneDigits } from "./people.ts";

/**
 * Reads events and states of calls.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record of each event, state and error.
 */
export function parseCalls(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  // Meta gives the reasons beside the calls: with several, it is not known whose they are.
  const reasons = objects(value, "calls").length === 1 ? parseErrors(value) : [];
  return parseLists(
    value,
    origin,
    new Map<string, ListItemParser>([
      ["calls", (raw) => parseCall(raw, origin, reasons)],
      ["statuses", parseCallStatus],
      ["errors", parseAccountError],
    ]),
  );
}

function parseCall(raw: JsonObject, origin: ChangeOrigin, reasons: readonly WhatsAppError[]): WhatsAppCall {
  const [caller, called] = [endOf(raw, "from"), endOf(raw, "to")];
  const user = otherEnd(caller, called, text(raw, "direction"), origin);
  const session = object(raw, "session");
  return withoutUndefined({
    kind: "call",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    id: text(raw, "id") ?? "",
    event: text(raw, "event") ?? "",
    user: personOf(user, findContact(user.phone, user.userId, origin)),
    from: caller.phone,
    fromUserId: caller.userId,
    fromParentUserId: caller.parentUserId,
    to: called.phone,
    toUserId: called.userId,
    toParentUserId: called.parentUserId,
    ...pick(raw, {
      status: "status",
      direction: "direction",
      bizOpaqueCallbackData: "biz_opaque_callback_data",
      deeplinkPayload: "deeplink_payload",
      ctaPayload: "cta_payload",
    }),
    startTime: date(raw, "start_time"),
    endTime: date(raw, "end_time"),
    duration: number(raw, "duration"),
    session: session && parseSession(session),
    recording: mediaIn(object(raw, "call_recording"), "audio"),
    transcript: mediaIn(object(raw, "call_transcript"), "document"),
    errors: parseErrors(raw).concat(reasons),
  });
}

/**
 * Reads a state of a call that the business made: `RINGING`, `ACCEPTED` or `REJECTED`.
 *
 * @param raw The item of `statuses`.
 * @param origin The change.
 * @returns A record with the event `status`.
 */
export function parseCallStatus(raw: JsonObject, origin: ChangeOrigin): WhatsAppCall {
  const user = {
    phone: fullText(raw, "recipient_id"),
    userId: fullText(raw, "recipient_user_id"),
    parentUserId: firstText(raw, ["recipient_parent_user_id", "parent_recipient_user_id"]),
  };
  return withoutUndefined({
    kind: "call",
    ...recordBase(origin, raw),
    timestamp: date(raw, "timestamp") ?? origin.entryTime,
    id: text(raw, "id") ?? "",
    event: "status",
    user: personOf(user, findContact(user.phone, user.userId, origin)),
    to: user.phone,
    toUserId: user.userId,
    toParentUserId: user.parentUserId,
    ...pick(raw, { status: "status", bizOpaqueCallbackData: "biz_opaque_callback_data" }),
    errors: parseErrors(raw),
  });
}

/** Finds the end of a call that is not the business: Meta's examples print `from` and `to` in either order. */
function otherEnd(
  caller: PersonIds,
  called: PersonIds,
  direction: string | undefined,
  origin: ChangeOrigin,
): PersonIds {
  // Only persons have user ids.
  if (called.userId !== undefined) return called;
  if (caller.userId !== undefined) return caller;
  const business = businessPhone(origin);
  if (business !== undefined && phoneDigits(caller.phone) === business) return called;
  if (business !== undefined && phoneDigits(called.phone) === business) return caller;
  return direction === "BUSINESS_INITIATED" ? called : caller;
}

function endOf(raw: JsonObject, end: "from" | "to"): PersonIds {
  return {
    phone: fullText(raw, end),
    userId: fullText(raw, `${end}_user_id`),
    parentUserId: fullText(raw, `${end}_parent_user_id`),
  };
}

function parseSession(raw: JsonObject): WhatsAppCallSession {
  return pick(raw, { sdpType: "sdp_type", sdp: "sdp" });
}

/** Reads the file of a recording or transcript, which is under the key of its type. */
function mediaIn(raw: JsonObject | undefined, usualType: string): WhatsAppMedia | undefined {
  const media = raw && (object(raw, text(raw, "type") ?? usualType) ?? object(raw, usualType));
  return media && withoutUndefined(parseMedia(media));
}
