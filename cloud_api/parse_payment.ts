/**
 * The payment in the status of a payment: raw JSON to typed fields.
 *
 * @module
 */

import { date, fullText, type JsonObject, number, object, objects, own, withoutUndefined } from "./json.ts";
import type { WhatsAppAmount, WhatsAppPaymentDetails, WhatsAppRefund, WhatsAppTransaction } from "./records.ts";

/**
 * Reads a payment.
 *
 * @param raw The payment as sent; its members are those of Meta's pages about payment gateways in India and Brazil.
 * @returns The payment.
 */
export function parsePayment(raw: JsonObject): WhatsAppPaymentDetails {
  return withoutUndefined({
    referenceId: fullText(raw, "reference_id"),
    amount: parseAmount(raw),
    currency: fullText(raw, "currency"),
    receipt: fullText(raw, "receipt"),
    transaction: parseTransaction(object(raw, "transaction"), raw),
  });
}

/** Reads the attempt to pay, with the refunds that stand in it or, as with payment gateways in India, beside it. */
function parseTransaction(given: JsonObject | undefined, payment: JsonObject): WhatsAppTransaction | undefined {
  const raw = given ?? {};
  const hasRefunds = [raw, payment].some((holder) => Array.isArray(own(holder, "refunds")));
  if (given === undefined && !hasRefunds) return undefined;
  const [method, error] = [object(raw, "method") ?? {}, object(raw, "error") ?? {}];
  return withoutUndefined({
    id: fullText(raw, "id"),
    pgTransactionId: fullText(raw, "pg_transaction_id"),
    type: fullText(raw, "type"),
    status: fullText(raw, "status"),
    createdTimestamp: date(raw, "created_timestamp"),
    updatedTimestamp: date(raw, "updated_timestamp"),
    amount: parseAmount(raw),
    currency: fullText(raw, "currency"),
    methodType: fullText(method, "type"),
    errorCode: fullText(error, "code"),
    errorReason: fullText(error, "reason"),
    refunds: hasRefunds ? [...objects(raw, "refunds"), ...objects(payment, "refunds")].map(parseRefund) : undefined,
  });
}

function parseRefund(raw: JsonObject): WhatsAppRefund {
  return withoutUndefined({
    id: fullText(raw, "id"),
    status: fullText(raw, "status"),
    speedProcessed: fullText(raw, "speed_processed"),
    amount: parseAmount(raw),
    createdTimestamp: date(raw, "created_timestamp"),
    updatedTimestamp: date(raw, "updated_timestamp"),
  });
}

function parseAmount(raw: JsonObject): WhatsAppAmount | undefined {
  const amount = object(raw, "amount");
  return amount && withoutUndefined({ value: number(amount, "value"), offset: number(amount, "offset") });
}
