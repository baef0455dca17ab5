import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { parseNotification } from "../../cloud_api/parse.ts";
import { wrap } from "../support/whatsapp.ts";

type Json = Record<string, unknown>;

const METADATA = { display_phone_number: "15550000000", phone_number_id: "100000000000001" };

function notification(value: Json, field: string): string {
  return wrap([{ field, value: { messaging_product: "whatsapp", metadata: METADATA, ...value } }]);
}

describe("parseHistory", () => {
  it("tells the direction and the recipient of a message of the past, or that Meta does not say", () => {
    const [anna, luca, business] = ["491700000001", "393300000002", "15550000000"];
    const metadata = { phone_number_id: "1", display_phone_number: "+1 555-000-0000" };
    const show = (message: Json, thread: Json | undefined, more: Json = { metadata }): unknown => {
      const messages = [{ id: "1", type: "text", text: { body: "a" }, ...message }];
      const list = thread === undefined ? { messages } : { history: [{ threads: [{ ...thread, messages }] }] };
      const [record, ...others] = parseNotification(notification({ ...list, ...more }, "history")).records;
      assert(record?.kind === "history" && others.length === 0);
      const { direction, to, phone, userId } = record;
      return [direction, to, phone ?? userId];
    };
    assertEquals(show({ from: anna }, { id: anna }), ["in", business, anna]);
    assertEquals(show({ from: business }, { id: anna }), ["out", anna, anna]);
    assertEquals(show({ from: `+${business}`, to: `+${anna}` }, undefined), ["out", anna, anna]);
    assertEquals(show({ from: anna }, undefined), ["in", business, anna]);
    assertEquals(show({ from_user_id: "US.1" }, undefined), ["in", business, "US.1"]);
    assertEquals(show({ from: business, to_user_id: "US.1" }, undefined), ["out", "US.1", "US.1"]);
    assertEquals(show({ to: business }, { id: anna }), ["in", business, anna]);
    assertEquals(show({ to: anna }, { id: anna }), ["out", anna, anna]);
    assertEquals(show({}, { id: anna }), [undefined, undefined, anna]);
    assertEquals(show({ from: anna }, { id: "120363@g.us" }), ["in", "120363@g.us", anna]);
    assertEquals(show({ from: business }, { id: "120363@g.us" }), ["out", "120363@g.us", undefined]);
    // Without the number of the business only the chat tells.
    const unknown = { metadata: {} };
    assertEquals(show({ from: anna }, { id: anna }, unknown), ["in", undefined, anna]);
    assertEquals(show({ from: anna }, { context: { wa_id: anna, user_id: "US.1" } }, unknown), ["in", undefined, anna]);
    assertEquals(show({ from: "US.1" }, { context: { user_id: "US.1" } }, unknown), ["in", undefined, "US.1"]);
    assertEquals(show({ from: luca }, undefined, unknown), [undefined, undefined, undefined]);
    // A payload of a partner of Meta has it in so many words.
    const sent = { history_context: { from_me: true, status: "read" } };
    assertEquals(show({ from: business, ...sent }, { id: anna }, unknown), ["out", anna, anna]);
    assertEquals(show(sent, { id: anna }), ["out", anna, anna]);
    assertEquals(show({ history_context: { from_me: false } }, { id: anna }), ["in", business, anna]);
    // Payloads show user ids inside of the member for phone numbers.
    assertEquals(show({ from: "US.1" }, undefined), ["in", business, "US.1"]);
  });

  it("takes an echo of history for a message of the business, and unwraps those of other apps", () => {
    const wrapped = {
      id: "1",
      timestamp: "1790416800",
      message: { to: "491700000001", type: "text", text: { body: "a" } },
    };
    for (const field of ["history", "smb_message_echoes"]) {
      const [record] = parseNotification(notification({ message_echoes: [wrapped] }, field)).records;
      assert(record?.kind === "history" || record?.kind === "echo");
      assertEquals([record.to, record.message.type, record.raw], ["491700000001", "text", wrapped], field);
      assertEquals(record.timestamp, new Date("2026-09-26T10:00:00Z"));
    }
    const { to: _, ...message } = wrapped.message;
    const toUser = { ...wrapped, message: { ...message, recipient: "US.1" } };
    const [past] = parseNotification(notification({ message_echoes: [toUser] }, "history")).records;
    assertEquals(past?.kind === "history" && [past.direction, past.to, past.userId], ["out", "US.1", "US.1"]);
  });
});
