import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parseNotification, type WhatsAppMessage, type WhatsAppRecord } from "../whatsapp_message.ts";
import { encode, withSeed } from "./support.ts";

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
  assert(records[0].kind === "message");
  return records[0];
}

describe("parseNotification", () => {
  it("gives what every message has", () => {
    const message = parseOne({ type: "text", text: { body: "Grüße 👋" }, group_id: "g1" });
    const { raw, ...rest } = message;
    assertEquals(rest as unknown, {
      kind: "message",
      id: "wamid.A",
      timestamp: new Date("2026-09-26T10:00:00Z"),
      sender: { id: "491700000001", phone: "491700000001", name: "Anna" },
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
      "contacts",
      {
        type: "contacts",
        contacts: [{
          name: { formatted_name: "F", first_name: "f" },
          phones: [{ phone: "1", wa_id: "2", type: "HOME" }],
          org: { company: "C" },
          birthday: "2000-01-01",
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
    assertEquals(reply({ type: "brand_new", brand_new: { x: 1 } }), { type: "brand_new" });
  });

  it("passes on what it does not know, and known types without contents, as unknown", () => {
    const cases: [Json, string][] = [
      [{ type: "hologram", hologram: { id: 1 } }, "hologram"],
      [{ type: "text" }, "text"],
      [{ type: "text", text: "a" }, "text"],
      [{ type: "interactive" }, "interactive"],
      [{ type: "contacts", contacts: {} }, "contacts"],
      [{ type: "unsupported", errors: [{ code: 131051 }] }, "unsupported"],
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
    assertEquals(parseOne(text, [luca, anna]).sender, {
      id: "491700000001",
      phone: "491700000001",
      userId: "DE.1",
      parentUserId: "DE.ENT.1",
      name: "Anna",
      username: "anna",
    });
    const byUser = parseOne({ ...text, from: "", from_user_id: "IT.2" }, [anna, luca]).sender;
    assertEquals(byUser, { id: "IT.2", userId: "IT.2", name: "Luca" });
    // Brazilian and other numbers are written in two ways: the only contact is the sender's.
    assertEquals(parseOne({ ...text, from: "5511999999999" }, [anna]).sender.name, "Anna");
    assertEquals(parseOne({ ...text, from: "5511999999999" }, [anna, luca]).sender.name, undefined);
    assertEquals(parseOne({ ...text, from: undefined }, []).sender, { id: "" });
    assertEquals(parseOne({ ...text, from: "US.134" }, []).sender, { id: "US.134", userId: "US.134" });
  });

  it("gives context, referral and errors", () => {
    const parsed = parseOne({
      type: "text",
      text: { body: "a" },
      context: { id: "m", from: "1", referred_product: { catalog_id: "c", product_retailer_id: "p" } },
      referral: { source_url: "u", source_type: "ad", ctwa_clid: "x" },
      errors: [{ code: "131051", title: "t", error_data: { details: "d" } }, { code: 1, details: "old" }],
    });
    assertEquals(parsed.context, {
      messageId: "m",
      from: "1",
      forwarded: false,
      frequentlyForwarded: false,
      referredProduct: { catalogId: "c", productRetailerId: "p" },
    });
    assertEquals(parsed.referral, { sourceUrl: "u", sourceType: "ad", ctwaClid: "x" });
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
    const value = { metadata: METADATA, messages, statuses, errors: [{ code: 130429 }] };
    const changes = [{ value, field: "messages" }, { field: "account_update", value: { event: "X" } }];
    const { records, skipped } = parseNotification(JSON.stringify({
      object: "whatsapp_business_account",
      entry: [{ id: "42", changes }, { id: "43", changes: [{ field: "messages", value: { messages } }] }],
    }));
    const show = (record: WhatsAppRecord): string =>
      record.kind === "other"
        ? `${record.accountId} ${record.field}`
        : `${record.accountId} ${record.kind} ${record.id}`;
    assertEquals(skipped, []);
    assertEquals(records.map(show), [
      "42 message 1",
      "42 message 2",
      "42 status 3",
      "42 status 4",
      "42 errors",
      "42 account_update",
      "43 message 1",
      "43 message 2",
    ]);
    const [, , status] = records;
    assert(status.kind === "status");
    const { raw: _, ...rest } = status;
    assertEquals(rest as unknown, {
      kind: "status",
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

  it("never takes echoes, history and standby for live messages", () => {
    for (const field of ["smb_message_echoes", "history", "standby", "message_echoes"]) {
      const { records } = parseNotification(
        notification({ messages: [{ id: "1", type: "text", text: { body: "a" } }] }, field),
      );
      assertEquals(records.map(({ kind }) => kind), ["other"]);
    }
  });

  it("isolates what is wrong, and says where and why", () => {
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

  it("takes text and bytes, and gives a reason for what is no notification", () => {
    const json = notification({ messages: [{ id: "1", type: "text", text: { body: "é" } }] });
    assertEquals(parseNotification(encode(json)).records, parseNotification(json).records);
    for (const raw of ["", "{", "null", "[]", "1", '{"object":"page","entry":[]}', "{}", Uint8Array.of(0xff)]) {
      const { records, skipped } = parseNotification(raw);
      assertEquals([records.length, skipped.length], [0, 1]);
    }
    assertEquals(parseNotification('{"object":"whatsapp_business_account","entry":[]}'), { records: [], skipped: [] });
  });

  it("never throws, whatever the input (fuzz)", () => {
    const keys = [
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
    ];
    withSeed((random) => {
      const make = (depth: number): unknown => {
        const kind = depth > 6 ? random.int(5) : random.int(9);
        if (kind === 0) return null;
        if (kind === 1) return random.int(1000);
        if (kind === 2) {
          return random.pick(["messages", "text", "whatsapp_business_account", "", "interactive", "constructor"]);
        }
        if (kind === 3) return random.int(2) === 0;
        if (kind === 4) return [];
        if (kind === 5) return Array.from({ length: random.int(3) }, () => make(depth + 1));
        return Object.fromEntries(Array.from({ length: random.int(6) }, () => [random.pick(keys), make(depth + 1)]));
      };
      for (let round = 0; round < 2000; round++) {
        const value = make(3);
        const changes = random.int(5) === 0 ? make(2) : [{ field: random.pick(["messages", "x"]), value }];
        const entry = random.int(5) === 0 ? make(1) : [{ id: "1", changes }];
        const { records, skipped } = parseNotification(JSON.stringify({ object: "whatsapp_business_account", entry }));
        assert(Array.isArray(records) && Array.isArray(skipped));
      }
    });
  });
});

/** Real payloads lie outside the project, where there are any. */
const SAMPLES = new URL("../../shared/whatsapp/", import.meta.url);

describe("real payloads", () => {
  for (const folder of ["samples/", "constructed/"]) {
    it(`loses no item of ${folder}, where that is present`, () => {
      const url = new URL(folder, SAMPLES);
      if (!existsSync(url)) return;
      for (const file of readdirSync(url).filter((name) => name.endsWith(".json") && !name.startsWith("signature"))) {
        const text = readFileSync(new URL(file, url), "utf8");
        const { records, skipped } = parseNotification(text);
        assertEquals(records.length + skipped.length, countItems(JSON.parse(text)), file);
        if (
          file.startsWith("msg-") && !file.includes("edit") && !file.includes("uns") && !file.includes("unknown") &&
          !file.includes("none")
        ) {
          for (const record of records) assert(record.kind !== "message" || record.type !== "unknown", file);
        }
      }
    });
  }
});

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
        if (change?.field !== "messages" || change.value === null || typeof change.value !== "object") {
          count++;
          continue;
        }
        const lists = ["messages", "statuses", "errors", "user_actions"].map((key) => change.value[key]);
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
