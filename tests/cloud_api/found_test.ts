import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { recordMatches } from "../../cloud_api/filter.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { WhatsAppPayment, WhatsAppRecord, WhatsAppStatus } from "../../cloud_api/records.ts";
import { laterStatus, statusKey } from "../../cloud_api/status.ts";
import { recordKey } from "../../whatsapp/deduplication.ts";
import { until } from "../support/support.ts";
import { connect, post, startServer } from "../support/whatsapp.ts";

type Json = Record<string, unknown>;
type Kind = WhatsAppRecord["kind"];

const METADATA = { display_phone_number: "15550001111", phone_number_id: "900000000000777" };
const BASE = { messaging_product: "whatsapp", metadata: METADATA };
const ANNA = { profile: { name: "Anna Example" }, wa_id: "15550002222" };
const USER = "US.900000000000000001";
const KNOWN_BY_ID = { profile: { name: "Anna Example", username: "anna.example" }, user_id: USER };

const wrap = (field: string, value: Json): string =>
  JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "900000000000001", changes: [{ field, value }] }],
  });

const text = (body: string): Json => ({ type: "text", text: { body } });

/** Parses a notification of which nothing may be skipped. */
function parse(json: string): WhatsAppRecord[] {
  const { records, skipped } = parseNotification(json);
  assertEquals(skipped, []);
  return records;
}

/** Returns the only record, of this kind. */
function only<Name extends Kind>(kind: Name, records: WhatsAppRecord[]): Extract<WhatsAppRecord, { kind: Name }> {
  assertEquals(records.map((record) => record.kind), [kind]);
  return records[0] as Extract<WhatsAppRecord, { kind: Name }>;
}

const historyOf = (thread: Json, metadata: Json, more: Json = {}): string =>
  wrap("history", { ...BASE, history: [{ metadata, threads: [thread] }], ...more });

const PLACEHOLDER = historyOf({
  id: "15550002222",
  messages: [{
    from: "15550002222",
    id: "wamid.HISTORY.MEDIA.1",
    timestamp: "1750000000",
    type: "media_placeholder",
    history_context: { status: "READ" },
  }],
}, { phase: 0, chunk_order: 1, progress: 40 });

const MEDIA = wrap("history", {
  ...BASE,
  messages: [{
    from: "15550002222",
    id: "wamid.HISTORY.MEDIA.1",
    timestamp: "1750000000",
    type: "image",
    image: { id: "900000000000555", mime_type: "image/jpeg", sha256: "00", caption: "A receipt" },
  }],
});

const standbyEcho = (message: Json): string =>
  wrap("standby", {
    ...BASE,
    standby: {
      message_echoes: [{
        id: "wamid.STANDBY.ECHO.1",
        timestamp: "1750000300",
        message: { messaging_product: "whatsapp", ...message },
      }],
    },
  });

function echoOf(json: string) {
  const record = only("standby", parse(json)).record;
  assert(record.kind === "echo");
  return record;
}

const paymentOf = (transaction: string): Json => ({
  id: "wamid.ORDER.1",
  status: "captured",
  type: "payment",
  timestamp: "1750000400",
  recipient_id: "15550002222",
  payment: {
    reference_id: "order-17",
    amount: { value: 9990, offset: 100 },
    currency: "BRL",
    transaction: { id: transaction, type: "billdesk", status: "success" },
  },
});

