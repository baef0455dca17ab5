import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parseNotification } from "../../cloud_api/parse.ts";
import { FIELD_PARSERS } from "../../cloud_api/parse_fields.ts";
import type { WhatsAppMessage } from "../../cloud_api/messages.ts";
import type { WhatsAppRecord } from "../../cloud_api/records.ts";
import { encode, withSeed } from "../support/support.ts";

type Json = Record<string, unknown>;

const CONTACT = { profile: { name: "Anna" }, wa_id: "491700000001" };
const METADATA = { display_phone_number: "15550000000", phone_number_id: "100000000000001" };

function notification(value: Json, field = "messages"): string {
  const change = { field, value: { messaging_product: "whatsapp", metadata: METADATA, ...value } };
  return JSON.stringify({ object: "whatsapp_business_account", entry: [{ id: "42", changes: [change] }] });
}

function parseOne(message: Json, contacts: Json[] = [CONTACT]): WhatsAppMessage {
  const base = { id: "wamid.A", from: "491700000001", timestamp: "1790416800" };
  const { records, skipped } = parseNotification(notification({ contacts, messages: [{ ...base, ...message }] }));
  assertEquals([records.length, skipped], [1, []]);
  assert(records[0]!.kind === "message");
  return records[0]!;
}

/** Keys and fields of random input. */
const FUZZED_KEYS = [
  "object",
  "entry",
  "changes",
  "field",
  "value",
  "messages",
  "statuses",
  "contacts",
  "metadata",
  "type",
  "text",
  "id",
  "from",
  "errors",
  "profile",
  "interactive",
  "__proto__",
  "order",
  "product_items",
  "location",
  "context",
  "edit",
  "message",
  "history",
  "threads",
  "standby",
  "message_echoes",
  "user_actions",
  "conversation",
  "pricing",
  "conversation_context",
  "summary",
  "phone_number_id",
  "recipient",
  "phone_number_settings",
  "payment",
  "transaction",
  "refunds",
  "template",
  "language",
  "calls",
  "groups",
  "changed_fields",
];
const FUZZED_FIELDS = ["messages", "x", "history", "standby", "smb_message_echoes", ...FIELD_PARSERS.keys()];

