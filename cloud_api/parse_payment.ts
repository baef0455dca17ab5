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
    transaction: parseTransaction(object(raw, "transaction")),
  });
}

function parseTransaction(raw: JsonObject | undefined): WhatsAppTransaction | undefined {
  if (raw === undefined) return undefined;
  const [method, error] = [object(raw, "method") ?? {}, object(raw, "error") ?? {}];
  return withoutUndefined({
    id: fullText(raw, "id"),
    type: fullText(raw, "type"),
    status: fullText(raw, "status"),
    createdTimestamp: date(raw, "created_timestamp"),
    updatedTimestamp: date(raw, "updated_timestamp"),
    amount: parseAmount(raw),
    currency: fullText(raw, "currency"),
    methodType: fullText(method, "type"),
    errorCode: fullText(error, "code"),
    errorReason: fullText(error, "reason"),
    refunds: Array.isArray(own(raw, "refunds")) ? objects(raw, "refunds").map(parseRefund) : undefined,
  });
}

function parseRefund(raw: JsonObject): WhatsAppRefund {
  return withoutUndefined({
    id: fullText(raw, "id"),
    status: fullText(raw, "status"),
    amount: parseAmount(raw),
    createdTimestamp: date(raw, "created_timestamp"),
    updatedTimestamp: date(raw, "updated_timestamp"),
  });
}

function parseAmount(raw: JsonObject): WhatsAppAmount | undefined {
  const amount = object(raw, "amount");
  return amount && withoutUndefined({ value: number(amount, "value"), offset: number(amount, "offset") });
}
