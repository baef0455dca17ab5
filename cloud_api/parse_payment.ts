/**
 * The payment in the status of a payment: raw JSON to typed fields.
 *
 * @module
 */

import { date, fullText, type JsonObject, number } from "./json.ts";
import { eachIfAny, members, nested } from "./members.ts";
import type { WhatsAppPaymentDetails } from "./records.ts";

const parseAmount = /* @__PURE__ */ members(() => ({ value: number, offset: number }));

const parseRefund = /* @__PURE__ */ members(() => ({
  id: fullText,
  status: fullText,
  amount: nested(parseAmount),
  createdTimestamp: date,
  updatedTimestamp: date,
}));

const parseTransaction = /* @__PURE__ */ members(() => ({
  id: fullText,
  type: fullText,
  status: fullText,
  createdTimestamp: date,
  updatedTimestamp: date,
  amount: nested(parseAmount),
  currency: fullText,
  methodType: [fullText, "method.type"],
  errorCode: [fullText, "error.code"],
  errorReason: [fullText, "error.reason"],
  refunds: eachIfAny(parseRefund),
}));

/** Reads a payment; its members are those of Meta's pages about payment gateways in India and Brazil. */
export const parsePayment: (raw: JsonObject) => WhatsAppPaymentDetails = /* @__PURE__ */ members(() => ({
  referenceId: fullText,
  amount: nested(parseAmount),
  currency: fullText,
  receipt: fullText,
  transaction: nested(parseTransaction),
}));
