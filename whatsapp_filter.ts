/**
 * What a receiver wants of the notifications, and what it may have.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import type { JsonObject, WhatsAppRecord } from "./whatsapp_types.ts";

/** Chooses among what notifications tell: what meets all the lists that are given. An empty list lets nothing through. */
export interface WhatsAppFilter {
  /** Business phone numbers, by the id that Meta gives them. What is about no number does not pass. */
  phoneNumberIds?: readonly string[];
  /** WhatsApp Business accounts, by their id. */
  accountIds?: readonly string[];
  /** Webhook fields, such as `messages`. */
  fields?: readonly string[];
}

/** What a filter looks at. */
export interface FilterSubject {
  /** The webhook field. */
  field: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number, if it is about one. */
  phoneNumberId?: string;
}

/** One change of a notification. */
export interface Change extends FilterSubject {
  /** The change as sent. */
  raw: unknown;
}

const LISTS = ["phoneNumberIds", "accountIds", "fields"] as const;
/** The most entries of one list: a filter comes from a peer. */
const MAX_ENTRIES = 1000;

/**
 * Checks a filter, which may come from anywhere.
 *
 * @param filter What was given.
 * @returns A copy with nothing else in it.
 * @throws {OptionError} If it is none.
 */
export function checkFilter(filter: unknown): WhatsAppFilter {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw new OptionError(`The filter is ${JSON.stringify(filter)} instead of an object`);
  }
  const checked: WhatsAppFilter = {};
  for (const name of Object.keys(filter)) {
    if (!(LISTS as readonly string[]).includes(name)) throw new OptionError(`The filter has no list "${name}"`);
  }
  for (const name of LISTS) {
    const list: unknown = Object.hasOwn(filter, name) ? (filter as WhatsAppFilter)[name] : undefined;
    if (list === undefined) continue;
    if (!Array.isArray(list) || list.length > MAX_ENTRIES || !list.every((entry) => typeof entry === "string")) {
      throw new OptionError(`The list "${name}" of the filter is not an array of at most ${MAX_ENTRIES} strings`);
    }
    checked[name] = [...list];
  }
  return checked;
}

/**
 * Whether something passes.
 *
 * @param subject What it is about.
 * @param filter The filter.
 * @returns `true` if it is on all lists that are given.
 */
export function passes({ phoneNumberId, accountId, field }: FilterSubject, filter: WhatsAppFilter): boolean {
  const { phoneNumberIds, accountIds, fields } = filter;
  if (phoneNumberIds !== undefined && (phoneNumberId === undefined || !phoneNumberIds.includes(phoneNumberId))) {
    return false;
  }
  return (accountIds?.includes(accountId) ?? true) && (fields?.includes(field) ?? true);
}

/**
 * Whether a record passes.
 *
 * @param record The record.
 * @param filter The filter.
 * @returns `true` if it is on all lists that are given.
 */
export function recordPasses(record: WhatsAppRecord, filter: WhatsAppFilter): boolean {
  return passes({ field: fieldOf(record), accountId: record.accountId, phoneNumberId: record.phoneNumberId }, filter);
}

function fieldOf(record: WhatsAppRecord): string {
  switch (record.kind) {
    case "error":
    case "echo":
    case "other":
      return record.field;
    case "history":
    case "standby":
      return record.kind;
    default:
      return "messages";
  }
}

/**
 * What the changes of a notification are about.
 *
 * @param body The notification.
 * @returns The changes in order; none if it is no notification.
 */
export function listChanges(body: Uint8Array): Change[] {
  const root = parse(body);
  if (root === undefined) return [];
  return list(root, "entry").flatMap((entry) => changesOf(entry));
}

function changesOf(entry: unknown): Change[] {
  const accountId = text(entry, "id") ?? "";
  // A notification without values names the fields only.
  const names = list(entry, "changed_fields").filter((name) => typeof name === "string");
  const named = names.map((field) => ({ field, accountId, raw: field }));
  return [...named, ...list(entry, "changes").map((raw) => describeChange(raw, accountId))];
}

function describeChange(raw: unknown, accountId: string): Change {
  const value = own(raw, "value");
  const metadata = own(value, "metadata") ?? own(own(value, "standby"), "metadata");
  return { field: text(raw, "field") ?? "", accountId, phoneNumberId: text(metadata, "phone_number_id"), raw };
}

/**
 * A notification without what a filter holds back. Its signature does not fit any more.
 *
 * @param body The notification, of which some changes pass and some do not.
 * @param filter The filter.
 * @returns What is left, as JSON.
 */
export function withoutHeldBack(body: Uint8Array, filter: WhatsAppFilter): Uint8Array {
  const root = parse(body) ?? {};
  const entry = list(root, "entry").map((entry) => {
    const accountId = text(entry, "id") ?? "";
    const kept = { ...(entry as JsonObject) };
    for (const key of ["changes", "changed_fields"]) {
      if (own(entry, key) === undefined) continue;
      kept[key] = list(entry, key).filter((raw) => {
        const subject = typeof raw === "string" ? { field: raw, accountId } : describeChange(raw, accountId);
        return passes(subject, filter);
      });
    }
    return kept;
  });
  const filled = entry.filter((one) => list(one, "changes").length + list(one, "changed_fields").length > 0);
  return new TextEncoder().encode(JSON.stringify({ object: own(root, "object"), entry: filled }));
}

function parse(body: Uint8Array): JsonObject | undefined {
  try {
    const root: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof root === "object" && root !== null ? root as JsonObject : undefined;
  } catch {
    return undefined;
  }
}

/** Own properties only: the keys come from outside. */
function own(raw: unknown, key: string): unknown {
  return typeof raw === "object" && raw !== null && Object.hasOwn(raw, key) ? (raw as JsonObject)[key] : undefined;
}

function text(raw: unknown, key: string): string | undefined {
  const value = own(raw, key);
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : undefined;
}

function list(raw: unknown, key: string): unknown[] {
  const value = own(raw, key);
  return Array.isArray(value) ? value : [];
}