describe("parseNotification", () => {
  it("gives the fields that every message has", () => {
    const message = parseOne({ type: "text", text: { body: "Grüße 👋" }, group_id: "g1" });
    const { raw, ...rest } = message;
    assertEquals(rest as unknown, {
      kind: "message",
      field: "messages",
      id: "wamid.A",
      timestamp: new Date("2026-09-26T10:00:00Z"),
      sender: { id: "491700000001", phone: "491700000001", name: "Anna", contact: CONTACT },
      accountId: "42",
      phoneNumberId: "100000000000001",
      displayPhoneNumber: "15550000000",
      groupId: "g1",
      errors: [],
      type: "text",
      text: { body: "Grüße 👋" },
    });
    assertEquals(raw.id, "wamid.A");
  });

  const media = { id: "9", mime_type: "a/b", sha256: "x" };
  const parsedMedia = { id: "9", mimeType: "a/b", sha256: "x" };
  const contents: [name: string, message: Json, type: string, expected: unknown][] = [
    ["text", { type: "text", text: { body: "a" } }, "text", { body: "a" }],
    ["image", { type: "image", image: { ...media, caption: "c", url: "u" } }, "image", {
      ...parsedMedia,
      caption: "c",
      url: "u",
    }],
    ["video", { type: "video", video: media }, "video", parsedMedia],
    ["audio", { type: "audio", audio: { ...media, voice: true } }, "audio", { ...parsedMedia, voice: true }],
    ["voice of old", { type: "voice", voice: media }, "audio", { voice: true, ...parsedMedia }],
    ["document", { type: "document", document: { ...media, filename: "f" } }, "document", {
      ...parsedMedia,
      filename: "f",
    }],
    ["sticker", { type: "sticker", sticker: { ...media, animated: false } }, "sticker", {
      ...parsedMedia,
      animated: false,
    }],
    [
      "location, impossible degrees too",
      { type: "location", location: { latitude: -233.1, longitude: "9.5", name: "n", address: "a", url: "u" } },
      "location",
      { latitude: -233.1, longitude: 9.5, name: "n", address: "a", url: "u" },
    ],
    ["reaction", { type: "reaction", reaction: { message_id: "m", emoji: "❤️" } }, "reaction", {
      messageId: "m",
      emoji: "❤️",
    }],
    ["removed reaction", { type: "reaction", reaction: { message_id: "m" } }, "reaction", { messageId: "m" }],
    ["removed reaction of old", { type: "reaction", reaction: { message_id: "m", emoji: "" } }, "reaction", {
      messageId: "m",
    }],
    ["button", { type: "button", button: { text: "t", payload: "p" } }, "button", { text: "t", payload: "p" }],
    [
      "order with numbers as texts",
      {
        type: "order",
        order: {
          catalog_id: "c",
          text: "t",
          product_items: [{ product_retailer_id: "r", quantity: "2", item_price: 1.5, currency: "EUR" }, {
            quantity: "many",
          }],
        },
      },
      "order",
      {
        catalogId: "c",
        text: "t",
        productItems: [{ productRetailerId: "r", quantity: 2, itemPrice: 1.5, currency: "EUR" }, {}],
      },
    ],
    [
      "system",
      { type: "system", system: { type: "user_changed_number", body: "b", wa_id: "49" } },
      "system",
      { type: "user_changed_number", body: "b", waId: "49" },
    ],
    [
      "system of old",
      { type: "system", system: { type: "user_changed_number", new_wa_id: "49" } },
      "system",
      { type: "user_changed_number", waId: "49" },
    ],
    [
      "system with user ids",
      {
        type: "system",
        system: {
          type: "user_changed_user_id",
          user_id: "US.2",
          parent_user_id: "US.ENT.2",
          previous_user_id: "US.1",
          previous_parent_user_id: "US.ENT.1",
        },
      },
      "system",
      {
        type: "user_changed_user_id",
        userId: "US.2",
        parentUserId: "US.ENT.2",
        previousUserId: "US.1",
        previousParentUserId: "US.ENT.1",
      },
    ],
    ["unsupported", { type: "unsupported", unsupported: { type: "pin" }, errors: [] }, "unsupported", { type: "pin" }],
    ["unsupported of old", { type: "unsupported", errors: [{ code: 131051 }] }, "unsupported", {}],
    ["revoke", { type: "revoke", revoke: { original_message_id: "m" } }, "revoke", { originalMessageId: "m" }],
    ["request_welcome", { type: "request_welcome" }, "request_welcome", undefined],
    [
      "edit",
      {
        type: "edit",
        edit: {
          original_message_id: "m",
          message: { context: { id: "M0" }, type: "image", image: { ...media, caption: "new" } },
        },
      },
      "edit",
      {
        originalMessageId: "m",
        message: { type: "image", image: { ...parsedMedia, caption: "new" } },
        context: { messageId: "M0", forwarded: false, frequentlyForwarded: false },
      },
    ],
    ["edit of an edit, which is empty", { type: "edit", edit: { message: { type: "edit" } } }, "edit", {
      originalMessageId: "",
    }],
    [
      "edit of an edit",
      { type: "edit", edit: { message: { type: "edit", edit: { message: {} } } } },
      "edit",
      { originalMessageId: "" },
    ],
    [
      "contacts",
      {
        type: "contacts",
        contacts: [{
          name: { formatted_name: "F", first_name: "f" },
          phones: [{ phone: "1", wa_id: "2", type: "HOME" }],
          org: { company: "C" },
          birthday: "2000-01-01",
          origin: "contact_request",
          vcard: "BEGIN:VCARD",
        }, {}],
      },
      "contacts",
      [
        {
          name: { formattedName: "F", firstName: "f" },
          phones: [{ phone: "1", waId: "2", type: "HOME" }],
          emails: [],
          addresses: [],
          urls: [],
          org: { company: "C" },
          birthday: "2000-01-01",
          origin: "contact_request",
          vcard: "BEGIN:VCARD",
        },
        { name: {}, phones: [], emails: [], addresses: [], urls: [] },
      ],
    ],
  ];
  for (const [name, message, type, expected] of contents) {
    it(`types ${name}`, () => {
      const parsed = parseOne(message);
      assertEquals(parsed.type, type);
      assertEquals((parsed as unknown as Json)[type], expected);
    });
  }

  it("types interactive replies, flows with and without valid JSON, and new ones", () => {
    const reply = (interactive: Json): Json => {
      const parsed = parseOne({ type: "interactive", interactive });
      assert(parsed.type === "interactive");
      const { raw: _, ...rest } = parsed.interactive;
      return rest as unknown as Json;
    };
    assertEquals(reply({ type: "button_reply", button_reply: { id: "i", title: "t" } }), {
      type: "button_reply",
      id: "i",
      title: "t",
    });
    assertEquals(reply({ type: "list_reply", list_reply: { id: "i", title: "t", description: "d" } }), {
      type: "list_reply",
      id: "i",
      title: "t",
      description: "d",
    });
    assertEquals(reply({ type: "nfm_reply", nfm_reply: { name: "flow", body: "Sent", response_json: '{"a":1}' } }), {
      type: "nfm_reply",
      name: "flow",
      body: "Sent",
      responseJson: '{"a":1}',
      response: { a: 1 },
    });
    assertEquals(reply({ type: "nfm_reply", nfm_reply: { response_json: "{" } }), {
      type: "nfm_reply",
      responseJson: "{",
    });
    assertEquals(
      reply({
        type: "call_permission_reply",
        call_permission_reply: {
          response: "accept",
          is_permanent: false,
          expiration_timestamp: "1790416800",
          response_source: "user_action",
        },
      }),
      {
        type: "call_permission_reply",
        callPermission: {
          response: "accept",
          isPermanent: false,
          expirationTimestamp: new Date("2026-09-26T10:00:00Z"),
          responseSource: "user_action",
        },
      },
    );
    assertEquals(reply({ type: "product", product: { catalog_id: "c", product_retailer_id: "p" } }), {
      type: "product",
      product: { catalogId: "c", productRetailerId: "p" },
    });
    assertEquals(reply({ type: "brand_new", brand_new: { x: 1 } }), { type: "brand_new" });
  });

  it("passes on unknown types, and known types without contents, as unknown", () => {
    const cases: [Json, string][] = [
      [{ type: "hologram", hologram: { id: 1 } }, "hologram"],
      [{ type: "text" }, "text"],
      [{ type: "text", text: "a" }, "text"],
      [{ type: "interactive" }, "interactive"],
      [{ type: "contacts", contacts: {} }, "contacts"],
      [{ type: "unknown", errors: [{ code: 501 }] }, "unknown"],
      [{ type: "edit" }, "edit"],
      [{ type: "__proto__" }, "__proto__"],
      [{ type: "constructor" }, "constructor"],
      [{ type: "toString", toString: {} }, "toString"],
      [{}, ""],
    ];
    for (const [message, originalType] of cases) {
      const parsed = parseOne(message);
      assert(parsed.type === "unknown");
      assertEquals(parsed.originalType, originalType);
    }
  });

  it("keeps a location whose degrees are no numbers", () => {
    const parsed = parseOne({ type: "location", location: { latitude: "north", name: "n" } });
    assert(parsed.type === "location");
    assertEquals(parsed.location, { latitude: NaN, longitude: NaN, name: "n" });
  });

  it("finds the type of a message without one", () => {
    assertEquals(parseOne({ location: { latitude: 1, longitude: 2 } }).type, "location");
    assertEquals(parseOne({ text: { body: "a" }, image: media }).type, "unknown");
  });

  it("matches the sender with a contact by number, by user id, or as the only one; never by place", () => {
    const anna = {
      profile: { name: "Anna", username: "@anna" },
      wa_id: "491700000001",
      user_id: "DE.1",
      parent_user_id: "DE.ENT.1",
    };
    const luca = { profile: { name: "Luca" }, wa_id: "393300000002", user_id: "IT.2" };
    const text = { type: "text", text: { body: "a" } };
    const senderOf = (message: Json, contacts: Json[]): WhatsAppMessage["sender"] => {
      const messages = [{ id: "wamid.A", from: "491700000001", ...message }];
      const [record, ...others] = parseNotification(notification({ contacts, messages })).records;
      assert(record?.kind === "message");
      const { sender } = record;
      // Contacts that belong to no sender are records of their own.
      assertEquals(
        others.map(({ raw }) => raw),
        contacts.filter((contact) => !isEqual(contact, sender.contact)),
      );
      return sender;
    };
    assertEquals(senderOf(text, [luca, anna]), {
      id: "491700000001",
      phone: "491700000001",
      userId: "DE.1",
      parentUserId: "DE.ENT.1",
      name: "Anna",
      username: "anna",
      contact: anna,
    });
    const byUser = senderOf({ ...text, from: "", from_user_id: "IT.2" }, [anna, luca]);
    assertEquals(byUser, { id: "IT.2", userId: "IT.2", name: "Luca", waId: "393300000002", contact: luca });
    // Brazilian and other numbers are written in two ways: the only contact is the sender's.
    const other = senderOf({ ...text, from: "5511999999999" }, [{ ...anna, identity_key_hash: "h" }]);
    assertEquals([other.name, other.waId, other.identityKeyHash], ["Anna", "491700000001", "h"]);
    assertEquals(senderOf({ ...text, from: "5511999999999" }, [anna, luca]).name, undefined);
    assertEquals(senderOf({ ...text, from: undefined }, []), { id: "" });
    assertEquals(senderOf({ ...text, from: "US.134" }, []), { id: "US.134", userId: "US.134" });
  });

  it("gives context, referral and errors", () => {
    const parsed = parseOne({
      type: "text",
      text: { body: "a" },
      context: {
        id: "m",
        from: "1",
        from_user_id: "US.1",
        from_parent_user_id: "US.ENT.1",
        referred_product: { catalog_id: "c", product_retailer_id: "p" },
      },
      referral: { source_url: "u", source_type: "ad", ctwa_clid: "x", ref: "r", welcome_message: { text: "w" } },
      errors: [{ code: "131051", title: "t", error_data: { details: "d" } }, { code: 1, details: "old" }],
    });
    assertEquals(parsed.context, {
      messageId: "m",
      from: "1",
      fromUserId: "US.1",
      fromParentUserId: "US.ENT.1",
      forwarded: false,
      frequentlyForwarded: false,
      referredProduct: { catalogId: "c", productRetailerId: "p" },
    });
    assertEquals(parsed.referral, {
      sourceUrl: "u",
      sourceType: "ad",
      ctwaClid: "x",
      ref: "r",
      welcomeMessage: "w",
    });
    assertEquals(parsed.errors, [{ code: 131051, title: "t", details: "d" }, { code: 1, details: "old" }]);
    const forwarded = parseOne({ type: "text", text: { body: "a" }, context: { frequently_forwarded: true } });
    assertEquals(forwarded.context, { forwarded: true, frequentlyForwarded: true });
  });

  it("takes times as text or number, and none that are no time", () => {
    const time = (timestamp: unknown): unknown => parseOne({ type: "x", timestamp }).timestamp;
    assertEquals(time(1790416800), new Date("2026-09-26T10:00:00Z"));
    for (const bad of ["", "soon", null, {}, 1e300]) assertEquals(time(bad), undefined);
  });

  it("gives every item of every batch, in order, statuses and errors too", () => {
    const messages = [{ id: "1", type: "text", text: { body: "a" } }, { id: "2", type: "image", image: media }];
    const statuses = [{ id: "3", status: "read", timestamp: "1790416800", recipient_id: "49" }, {
      id: "4",
      status: "in_orbit",
    }];
    const actions = [{ action_type: "tap", timestamp: 1790416800, tap_data: { click_id: "c" } }];
    const value = { metadata: METADATA, messages, statuses, errors: [{ code: 130429 }], user_actions: actions };
    const changes = [{ value, field: "messages" }, { field: "account_update", value: { event: "X" } }];
    const { records, skipped } = parseNotification(JSON.stringify({
      object: "whatsapp_business_account",
      entry: [{ id: "42", changes }, { id: "43", changes: [{ field: "messages", value: { messages } }] }],
    }));
    const show = (record: WhatsAppRecord): string => {
      const { kind, accountId } = record;
      if (kind === "message" || kind === "status") return `${accountId} ${kind} ${record.id}`;
      return `${accountId} ${kind}${record.field === "messages" ? "" : ` ${record.field}`}`;
    };
    assertEquals(skipped, []);
    assertEquals(records.map(show), [
      "42 message 1",
      "42 message 2",
      "42 status 3",
      "42 status 4",
      "42 error",
      "42 userAction",
      "42 account account_update",
      "43 message 1",
      "43 message 2",
    ]);
    const [, , status, , error, action] = records;
    assert(error!.kind === "error" && action!.kind === "userAction");
    assertEquals([error!.error, error!.phoneNumberId], [{ code: 130429 }, "100000000000001"]);
    assertEquals([action!.actionType, action!.data], ["tap", { click_id: "c" }]);
    assertEquals(action!.timestamp, new Date("2026-09-26T10:00:00Z"));
    assert(status!.kind === "status");
    const { raw: _, ...rest } = status!;
    assertEquals(rest as unknown, {
      kind: "status",
      field: "messages",
      id: "3",
      status: "read",
      timestamp: new Date("2026-09-26T10:00:00Z"),
      recipientId: "49",
      accountId: "42",
      phoneNumberId: "100000000000001",
      displayPhoneNumber: "15550000000",
      errors: [],
    });
  });

  it("keeps the order of the lists as they come", () => {
    const statuses = [{ id: "s", status: "read" }];
    const messages = [{ id: "m", type: "text", text: { body: "a" } }];
    const kinds = (value: Json): string[] => parseNotification(notification(value)).records.map(({ kind }) => kind);
    assertEquals(kinds({ statuses, messages }), ["status", "message"]);
    assertEquals(kinds({ messages, statuses }), ["message", "status"]);
  });

  it("gives statuses their price, conversation and recipient", () => {
    const statuses = [{
      id: "s",
      status: "delivered",
      recipient_id: "491700000001",
      parent_recipient_user_id: "US.ENT.1",
      recipient_identity_key_hash: "h",
      biz_opaque_callback_data: "b",
      conversation: { id: "c", expiration_timestamp: "1790416800", origin: { type: "service" } },
      pricing: { billable: true, pricing_model: "PMP", type: "regular", category: "marketing" },
    }, {
      id: "s",
      status: "delivered",
      recipient_id: "group",
      recipient_type: "group",
      participant_recipient_id: "49",
      recipient_participant_user_id: "DE.1",
      recipient_participant_parent_user_id: "DE.ENT.1",
      conversation: { pricing: { category: "group_service" } },
    }];
    const member = { wa_id: "49", user_id: "DE.1" };
    const contacts = [{ ...CONTACT, profile: { name: "Anna", username: "@anna" } }, member];
    const [single, group] = parseNotification(notification({ contacts, statuses })).records;
    assert(single!.kind === "status" && group!.kind === "status");
    assertEquals([single!.contact, group!.contact], [contacts[0], member]);
    assertEquals([single!.recipientName, single!.recipientUsername], ["Anna", "anna"]);
    assertEquals([single!.parentRecipientUserId, single!.recipientIdentityKeyHash], ["US.ENT.1", "h"]);
    assertEquals(single!.conversation, {
      id: "c",
      expirationTimestamp: new Date("2026-09-26T10:00:00Z"),
      originType: "service",
    });
    assertEquals(single!.pricing, { billable: true, pricingModel: "PMP", type: "regular", category: "marketing" });
    assertEquals([group!.recipientName, group!.recipientParticipantId], [undefined, "49"]);
    assertEquals(group!.recipientParticipantParentUserId, "DE.ENT.1");
    assertEquals([group!.recipientParticipantUserId, group!.pricing], ["DE.1", { category: "group_service" }]);
  });

  it("finds the number of the business where hand-overs have it", () => {
    const recipient = { display_phone_number: "15550000000", phone_number_id: "7" };
    const entry = [{
      id: "1",
      changes: [{ field: "messaging_handovers", value: { type: "control_passed", recipient } }],
    }];
    const [record] = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records;
    assertEquals([record!.displayPhoneNumber, record!.phoneNumberId], ["15550000000", "7"]);
  });

  it("never takes echoes, history and standby for live messages", () => {
    const messages = [{ id: "1", type: "text", text: { body: "a" } }];
    for (const [field, kind] of [["smb_message_echoes", "echo"], ["history", "history"], ["standby", "standby"]]) {
      const { records } = parseNotification(notification({ messages }, field));
      assertEquals(records.map((record) => record.kind), [kind]);
    }
  });

  it("takes messages and statuses of a change that has lost its field, as relays send it", () => {
    const [message, status] = [{ id: "1", type: "text", text: { body: "a" } }, { id: "2", status: "sent" }];
    const parse = (value: object, field?: unknown) => {
      const changes = [{ value: { metadata: { phone_number_id: "7" }, ...value }, field }];
      return parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry: [{ changes }] })).records;
    };
    for (const field of [undefined, "", null]) {
      const records = parse({ messages: [message], statuses: [status] }, field);
      assertEquals(records.map(({ kind, field, phoneNumberId }) => [kind, field, phoneNumberId]), [
        ["message", "", "7"],
        ["status", "", "7"],
      ]);
      assertEquals(parse({ statuses: [status] }, field).map(({ kind }) => kind), ["status"]);
      // All else is what it was sent as: one value.
      const unknown = { event: "A", waba_info: { waba_id: "1" }, statuses: null };
      assertEquals(parse(unknown, field).map(({ kind }) => kind), ["other"]);
    }
    assertEquals(parse({ messages: [message] }, "new_field").map(({ kind }) => kind), ["other"]);
  });

  const echo = { id: "1", from: "15550000000", to: "491700000001", type: "text", text: { body: "a" } };

  it("types echoes: whom the business wrote to, and what", () => {
    const contacts = [CONTACT];
    const json = notification({ contacts, message_echoes: [echo] }, "smb_message_echoes");
    const [record] = parseNotification(json).records;
    assert(record!.kind === "echo" && record!.message.type === "text");
    assertEquals([record!.to, record!.recipientName, record!.field], ["491700000001", "Anna", "smb_message_echoes"]);
    assertEquals(record!.message.sender, { id: "15550000000", phone: "15550000000" });
    const byUser = { ...echo, to: "", to_user_id: "DE.1" };
    const [other] = parseNotification(notification({ message_echoes: [byUser] }, "message_echoes")).records;
    assert(other!.kind === "echo");
    assertEquals([other!.to, other!.recipientName], ["DE.1", undefined]);
  });

  it("types history: threads in chunks, media and echoes that follow, and the refusal", () => {
    const message = {
      id: "1",
      from: "491700000001",
      type: "text",
      text: { body: "a" },
      history_context: { status: "READ" },
    };
    const history = [{
      metadata: { phase: 1, chunk_order: "2", progress: 55 },
      threads: [
        { id: "491700000001", messages: [message, { ...message, id: "2", type: "media_placeholder" }, 7] },
        null,
      ],
    }, { errors: [{ code: 2593109 }] }];
    const { records, skipped } = parseNotification(notification({ history, message_echoes: [echo] }, "history"));
    assertEquals(records.map(({ kind }) => kind), ["history", "history", "error", "history"]);
    assertEquals(skipped.map(({ path }) => path), [
      "entry[0].changes[0].value.history[0].threads[0].messages[2]",
      "entry[0].changes[0].value.history[0].threads[1]",
    ]);
    const [first, second] = records;
    assert(first!.kind === "history" && second!.kind === "history");
    const { message: parsed, raw: _, ...rest } = first!;
    assertEquals(parsed.type, "text");
    assertEquals(rest as unknown, {
      kind: "history",
      field: "history",
      direction: "in",
      to: "15550000000",
      threadId: "491700000001",
      phone: "491700000001",
      status: "READ",
      phase: 1,
      chunkOrder: 2,
      progress: 55,
      accountId: "42",
      phoneNumberId: "100000000000001",
      displayPhoneNumber: "15550000000",
    });
    assert(second!.message.type === "unknown");
    assertEquals(second!.message.originalType, "media_placeholder");
  });

  it("types standby, one level deeper, with the account's number", () => {
    const standby = {
      contacts: [CONTACT],
      messages: [{ id: "1", from: "491700000001", type: "text", text: { body: "a" } }],
      message_echoes: [echo],
      statuses: [{ id: "2", status: "sent" }],
    };
    const { records } = parseNotification(notification({ standby }, "standby"));
    const inner = records.map((record) => record.kind === "standby" ? record.record.kind : "");
    assertEquals(inner, ["message", "echo", "status"]);
    const [first] = records;
    assert(first!.kind === "standby" && first!.record.kind === "message");
    assertEquals([first!.record.sender.name, first!.record.phoneNumberId], ["Anna", "100000000000001"]);
  });

  it("keeps what a known member of another type holds", () => {
    const others = (value: Json, field = "messages"): unknown[] =>
      parseNotification(notification({ statuses: [{ id: "s" }], ...value }, field)).records.flatMap((record) =>
        record.kind === "other" ? [[record.key, record.raw]] : []
      );
    assertEquals(others({ metadata: "m" }), [[undefined, { metadata: "m" }]]);
    assertEquals(others({ metadata: { phone_number_id: { a: 1 } } }), [["metadata", { phone_number_id: { a: 1 } }]]);
    assertEquals(others({ contacts: { a: 1 } }), [["contacts", { a: 1 }]]);
    assertEquals(
      others({ contacts: ["x", CONTACT] }),
      [[undefined, { contacts: ["x"] }]],
    );
    assertEquals(others({ messaging_product: "other" }), [[undefined, { messaging_product: "other" }]]);
    assertEquals(others({ conversation_context: { a: 1 } }), [["conversation_context", { a: 1 }]]);
    const two = { metadata: METADATA, standby: { metadata: { phone_number_id: "7" }, statuses: [{ id: "s" }] } };
    assertEquals(others({ ...two, statuses: [] }, "standby"), [
      ["metadata", { phone_number_id: "7" }],
      ["metadata", { phone_number_id: METADATA.phone_number_id }],
    ]);
  });

  it("gives the time of account events", () => {
    const changes = [{ field: "account_update", value: { event: "X" } }];
    const entry = [{ id: "1", time: 1790416800, changes }, { id: "1", time: 1790416800, changed_fields: ["flows"] }];
    for (const record of parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry })).records) {
      const time = new Date("2026-09-26T10:00:00Z");
      assertEquals([record.timestamp, record.entryTime], [time, time]);
    }
  });

  it("keeps the summary of a conversation that is handed over", () => {
    const conversation_context = { type: "summary", summary: { text: "wants a refund" } };
    const messages = [{ id: "1", type: "text", text: { body: "a" } }];
    const [record] = parseNotification(notification({ conversation_context, messages })).records;
    assert(record!.kind === "message");
    assertEquals(record!.conversationSummary, "wants a refund");
  });

  it("isolates invalid parts, and reports their place and reason", () => {
    const { records, skipped } = parseNotification(JSON.stringify({
      object: "whatsapp_business_account",
      entry: [
        null,
        { id: "1" },
        { id: "2", changes: "x" },
        {
          id: "3",
          changes: [7, { field: "messages" }, {
            field: "messages",
            value: { messages: ["x", { id: "ok" }], statuses: {} },
          }],
        },
        { id: "4", changed_fields: ["messages"] },
      ],
    }));
    assertEquals(records.map((record) => record.kind === "message" ? record.id : record.kind), ["ok", "other"]);
    assertEquals(skipped, [
      { path: "entry[0]", reason: "not an object" },
      { path: "entry[1]", reason: "without changes" },
      { path: "entry[2].changes", reason: "not an array" },
      { path: "entry[3].changes[0]", reason: "not an object" },
      { path: "entry[3].changes[1].value", reason: "not an object" },
      { path: "entry[3].changes[2].value.messages[0]", reason: "not an object" },
      { path: "entry[3].changes[2].value.statuses", reason: "not an array" },
    ]);
  });

  it("keeps what stands beside a value that is none", () => {
    const changes = [{ field: "messages", value: "x", relay: { id: "1" } }];
    const entry = [{ id: "3", changes }];
    const { records, skipped } = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry }));
    assertEquals(records, [{ kind: "other", key: "relay", field: "messages", accountId: "3", raw: { id: "1" } }]);
    assertEquals(skipped, [{ path: "entry[0].changes[0].value", reason: "not an object" }]);
  });

  it("tells the time of an entry that is none, and makes no record of it", () => {
    const change = { field: "account_review_update", value: { decision: "APPROVED" } };
    for (const time of ["<TIMESTAMP>", true, 1e300]) {
      const entry = [{ id: "1", time, changes: [change] }];
      const { records, skipped } = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry }));
      assertEquals(records.map(({ kind, entryTime }) => [kind, entryTime]), [["account", undefined]]);
      assertEquals(skipped, [{ path: "entry[0].time", reason: `"${time}" is no time` }]);
    }
  });

  it("accepts text and bytes, and gives a reason if the input is no notification", () => {
    const json = notification({ messages: [{ id: "1", type: "text", text: { body: "é" } }] });
    assertEquals(parseNotification(encode(json)).records, parseNotification(json).records);
    for (const marked of ["\ufeff" + json, encode("\ufeff" + json)]) {
      assertEquals(parseNotification(marked).records, parseNotification(json).records);
    }
    // What is not UTF-8 is no reason to lose the rest.
    const broken = encode(json).map((byte) => byte === 0xc3 ? 0xff : byte);
    assertEquals(parseNotification(broken).records.length, 1);
    for (const none of [undefined, null, 7, {}]) {
      assertEquals(parseNotification(none as unknown as string).skipped.length, 1);
    }
    for (const raw of ["", "{", "null", "[]", "1", '{"object":"page","entry":[]}', "{}", Uint8Array.of(0xff)]) {
      const { records, skipped } = parseNotification(raw);
      assertEquals([records.length, skipped.length], [0, 1]);
    }
    assertEquals(parseNotification('{"object":"whatsapp_business_account","entry":[]}'), { records: [], skipped: [] });
  });

  it("takes lists of any length", () => {
    const contacts = Array.from({ length: 20_000 }, (_, at) => ({ wa_id: `4917${1_000_000 + at}` }));
    const messages = contacts.map(({ wa_id }, at) => ({ id: `wamid.${at}`, from: wa_id }));
    assertEquals(parseNotification(notification({ contacts, messages })).records.length, 20_000);
    const calls = Array.from({ length: 200_000 }, () => ({}));
    assertEquals(parseNotification(notification({ calls }, "calls")).records.length, 200_000);
    assertEquals(parseNotification(notification({ pins: calls.map(() => ({ a: 1 })) })).records.length, 200_000);
  });

  it("never throws, for any input (fuzz)", () => {
    withSeed((random) => {
      const make = (depth: number): unknown => {
        const kind = depth > 6 ? random.int(5) : random.int(9);
        if (kind === 0) return null;
        if (kind === 1) return random.int(1000);
        if (kind === 2) {
          return random.pick([
            "messages",
            "text",
            "payment",
            "template",
            "",
            "interactive",
            "constructor",
            "491700000001",
          ]);
        }
        if (kind === 3) return random.int(2) === 0;
        if (kind === 4) return [];
        if (kind === 5) return Array.from({ length: random.int(3) }, () => make(depth + 1));
        return Object.fromEntries(
          Array.from({ length: random.int(6) }, () => [random.pick(FUZZED_KEYS), make(depth + 1)]),
        );
      };
      for (let round = 0; round < 2000; round++) {
        const value = make(3);
        const changes = random.int(5) === 0 ? make(2) : [{ field: random.pick(FUZZED_FIELDS), value }];
        const entry = random.int(5) === 0 ? make(1) : [{ id: "1", changes }];
        const { records, skipped } = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry }));
        assert(Array.isArray(records) && Array.isArray(skipped));
      }
    });
  });
});

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Real payloads lie outside the project, where there are any. */
const SAMPLES = new URL("../../../shared/whatsapp/", import.meta.url);

