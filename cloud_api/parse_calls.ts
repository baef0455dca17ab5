/**
 * Calls: the value of the webhook field `calls`.
 *
 * @module
 */

import type { WhatsAppCall } from "./field_records.ts";
import { type ListItemParser, makeRecord, parseLists } from "./field_values.ts";
import { date, fullText, type JsonObject, number, object, objects, text } from "./json.ts";
import { members, nested, type Reader, textOrEmpty } from "./members.ts";
import type { WhatsAppError, WhatsAppMedia } from "./messages.ts";
import type { ChangeOrigin, ParsedValue } from "./origin.ts";
import { parseMedia } from "./parse_contents.ts";
import { parseAccountError, parseErrors } from "./parse_errors.ts";
import { businessPhone, type PersonIds, personIn, phoneDigits } from "./people.ts";

const parseMembers = /* @__PURE__ */ members(() => ({
  id: textOrEmpty,
  event: textOrEmpty,
  from: fullText,
  fromUserId: fullText,
  fromParentUserId: fullText,
  to: fullText,
  toUserId: fullText,
  toParentUserId: fullText,
  status: text,
  direction: text,
  bizOpaqueCallbackData: text,
  deeplinkPayload: text,
  ctaPayload: text,
  startTime: date,
  endTime: date,
  duration: number,
  session: nested(members(() => ({ sdpType: text, sdp: text }))),
  recording: [mediaOf("audio"), "call_recording"],
  transcript: [mediaOf("document"), "call_transcript"],
}));

const parseStatusMembers = /* @__PURE__ */ members(() => ({
  id: textOrEmpty,
  to: [fullText, "recipient_id"],
  toUserId: [fullText, "recipient_user_id"],
  toParentUserId: [fullText, "recipient_parent_user_id", "parent_recipient_user_id"],
  status: text,
  bizOpaqueCallbackData: text,
  errors: parseErrors,
}));

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
  const call = parseMembers(raw);
  const caller = { phone: call.from, userId: call.fromUserId, parentUserId: call.fromParentUserId };
  const user = otherEnd(caller, calledOf(call), call.direction, origin);
  const errors = parseErrors(raw).concat(reasons);
  return makeRecord("call", raw, origin, { ...call, user: personIn(user, origin), errors });
}

/**
 * Reads a state of a call that the business made: `RINGING`, `ACCEPTED` or `REJECTED`.
 *
 * @param raw The item of `statuses`.
 * @param origin The change.
 * @returns A record with the event `status`.
 */
function parseCallStatus(raw: JsonObject, origin: ChangeOrigin): WhatsAppCall {
  const status = parseStatusMembers(raw);
  return makeRecord("call", raw, origin, { ...status, event: "status", user: personIn(calledOf(status), origin) });
}

function calledOf(
  { to, toUserId, toParentUserId }: Pick<WhatsAppCall, "to" | "toUserId" | "toParentUserId">,
): PersonIds {
  return { phone: to, userId: toUserId, parentUserId: toParentUserId };
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

/** Reads the file of a recording or transcript, which is under the key of its type. */
function mediaOf(usualType: string): Reader<WhatsAppMedia | undefined> {
  return nested((raw) => {
    const media = object(raw, text(raw, "type") ?? usualType) ?? object(raw, usualType);
    return media && parseMedia(media);
  });
}