/** One test for each payload that was found to lose something. */
describe("payloads found in November 2026", () => {
  it("hands over a placeholder of the past and then its media, with all defaults of the pair", async () => {
    await using server = await startServer();
    const got: WhatsAppRecord[] = [];
    const receiver = await connect(server, { onNotification: (record) => void got.push(record) });
    assertEquals([await post(server, PLACEHOLDER), await post(server, MEDIA)], [200, 200]);
    await until(() => receiver.position?.after === 2, "both notifications");
    assertEquals(got.map(({ kind }) => kind), ["history", "history"]);
    const [placeholder, media] = got;
    assert(placeholder?.kind === "history" && media?.kind === "history");
    assertEquals([placeholder.message.type, media.message.type], ["unknown", "image"]);
    assertEquals(placeholder.message.id, media.message.id);
    assertEquals(media.message.type === "image" && media.message.image.id, "900000000000555");
    assertEquals([placeholder.direction, media.direction], ["in", "in"]);
    await receiver.disconnect();
  });

  it("tells whose chat a message of the past belongs to, for a user without a phone number", () => {
    const thread = {
      context: { user_id: USER, username: "anna.example" },
      messages: [{
        from: "15550001111",
        id: "wamid.HISTORY.OUT.1",
        timestamp: "1750000100",
        ...text("We are open until six."),
        history_context: { status: "DELIVERED" },
      }, {
        from_user_id: USER,
        id: "wamid.HISTORY.IN.1",
        timestamp: "1750000200",
        ...text("Thank you"),
        history_context: { status: "READ" },
      }],
    };
    const records = parse(historyOf(thread, { phase: 1, chunk_order: 1, progress: 100 }, { contacts: [KNOWN_BY_ID] }));
    const seen = records.map((record) => {
      assert(record.kind === "history");
      const { direction, userId, username, name, threadId, to } = record;
      return { direction, userId, username, name, threadId, to };
    });
    const person = { userId: USER, username: "anna.example", name: "Anna Example", threadId: undefined };
    assertEquals(seen, [
      { ...person, direction: "out", to: USER },
      { ...person, direction: "in", to: "15550001111" },
    ]);
    const incoming = records[1]!;
    assertEquals(incoming.kind === "history" && incoming.message.sender.name, "Anna Example");
  });

  it("unwraps the echo of a text by another app", () => {
    const echo = echoOf(standbyEcho({
      recipient_type: "individual",
      to: "15550002222",
      ...text("An answer by the other app"),
      context: { message_id: "wamid.IN.7" },
      biz_opaque_callback_data: "ticket 9",
    }));
    assertEquals([echo.to, echo.bizOpaqueCallbackData], ["15550002222", "ticket 9"]);
    const { message } = echo;
    assertEquals([message.id, message.timestamp], ["wamid.STANDBY.ECHO.1", new Date(1750000300_000)]);
    assertEquals(message.context?.messageId, "wamid.IN.7");
    assertEquals(message.type === "text" && message.text.body, "An answer by the other app");
    assertEquals(message.sender.phone, "15550001111");
  });

  it("unwraps the echo of a template by another app", () => {
    const echo = echoOf(standbyEcho({
      recipient: USER,
      type: "template",
      template: {
        name: "order_update",
        language: { code: "en_US" },
        components: [{ type: "body", parameters: [{ type: "text", text: "42" }] }],
      },
    }));
    assertEquals([echo.to, echo.toUserId], [USER, USER]);
    assert(echo.message.type === "template");
    assertEquals(echo.message.template, {
      name: "order_update",
      language: "en_US",
      components: [{ type: "body", parameters: [{ type: "text", text: "42" }] }],
    });
  });

  it("types the status of a payment as a payment", () => {
    const json = (...statuses: Json[]) => wrap("messages", { ...BASE, statuses });
    const payment = only("payment", parse(json(paymentOf("tx-2"))));
    assertEquals([payment.id, payment.status, payment.recipientId], ["wamid.ORDER.1", "captured", "15550002222"]);
    assertEquals(payment.payment, {
      referenceId: "order-17",
      amount: { value: 9990, offset: 100 },
      currency: "BRL",
      transaction: { id: "tx-2", type: "billdesk", status: "success" },
    });
    const [first, second] = parse(json(paymentOf("tx-1"), paymentOf("tx-2")));
    assert(first?.kind === "payment" && second?.kind === "payment");
    assert(statusKey(first) !== statusKey(second) && recordKey(first) !== recordKey(second));
    const later = laterStatus<WhatsAppStatus | WhatsAppPayment>;
    const [read] = parse(json({ id: "wamid.ORDER.1", status: "read", timestamp: "1750000300" }));
    assert(read?.kind === "status");
    assertEquals([later(read, first), later(first, read)], [read, first]);
  });

  it("gives the phone number of a handover and of settings, wherever it stands", () => {
    const handover = wrap("messaging_handovers", {
      messaging_product: "whatsapp",
      sender: { phone_number: "15550002222" },
      recipient: METADATA,
      type: "control_passed",
      timestamp: "1750000500",
      control_passed: { previous_owner_role: "ai_agent", new_owner_role: "escalation", metadata: "wants a person" },
    });
    const settings = wrap("account_settings_update", {
      messaging_product: "whatsapp",
      timestamp: "1750000510",
      type: "phone_number_settings",
      phone_number_settings: { phone_number_id: "900000000000777", calling: { status: "ENABLED" } },
    });
    for (const json of [handover, settings]) {
      const records = parse(json);
      assertEquals(records.map(({ phoneNumberId }) => phoneNumberId), ["900000000000777"]);
      assert(recordMatches(records[0]!, { phoneNumberIds: ["900000000000777"] }));
    }
  });

  it("makes a record of an unknown list beside messages", () => {
    const message = { from: "15550002222", id: "wamid.IN.8", timestamp: "1750000600", ...text("hello") };
    const pin = { id: "wamid.IN.3", timestamp: "1750000601", pinned_by: "15550002222" };
    const [hello, other, ...more] = parse(
      wrap("messages", { ...BASE, contacts: [ANNA], messages: [message], message_pins: [pin] }),
    );
    assertEquals(more, []);
    assert(hello?.kind === "message" && hello.type === "text");
    assertEquals(hello.text.body, "hello");
    assert(other?.kind === "other");
    assertEquals([other.field, other.key, other.raw], ["messages", "message_pins", pin]);
    assertEquals(other.phoneNumberId, "900000000000777");
  });

  it("gives the ids of an echo, its contact, and who made it", () => {
    const echo = only(
      "echo",
      parse(wrap("smb_message_echoes", {
        ...BASE,
        contacts: [{ ...KNOWN_BY_ID, wa_id: "15550002222" }],
        message_echoes: [{
          from: "15550001111",
          to: "15550002222",
          to_user_id: USER,
          to_parent_user_id: "US.ENT.1",
          id: "wamid.ECHO.9",
          timestamp: "1750000700",
          ...text("Sent from the phone"),
          message_creation_type: "created_by_1p_bot",
        }],
      })),
    );
    const { to, toUserId, toParentUserId, recipientName, recipientUsername, creationType } = echo;
    assertEquals({ to, toUserId, toParentUserId, recipientName, recipientUsername, creationType }, {
      to: "15550002222",
      toUserId: USER,
      toParentUserId: "US.ENT.1",
      recipientName: "Anna Example",
      recipientUsername: "anna.example",
      creationType: "created_by_1p_bot",
    });
  });

  it("keeps the digits of an id beyond 2^53", () => {
    const json =
      '{"object":"whatsapp_business_account","entry":[{"id":"900000000000001","time":1750000800,"changes":[' +
      '{"field":"message_template_status_update","value":{"event":"APPROVED","message_template_id":90071992547409931,' +
      '"message_template_name":"order_update","message_template_language":"en_US"}}]}]}';
    const [record, ...more] = parse(json);
    assertEquals(more, []);
    assertEquals(record!.raw.message_template_id, "90071992547409931");
    assertEquals(record!.timestamp, new Date(1750000800_000));
  });

  it("finds number and contact of a sender with a leading +", () => {
    const message = { from: "+15550002222", id: "wamid.IN.9", timestamp: "1750000900", ...text("hi") };
    const { sender } = only("message", parse(wrap("messages", { ...BASE, contacts: [ANNA], messages: [message] })));
    assertEquals([sender.phone, sender.id, sender.name], ["15550002222", "15550002222", "Anna Example"]);
  });

  it("takes lists that are null, and an empty recipient, as absent", () => {
    const none = { contacts: null, messages: null, errors: null };
    const status = {
      id: "wamid.OUT.1",
      status: "delivered",
      timestamp: "1750001000",
      recipient_id: "",
      recipient_user_id: USER,
    };
    const record = only("status", parse(wrap("messages", { ...BASE, ...none, statuses: [status] })));
    assertEquals(record.recipientUserId, USER);
    assert(!("recipientId" in record));
  });
});
