import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import { addressOf, isUserId, phoneNumber, type Recipient } from "../../cloud_api/recipient.ts";

const PHONE = { recipient_type: "individual", to: "+15550001234" };

function messageOf(more: object): WhatsAppMessage {
  const messages = [{ id: "wamid.IN", from: "491700000001", type: "text", text: { body: "a" }, ...more }];
  const entry = [{ id: "1", changes: [{ field: "messages", value: { messages } }] }];
  const [record] = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records;
  assert(record!.kind === "message");
  return record!;
}

function refuse(to: unknown): string {
  return assertThrows(() => addressOf(to as Recipient), OptionError).message;
}

describe("addressOf()", () => {
  it("takes phone numbers in the forms that people write, and keeps their plus", () => {
    const forms = [
      "+15550001234",
      "+1.555.000.1234",
      "+1 (555) 000-1234",
      " +1/555/0001234 ",
      "+1\u00a0555\u20110001234",
    ];
    for (const form of forms) assertEquals(addressOf(form), PHONE, form);
    assertEquals(addressOf("49 170 0000001"), { recipient_type: "individual", to: "491700000001" });
    assertEquals(addressOf("1.555.000.1234").to, "15550001234");
  });

  it("takes user ids of both forms, and sends them as recipient", () => {
    for (
      const id of [
        "US.13491208655302741918",
        "DE.aB3",
        "US.ENT.11815799212886844830",
        "US.ENT",
        `US.${"a".repeat(128)}`,
      ]
    ) {
      assertEquals(addressOf(id), { recipient_type: "individual", recipient: id });
    }
  });

  it("refuses texts of other forms, with what it takes", () => {
    const wrong = [
      "us.134",
      "U1.134",
      "USA.134",
      "US.",
      "US.ENT.",
      "US.13-4",
      "US.1 34",
      "US.134.5",
      `US.${"a".repeat(129)}`,
      "12345@g.us",
      "+",
      "++49",
      "4+9",
      "49a",
      "１２３",
      "1".repeat(21),
    ];
    for (const text of wrong) {
      assertStringIncludes(refuse(text), `the recipient is "`);
      assertStringIncludes(refuse(text), 'a phone number, a user id such as "US.134…"');
    }
    assertEquals(phoneNumber("1".repeat(20)), "1".repeat(20));
  });

  it("refuses empty recipients and values of other types", () => {
    for (const text of ["", "  "]) assertEquals(refuse(text), "Cannot send: the recipient is empty");
    assertStringIncludes(refuse(undefined), "the recipient is undefined instead of a phone number");
    assertStringIncludes(refuse(null), "the recipient is null");
    assertStringIncludes(refuse(4917), "the recipient is 4917");
    assertStringIncludes(refuse({ phone: "49" }), "the recipient is an object");
    assertEquals(refuse({ group: "" }), "Cannot send: the group of the recipient is empty");
    assertStringIncludes(refuse({ group: 7 }), "the group of the recipient is 7");
  });

  it("takes groups", () => {
    for (const group of ["120363@g.us", "Y2FwaV9ncm91cDox"]) {
      assertEquals(addressOf({ group }), { recipient_type: "group", to: group });
    }
  });

  it("takes the chat of a message: group, phone number, or the user id in any form that Meta gave", () => {
    assertEquals(addressOf(messageOf({})), { recipient_type: "individual", to: "491700000001" });
    assertEquals(addressOf(messageOf({ group_id: "g@g.us" })), { recipient_type: "group", to: "g@g.us" });
    for (const id of ["US.134", "user.0a1b-2"]) {
      const message = messageOf({ from: undefined, from_user_id: id });
      assertEquals(addressOf(message), { recipient_type: "individual", recipient: id });
    }
    assertStringIncludes(refuse(messageOf({ from: undefined })), "has no sender");
  });
});

describe("isUserId()", () => {
  it("tells user ids from phone numbers with dots", () => {
    assert(isUserId("GB.7"));
    for (const text of ["", "G", "GB", "+1.555", "44.7", "gb.7", "ÄB.7", "GB.ü"]) assert(!isUserId(text), text);
  });
});
