/**
 * Messages of the past, which come when a number begins to use the Cloud API: in chunks of threads, or media and
 * echoes alone, which follow later.
 *
 * @module
 */

import { type Collector, type MemberReader, restOf } from "./collector.ts";
import { boolean, firstText, fullText, type JsonObject, number, object, text, withoutUndefined } from "./json.ts";
import type { WhatsAppSender } from "./messages.ts";
import { type ChangeOrigin, recordBase } from "./origin.ts";
import { parseAccountError } from "./parse_errors.ts";
import { parseMessageOf, unwrapEcho } from "./parse_records.ts";
import {
  businessPhone,
  businessSender,
  matchContact,
  namesOf,
  parseSender,
  phoneDigits,
  plainUsername,
  textOf,
} from "./people.ts";
import type { WhatsAppHistoryMessage } from "./records.ts";

/** Surroundings of a message of the past. */
interface Place {
  /** The `metadata` of its chunk. */
  readonly metadata: JsonObject;
  /** Its thread; empty for messages that come alone. */
  readonly thread: JsonObject;
  /** `true` for one from the list `message_echoes`: the business sent it. */
  readonly isEcho: boolean;
}

const ALONE: Place = { metadata: {}, thread: {}, isEcho: false };

const NONE: ReadonlyMap<string, MemberReader> = new Map();
const CHUNK_METADATA: ReadonlyMap<string, MemberReader> = new Map([
  ["phase", exactNumber],
  ["chunk_order", exactNumber],
  ["progress", exactNumber],
]);
const CONTEXT: ReadonlyMap<string, MemberReader> = new Map([
  ["wa_id", (raw, key) => phoneDigits(text(raw, key))],
  ["user_id", text],
  ["parent_user_id", text],
  ["username", text],
]);

/** Reads a number, unless the typed member differs from the text that it came as. */
function exactNumber(raw: JsonObject, key: string): number | undefined {
  const value = number(raw, key);
  return value !== undefined && String(value) === text(raw, key) ? value : undefined;
}

/** Lists of a value that the parser of history reads. */
export const HISTORY_LISTS: ReadonlySet<string> = new Set(["history", "messages", "message_echoes", "errors"]);

/**
 * Reads the lists of a change of history.
 *
 * @param value Its value.
 * @param origin The change.
 * @param path Its place.
 * @param collector Gets the records.
 */
export function parseHistory(value: JsonObject, origin: ChangeOrigin, path: string, collector: Collector): void {
  collector.each(value, "history", path, (chunk, chunkPath) => parseChunk(chunk, origin, chunkPath, collector));
  for (const key of ["messages", "message_echoes"]) {
    const place = { ...ALONE, isEcho: key === "message_echoes" };
    collector.each(value, key, path, (message) => collector.records.push(parseHistoryMessage(message, origin, place)));
  }
  collector.each(value, "errors", path, (error) => collector.records.push(parseAccountError(error, origin)));
}

function parseChunk(chunk: JsonObject, origin: ChangeOrigin, path: string, collector: Collector): void {
  const { records } = collector;
  const before = records.length;
  const metadata = object(chunk, "metadata") ?? {};
  collector.each(chunk, "threads", path, (thread, threadPath) => {
    parseThread(thread, metadata, origin, threadPath, collector);
  });
  const hasMessages = records.slice(before).some(({ kind }) => kind === "history");
  collector.each(chunk, "errors", path, (error) => records.push(parseAccountError(error, origin)));
  if (records.length === before) return collector.addRest(restOf(chunk, NONE), origin, "history");
  // Without a message there is no record that has the facts of the chunk.
  const known = hasMessages ? new Map([...CHUNK, ["metadata", object] as const]) : CHUNK;
  collector.addRest(restOf(chunk, known), origin, "history");
  if (hasMessages) collector.addRest(restOf(metadata, CHUNK_METADATA), origin, "metadata");
}

function parseThread(
  thread: JsonObject,
  metadata: JsonObject,
  origin: ChangeOrigin,
  path: string,
  collector: Collector,
): void {
  const place = { metadata, thread, isEcho: false };
  const before = collector.records.length;
  collector.each(thread, "messages", path, (message) => {
    collector.records.push(parseHistoryMessage(message, origin, place));
  });
  if (collector.records.length === before) return collector.addRest(restOf(thread, NONE), origin, "threads");
  collector.addRest(restOf(thread, THREAD), origin, "threads");
  collector.addRest(restOf(object(thread, "context") ?? {}, CONTEXT), origin, "context");
}

