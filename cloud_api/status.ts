/**
 * The order of statuses: they may come in any order, but a message never goes back to an earlier one.
 *
 * @module
 */

import { own } from "./json.ts";
import type { WhatsAppPayment, WhatsAppStatus } from "./records.ts";

/** Rank of each status of a message. A failure is final, except for a message that has arrived. */
const RANKS: ReadonlyMap<string, number> = new Map([
  ["sent", 1],
  ["failed", 2],
  ["delivered", 3],
  ["read", 4],
  ["played", 5],
  ["deleted", 6],
]);

/** Rank of each status of a payment: a failed attempt may be followed by one that succeeds, not the other way round. */
const PAYMENT_RANKS: ReadonlyMap<string, number> = new Map([["pending", 1], ["failed", 2], ["captured", 3]]);

/**
 * Returns the later of two statuses of the same message and recipient: a `delivered` that comes after a `read` changes
 * nothing. Between unknown statuses, and between equal ones, the timestamp decides. The status of a payment has the id
 * of a message too, but is none of its statuses: one of the other kind changes nothing.
 *
 * @typeParam Status Statuses of messages, of payments, or both.
 * @param current The status so far; `undefined`: none.
 * @param next The status that came.
 * @returns The later one.
 *
 * @example
 * ```ts
 * import { laterStatus, type WhatsAppStatus } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * const facts = { field: "messages", accountId: "1", errors: [], raw: {} };
 * const read: WhatsAppStatus = { kind: "status", id: "wamid.A", status: "read", ...facts };
 * assertEquals(laterStatus(read, { ...read, status: "delivered" }).status, "read");
 * assertEquals(laterStatus(undefined, read).status, "read");
 * ```
 */
export function laterStatus<Status extends WhatsAppStatus | WhatsAppPayment>(
  current: Status | undefined,
  next: Status,
): Status {
  if (current === undefined) return next;
  if (current.kind !== next.kind) return current;
  const ranks = current.kind === "payment" ? PAYMENT_RANKS : RANKS;
  const [before, after] = [ranks.get(current.status), ranks.get(next.status)];
  if (before !== undefined && after !== undefined && before !== after) return after > before ? next : current;
  return (next.timestamp?.getTime() ?? 0) > (current.timestamp?.getTime() ?? 0) ? next : current;
}

/**
 * Makes a key of a status: message, status, recipient, codes of its errors, and for payments the attempt and its
 * refunds.
 *
 * @param status The status of a message or of a payment.
 * @returns A key; equal for a status that comes twice.
 */
export function statusKey(status: WhatsAppStatus | WhatsAppPayment): string {
  // Records that a program has made may have an empty phone number.
  const recipient = status.recipientId || status.recipientUserId || "";
  const participant = status.recipientParticipantId || status.recipientParticipantUserId || "";
  const more = [...status.errors.map(({ code }) => code), ...attemptOf(status)];
  return JSON.stringify(["status", status.id, status.status, recipient, participant, ...more]);
}

/** Key parts of a status that is none of a message, such as that of a payment or a call. */
function attemptOf(status: WhatsAppStatus | WhatsAppPayment): unknown[] {
  if (status.kind === "payment") {
    const { referenceId, transaction = {} } = status.payment;
    const refunds = (transaction.refunds ?? []).flatMap(({ id, status }) => [id ?? "", status ?? ""]);
    // A refund is reported with the status of the payment that it pays back.
    const { id = "", pgTransactionId = "", status: state = "" } = transaction;
    return ["payment", referenceId ?? "", id, pgTransactionId, state, ...refunds];
  }
  const type = own(status.raw, "type");
  return type === undefined || type === "message" ? [] : [type];
}
