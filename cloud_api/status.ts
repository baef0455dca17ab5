/**
 * The order of statuses: they may come in any order, but a message never goes back to an earlier one.
 *
 * @module
 */

import { type JsonObject, own } from "./json.ts";
import type { WhatsAppStatus } from "./records.ts";

/** Rank of each status. A failure is final, except for a message that has arrived. */
const RANKS = new Map<string, number>([["sent", 1], ["failed", 2], ["delivered", 3], ["read", 4], ["played", 5], [
  "deleted",
  6,
]]);

/**
 * Returns the later of two statuses of the same message and recipient: a `delivered` that comes after a `read` changes
 * nothing. Between unknown statuses, and between equal ones, the timestamp decides.
 *
 * @param current The status so far; `undefined`: none.
 * @param next The status that came.
 * @returns The later one.
 *
 * @example
 * ```ts
 * import { laterStatus, type WhatsAppStatus } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * const base: WhatsAppStatus = { kind: "status", id: "wamid.A", status: "read", accountId: "1", errors: [], raw: {} };
 * assertEquals(laterStatus(base, { ...base, status: "delivered" }).status, "read");
 * assertEquals(laterStatus(undefined, base).status, "read");
 * ```
 */
export function laterStatus(current: WhatsAppStatus | undefined, next: WhatsAppStatus): WhatsAppStatus {
  if (current === undefined) return next;
  const [before, after] = [RANKS.get(current.status), RANKS.get(next.status)];
  if (before !== undefined && after !== undefined && before !== after) return after > before ? next : current;
  return (next.timestamp?.getTime() ?? 0) > (current.timestamp?.getTime() ?? 0) ? next : current;
}

/**
 * Makes a key of a status: message, status, recipient, codes of its errors, and for payments the attempt.
 *
 * @param status The status.
 * @returns A key; equal for a status that comes twice.
 */
export function statusKey(status: WhatsAppStatus): string {
  // Meta may send an empty phone number instead of none.
  const recipient = status.recipientId || status.recipientUserId || "";
  const participant = status.recipientParticipantId || status.recipientParticipantUserId || "";
  const more = [...status.errors.map(({ code }) => code), ...paymentOf(status.raw)];
  return JSON.stringify(["status", status.id, status.status, recipient, participant, ...more]);
}

/** Key parts of the status of a payment, which has the id of the message that asked for it. */
function paymentOf(raw: JsonObject): unknown[] {
  const type = own(raw, "type");
  if (type === undefined || type === "message") return [];
  const payment = own(raw, "payment");
  return [type, own(payment, "reference_id") ?? "", own(own(payment, "transaction"), "id") ?? ""];
}