const isList: MemberReader = (raw, key) => Array.isArray(raw[key]) ? raw[key] : undefined;
const CHUNK: ReadonlyMap<string, MemberReader> = new Map([["threads", isList], ["errors", isList]]);
const THREAD: ReadonlyMap<string, MemberReader> = new Map<string, MemberReader>([
  ["id", text],
  ["context", object],
  ["messages", isList],
]);

function parseHistoryMessage(raw: JsonObject, origin: ChangeOrigin, place: Place): WhatsAppHistoryMessage {
  const { metadata, thread, isEcho } = place;
  const body = isEcho ? unwrapEcho(raw) : raw;
  const threadId = fullText(thread, "id");
  const direction = directionOf(body, origin, place);
  const sent = direction === "out";
  const customer = customerOf(body, origin, thread, direction);
  const sender: WhatsAppSender = sent ? businessSender(body, origin) : parseSender(body, customer.contact);
  const message = parseMessageOf(body, origin, sender);
  return withoutUndefined({
    kind: "history",
    timestamp: message.timestamp,
    message: { ...message, raw },
    direction,
    to: recipientOf(body, origin, direction, customer, threadId),
    threadId,
    ...customer,
    status: text(object(body, "history_context") ?? {}, "status"),
    phase: number(metadata, "phase"),
    chunkOrder: number(metadata, "chunk_order"),
    progress: number(metadata, "progress"),
    ...recordBase(origin, raw),
  });
}

type Direction = WhatsAppHistoryMessage["direction"];

/** Members of a record about the customer of the chat; in a group: about the member who wrote. */
interface Customer {
  readonly phone: string | undefined;
  readonly userId: string | undefined;
  readonly parentUserId: string | undefined;
  readonly username: string | undefined;
  readonly name: string | undefined;
  readonly contact: JsonObject | undefined;
}

/** Tells the direction by what the message says of it, else by the sender, else by the recipient. */
function directionOf(raw: JsonObject, origin: ChangeOrigin, { thread, isEcho }: Place): Direction {
  const fromMe = boolean(object(raw, "history_context") ?? {}, "from_me");
  if (isEcho || fromMe === true) return "out";
  if (fromMe === false) return "in";
  const business = businessPhone(origin);
  const context = object(thread, "context") ?? {};
  const customer = [fullText(thread, "id"), fullText(context, "wa_id")].map(phoneDigits).find(Boolean) ??
    fullText(context, "user_id");
  const [from, to] = [fullText(raw, "from"), fullText(raw, "to")].map((id) => phoneDigits(id) ?? id);
  if (from !== undefined && from === business) return "out";
  if (from !== undefined && (business !== undefined || from === customer)) return "in";
  if (fullText(raw, "from_user_id") !== undefined) return "in";
  if (to === undefined) return undefined;
  if (to === business) return "in";
  return to === customer ? "out" : undefined;
}

function customerOf(raw: JsonObject, origin: ChangeOrigin, thread: JsonObject, direction: Direction): Customer {
  const context = object(thread, "context") ?? {};
  const side = direction === "out" ? "to" : "from";
  const other = direction === undefined ? {} : raw;
  const phone = [text(context, "wa_id"), text(thread, "id"), text(other, side)].map(phoneDigits).find(Boolean);
  // Payloads show user ids inside of the member for phone numbers.
  const idAsPhone = side === "from" && phone === undefined ? fullText(other, side) : undefined;
  const keys = side === "to" ? ["to_user_id", "recipient"] : ["from_user_id"];
  const userId = fullText(context, "user_id") ?? firstText(other, keys) ?? idAsPhone;
  const contact = matchContact(phone, userId, origin);
  const { name, username } = namesOf(contact);
  return {
    phone,
    userId: userId ?? textOf(contact, "user_id"),
    parentUserId: fullText(context, "parent_user_id") ?? fullText(other, `${side}_parent_user_id`) ??
      textOf(contact, "parent_user_id"),
    username: plainUsername(text(context, "username")) ?? username,
    name,
    contact,
  };
}

function recipientOf(
  raw: JsonObject,
  origin: ChangeOrigin,
  direction: Direction,
  { phone, userId }: Customer,
  threadId: string | undefined,
): string | undefined {
  const to = firstText(raw, ["to", "to_user_id", "recipient"]);
  if (to !== undefined) return phoneDigits(to) ?? to;
  // Of a thread that is no number, a group, all are recipients.
  if (threadId !== undefined && phoneDigits(threadId) === undefined) return threadId;
  if (direction === "out") return phone ?? userId;
  return direction === "in" ? businessPhone(origin) : undefined;
}
