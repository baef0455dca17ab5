/**
 * The order of statuses: they may come in any order, and never go back.
 *
 * @module
 */

import { type JsonObject, own } from "./json.ts";
import type { WhatsAppStatus } from "./records.ts";

/** How far a message has come. A failure is final, but not for what has arrived. */
const RANKS = new Map<string, number>([["sent", 1], ["failed", 2], ["delivered", 3], ["read", 4], ["played", 5], [
  "deleted",
  6,
]]);

/**
 * The later one of two statuses of the same message and recipient: a `delivered` that comes behind a `read` changes nothing. Between
 * statuses that are not known here, and between equal ones, the timestamp decides.
 *
 * @param current What is known; `undefined`: nothing yet.
 * @param next What came.
 * @returns The one that holds.
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
 * Key that tells one status from another: the message, the status, whom it is about, why it failed, and for payments which attempt it is about.
 *
 * @param status The status.
 * @returns A key; equal for a status that comes twice.
 */
export function statusKey(status: WhatsAppStatus): string {
  // Instead of leaving a phone number out, Meta may send an empty one.
  const recipient = status.recipientId || status.recipientUserId || "";
  const participant = status.recipientParticipantId || status.recipientParticipantUserId || "";
  const more = [...status.errors.map(({ code }) => code), ...paymentOf(status.raw)];
  return JSON.stringify(["status", status.id, status.status, recipient, participant, ...more]);
}

/** Statuses of payments have the id of the message that asked for them, and words of their own. */
function paymentOf(raw: JsonObject): unknown[] {
  const type = own(raw, "type");
  if (type === undefined || type === "message") return [];
  const payment = own(raw, "payment");
  return [type, own(payment, "reference_id") ?? "", own(own(payment, "transaction"), "id") ?? ""];
}
