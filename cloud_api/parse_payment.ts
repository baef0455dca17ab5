/**
 * The payment in the status of a payment: raw JSON to typed fields.
 *
 * @module
 */

import { date, fullText, type JsonObject, number, object, objects, own } from "./json.ts";
import { members, nested } from "./members.ts";
import type { WhatsAppPaymentDetails, WhatsAppTransaction } from "./records.ts";

const parseAmount = /* @__PURE__ */ members(() => ({ value: number, offset: number }));

const parseRefund = /* @__PURE__ */ members(() => ({
  id: fullText,
  status: fullText,
  speedProcessed: fullText,
  amount: nested(parseAmount),
  createdTimestamp: date,
  updatedTimestamp: date,
}));

const parseAttempt = /* @__PURE__ */ members(() => ({
  id: fullText,
  pgTransactionId: fullText,
  type: fullText,
  status: fullText,
  createdTimestamp: date,
  updatedTimestamp: date,
  amount: nested(parseAmount),
  currency: fullText,
  methodType: [fullText, "method.type"],
  errorCode: [fullText, "error.code"],
  errorReason: [fullText, "error.reason"],
}));

/** Reads the attempt to pay, with the refunds that stand in it or, as with payment gateways in India, beside it. */
function parseTransaction(payment: JsonObject): WhatsAppTransaction | undefined {
  const raw = object(payment, "transaction");
  const holders = [raw ?? {}, payment].filter((holder) => Array.isArray(own(holder, "refunds")));
  if (holders.length === 0) return raw && parseAttempt(raw);
  const refunds = holders.flatMap((holder) => objects(holder, "refunds").map(parseRefund));
  return { ...parseAttempt(raw ?? {}), refunds };
}

/** Reads a payment; its members are those of Meta's pages about payment gateways in India and Brazil. */
export const parsePayment: (raw: JsonObject) => WhatsAppPaymentDetails = /* @__PURE__ */ members(() => ({
  referenceId: fullText,
  amount: nested(parseAmount),
  currency: fullText,
  receipt: fullText,
  transaction: parseTransaction,
}));
