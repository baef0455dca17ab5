import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { WhatsAppPayment } from "../../cloud_api/records.ts";
import { wrap } from "../support/whatsapp.ts";

const METADATA = { display_phone_number: "15550000000", phone_number_id: "100000000000001" };

const MONEY = { value: 450, offset: 100 };
const TIMES = { created_timestamp: 1790416800, updated_timestamp: "1790416801" };
const TYPED_TIMES = {
  createdTimestamp: new Date("2026-09-26T10:00:00Z"),
  updatedTimestamp: new Date("2026-09-26T10:00:01Z"),
};
const TRANSACTION = {
  id: "t",
  pg_transaction_id: "p",
  type: "razorpay",
  status: "failed",
  ...TIMES,
  amount: MONEY,
  currency: "INR",
  method: { type: "upi" },
  error: { code: "bad_request", reason: "declined" },
  refunds: [{ id: "r", status: "completed", speed_processed: "instant", amount: MONEY, ...TIMES }],
};
const STATUS = {
  id: "m",
  status: "failed",
  type: "payment",
  recipient_id: "",
  recipient_user_id: "DE.1",
  errors: [{ code: 1 }],
  payment: { reference_id: "r", amount: MONEY, currency: "INR", receipt: "7", transaction: TRANSACTION },
};
const CONTACTS = [{ profile: { name: "Anna", username: "@anna" }, user_id: "DE.1" }];

function parsed(): { record: WhatsAppPayment; none: WhatsAppPayment } {
  const value = { metadata: METADATA, contacts: CONTACTS, statuses: [STATUS, { type: "payment" }] };
  const [record, none] = parseNotification(wrap([{ field: "messages", value }])).records;
  assert(record?.kind === "payment" && none?.kind === "payment");
  return { record, none };
}

describe("the status of a payment", () => {
  it("has the members of all records, and those of a status", () => {
    const { record } = parsed();
    const { raw, payment: _, ...rest } = record;
    assertEquals(rest as unknown, {
      kind: "payment",
      id: "m",
      status: "failed",
      recipientUserId: "DE.1",
      recipientName: "Anna",
      recipientUsername: "anna",
      contact: CONTACTS[0],
      errors: [{ code: 1 }],
      field: "messages",
      accountId: "42",
      phoneNumberId: "100000000000001",
      displayPhoneNumber: "15550000000",
    });
    assertEquals(raw, STATUS);
  });

  it("has the payment with its attempt, refunds, and the reason of a failure", () => {
    const { record, none } = parsed();
    assertEquals(record.payment, {
      referenceId: "r",
      amount: MONEY,
      currency: "INR",
      receipt: "7",
      transaction: {
        id: "t",
        pgTransactionId: "p",
        type: "razorpay",
        status: "failed",
        ...TYPED_TIMES,
        amount: MONEY,
        currency: "INR",
        methodType: "upi",
        errorCode: "bad_request",
        errorReason: "declined",
        refunds: [{ id: "r", status: "completed", speedProcessed: "instant", amount: MONEY, ...TYPED_TIMES }],
      },
    });
    assertEquals([none.id, none.status, none.payment], ["", "", {}]);
  });

  it("has refunds that stand beside the attempt, or without one", () => {
    const refunds = [{ id: "r", status: "success" }];
    const parse = (payment: object) => {
      const value = { statuses: [{ ...STATUS, payment }] };
      const [record] = parseNotification(wrap([{ field: "messages", value }])).records;
      return record?.kind === "payment" ? record.payment.transaction : undefined;
    };
    assertEquals(parse({ transaction: { id: "t" }, refunds }), { id: "t", refunds });
    assertEquals(parse({ refunds }), { refunds });
    const both = { transaction: { id: "t", refunds: [{ id: "q" }] }, refunds };
    assertEquals(parse(both), { id: "t", refunds: [{ id: "q" }, ...refunds] });
  });
});