describe("real payloads", () => {
  for (const folder of ["samples/", "constructed/"]) {
    it(`loses no item of ${folder}, where that is present`, () => {
      const url = new URL(folder, SAMPLES);
      if (!existsSync(url)) return;
      for (const file of readdirSync(url).filter((name) => name.endsWith(".json") && !name.startsWith("signature"))) {
        const text = readFileSync(new URL(file, url), "utf8");
        const { records, skipped } = parseNotification(text);
        assertEquals(records.length + skipped.length, countItems(JSON.parse(text)), file);
        // The name of a file says what is in it.
        const [kind, type] = file.split(/[-.]/);
        if (kind === "status") assert(records.every((record) => record.kind === "status"), file);
        if (kind !== "msg" || file.includes("-none-")) continue;
        const [first] = records;
        assert(first!.kind === "message", file);
        const original = first!.type === "unknown" ? first!.originalType : first!.type;
        assertEquals(original, file === "msg-unknown-notype.json" ? "unknown" : type, file);
        assert(first!.type !== "unknown" || type === "unknown", file);
      }
    });
  }
});

/** Fields whose values are lists of items. */
const LIST_FIELDS = [
  "messages",
  "smb_message_echoes",
  "calls",
  "group_participants_update",
  "user_preferences",
  "user_id_update",
];

/** Counts by another way than the parser: what a person would call items. */
// deno-lint-ignore no-explicit-any -- JSON of any shape
function countItems(root: any): number {
  if (root?.object !== "whatsapp_business_account") return 1;
  let count = 0;
  for (const entry of root.entry) {
    if (entry?.changes === undefined) count++;
    else if (!Array.isArray(entry.changes)) count++;
    else {
      for (const change of entry.changes) {
        if (change === null || typeof change?.value !== "object" || change.value === null) {
          count++;
          continue;
        }
        const base = ["messaging_product", "metadata", "contacts", "conversation_context"];
        const keys = LIST_FIELDS.includes(change.field) ? Object.keys(change.value) : [];
        const lists = keys.filter((key) => !base.includes(key)).map((key) => change.value[key]);
        const items = lists.reduce(
          (sum, list) => sum + (list === undefined ? 0 : Array.isArray(list) ? list.length : 1),
          0,
        );
        count += items || 1;
      }
    }
  }
  return count;
}
