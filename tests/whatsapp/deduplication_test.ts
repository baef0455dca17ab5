import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Deduplication, MemorySeenStore, recordKey } from "../../whatsapp/deduplication.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { WhatsAppRecord } from "../../cloud_api/records.ts";
import { FakeClock, until } from "../support/support.ts";
import { changeOf, connect, post, startServer, wrap } from "../support/whatsapp.ts";

type Json = Record<string, unknown>;

const MESSAGE = { id: "m", from: "491700000001", timestamp: "1750000000", type: "text", text: { body: "a" } };
const IMAGE = { ...MESSAGE, type: "image", image: { id: "7", url: "https://a/" } };
const REACTION = { ...MESSAGE, type: "reaction", reaction: { message_id: "n", emoji: "a" } };
const EDIT = { ...MESSAGE, type: "edit", edit: { original_message_id: "n", message: MESSAGE } };
const REVOKE = { ...MESSAGE, type: "revoke", revoke: { original_message_id: "n" } };
const STATUS = { id: "m", status: "sent", timestamp: "1750000000", recipient_id: "491700000001" };
const PAYMENT = {
  ...STATUS,
  type: "payment",
  status: "failed",
  payment: { reference_id: "order-1", transaction: { id: "tx-1" } },
};
const CALL = { id: "wacid", event: "connect", timestamp: "1750000000" };
const EVENT = { id: "m", event_name: "Purchase", timestamp: 1750000000 };
const ACTION = { action_type: "marketing_messages_link_click", timestamp: "1750000000" };

const refunded = (status: string): Json => {
  const transaction = { id: "tx-1", refunds: [{ id: "r", status }] };
  return { ...PAYMENT, payment: { reference_id: "order-1", transaction } };
};

const messages = (...items: Json[]): object => changeOf("1", { messages: items });
const statuses = (...items: Json[]): object => changeOf("1", { statuses: items });
const echoes = (item: Json, field = "smb_message_echoes"): object => changeOf("1", { message_echoes: [item] }, field);
const calls = (item: Json): object => changeOf("1", { calls: [item] }, "calls");
const callStatuses = (item: Json): object => changeOf("1", { statuses: [item] }, "calls");
const events = (item: Json): object => changeOf("1", { automatic_events: [item] }, "automatic_events");
const standby = (lists: Json): object => changeOf("1", { standby: lists }, "standby");
const past = (item: Json): object => changeOf("1", { messages: [item] }, "history");
const imported = (item: Json, metadata: Json = {}): object =>
  changeOf("1", { history: [{ metadata, threads: [{ id: "491700000001", messages: [item] }] }] }, "history");

function only(change: object): WhatsAppRecord {
  const { records, skipped } = parseNotification(wrap([change]));
  assertEquals([records.length, skipped], [1, []]);
  return records[0]!;
}

const keyOf = (change: object): string | undefined => recordKey(only(change));

const distinct: [what: string, ...changes: object[]][] = [
  ["messages", messages(MESSAGE), messages({ ...MESSAGE, id: "n" }), changeOf("2", { messages: [MESSAGE] })],
  ["a placeholder and what follows it", messages({ ...MESSAGE, type: "media_placeholder" }), messages(IMAGE)],
  ["what is unsupported yet and what follows it", messages({ ...MESSAGE, type: "unsupported" }), messages(MESSAGE)],
  ["contents that were missing", messages({ ...IMAGE, image: undefined }), messages(IMAGE)],
  [
    "reactions",
    messages(REACTION),
    messages({ ...REACTION, reaction: { message_id: "n" } }),
    messages({ ...REACTION, reaction: { message_id: "n", emoji: "b" } }),
    messages({ ...REACTION, reaction: { message_id: "o", emoji: "a" } }),
    messages({ ...REACTION, id: "o" }),
  ],
  [
    "edits and deletions, and what they are about",
    messages(MESSAGE),
    messages(EDIT),
    messages({ ...EDIT, timestamp: "1750000001" }),
    messages({ ...EDIT, edit: { original_message_id: "o" } }),
    messages(REVOKE),
    messages({ ...REVOKE, revoke: { original_message_id: "o" } }),
  ],
  [
    "messages, echoes, those of the past, and those of another app",
    messages(MESSAGE),
    echoes(MESSAGE),
    past(MESSAGE),
    standby({ messages: [MESSAGE] }),
    standby({ message_echoes: [MESSAGE] }),
  ],
  ["echoes, their edits and deletions", echoes(MESSAGE), echoes(EDIT), echoes(REVOKE), echoes({ ...MESSAGE, id: "n" })],
  [
    "a message of the past, its placeholder, its files and its status",
    imported({ ...MESSAGE, type: "media_placeholder" }),
    past(IMAGE),
    past({ ...IMAGE, image: { id: "8" } }),
    past({ ...IMAGE, type: "video", video: { id: "7" } }),
    past({ ...IMAGE, type: "document", document: { id: "8" } }),
    past({ ...IMAGE, type: "document", document: { id: "7" } }),
    past({ ...IMAGE, type: "video", video: { id: "8" } }),
    past({ ...IMAGE, type: "audio", audio: { id: "7" } }),
    past({ ...IMAGE, type: "audio", audio: { id: "8" } }),
    past({ ...IMAGE, type: "sticker", sticker: { id: "7" } }),
    past({ ...IMAGE, type: "sticker", sticker: { id: "8" } }),
    imported({ ...MESSAGE, history_context: { status: "SENT" } }),
    imported({ ...MESSAGE, history_context: { status: "READ" } }),
  ],
  [
    "statuses",
    statuses(STATUS),
    statuses({ ...STATUS, status: "read" }),
    statuses({ ...STATUS, id: "n" }),
    statuses({ ...STATUS, recipient_id: "491700000002" }),
    standby({ statuses: [STATUS] }),
  ],
  [
    "statuses of users without a phone number",
    ...["US.1", "US.2"].flatMap((recipient_user_id) => [
      statuses({ ...STATUS, recipient_id: undefined, recipient_user_id }),
      statuses({ ...STATUS, recipient_id: "group", recipient_participant_user_id: recipient_user_id }),
    ]),
  ],
  [
    "statuses whose phone number is empty",
    ...["US.1", "US.2"].flatMap((recipient_user_id) => [
      statuses({ ...STATUS, recipient_id: "", recipient_user_id }),
      statuses({
        ...STATUS,
        recipient_id: "group",
        recipient_participant_id: "",
        recipient_participant_user_id: recipient_user_id,
      }),
    ]),
  ],
  [
    "statuses of the participants of a group",
    ...["1", "2"].map((participant) => statuses({ ...STATUS, recipient_participant_id: participant })),
  ],
  [
    "failures",
    ...[[], [131049], [131050], [131049, 131050]].map((codes) =>
      statuses({ ...STATUS, status: "failed", errors: codes.map((code) => ({ code })) })
    ),
  ],
  [
    "payments, and the messages that asked for them",
    statuses({ ...STATUS, status: "failed" }),
    statuses(PAYMENT),
    statuses({ ...PAYMENT, status: "captured" }),
    statuses({ ...PAYMENT, payment: { reference_id: "order-1", transaction: { id: "tx-2" } } }),
    statuses({ ...PAYMENT, payment: { reference_id: "order-2", transaction: { id: "tx-1" } } }),
    statuses({ ...PAYMENT, payment: { reference_id: "order-1" } }),
    statuses({ ...PAYMENT, payment: null }),
    statuses(refunded("pending")),
    statuses(refunded("completed")),
    statuses({ ...PAYMENT, payment: { ...PAYMENT.payment, refunds: [{ id: "r", status: "failed" }] } }),
    statuses({ ...PAYMENT, payment: { reference_id: "order-1", refunds: [{ id: "r", status: "failed" }] } }),
    statuses({ ...PAYMENT, payment: { reference_id: "order-1", transaction: { id: "tx-1", pg_transaction_id: "p" } } }),
    standby({ statuses: [PAYMENT] }),
  ],
  [
    "calls, their events and states",
    calls(CALL),
    calls({ ...CALL, id: "wacid2" }),
    calls({ ...CALL, event: "terminate", status: "COMPLETED" }),
    calls({ ...CALL, event: "terminate", status: "FAILED" }),
    calls({ ...CALL, timestamp: "1750000001" }),
    changeOf("2", { calls: [CALL] }, "calls"),
    callStatuses({ id: "wacid", type: "call", status: "RINGING", timestamp: "1750000000" }),
    callStatuses({ id: "wacid", type: "call", status: "ACCEPTED", timestamp: "1750000000" }),
  ],
  [
    "events that Meta has found in messages",
    events(EVENT),
    events({ ...EVENT, id: "n" }),
    events({ ...EVENT, event_name: "LeadSubmitted" }),
    events({ ...EVENT, timestamp: 1750000001 }),
  ],
];

const same: [what: string, one: object, again: object][] = [
  ["a message in other company", messages(MESSAGE), changeOf("1", { messages: [MESSAGE], contacts: [{ wa_id: "1" }] })],
  ["a file whose URL has changed", messages(IMAGE), messages({ ...IMAGE, image: { id: "7", url: "https://b/" } })],
  ["a file of the past", past(IMAGE), past({ ...IMAGE, image: { id: "7", url: "https://b/", sha256: "x" } })],
  ["a message of the past in another chunk", imported(MESSAGE, { phase: 0 }), imported(MESSAGE, { phase: 1 })],
  ["an echo under another field", echoes(MESSAGE), echoes(MESSAGE, "message_echoes")],
  [
    "a payment in other words",
    statuses(PAYMENT),
    statuses({ ...PAYMENT, timestamp: "1750000009", recipient_user_id: "US.1" }),
  ],
  ["a call", calls(CALL), calls({ ...CALL, timestamp: 1750000000, from_user_id: "US.1" })],
  ["an event", events(EVENT), events({ ...EVENT, custom_data: { value: 1 } })],
  ["a status with a price", statuses(STATUS), statuses({ ...STATUS, pricing: { billable: true }, type: "message" })],
  ["a status, told later", statuses(STATUS), statuses({ ...STATUS, timestamp: "1750000009" })],
  ["a status whose user id came to be told", statuses(STATUS), statuses({ ...STATUS, recipient_user_id: "US.1" })],
  ["a reaction", messages(REACTION), messages({ ...REACTION, from_user_id: "US.1" })],
  [
    "a removed reaction",
    ...["", undefined].map((emoji) => messages({ ...REACTION, reaction: { message_id: "n", emoji } })) as [
      object,
      object,
    ],
  ],
  ["an edit", messages(EDIT), messages({ ...EDIT, from_user_id: "US.1" })],
  ["what another app has said", standby({ message_echoes: [MESSAGE] }), standby({ message_echoes: [MESSAGE] })],
];

describe("recordKey", () => {
  for (const [what, ...changes] of distinct) {
    it(`distinguishes ${what}`, () => {
      const keys = changes.map(keyOf);
      assert(keys.every((key) => key !== undefined));
      keys.forEach((key, at) => assertEquals(keys.indexOf(key), at, `${key} is that of two`));
    });
  }

  for (const [what, one, again] of same) {
    it(`recognises ${what}`, () => {
      assertNotEquals(keyOf(one), undefined);
      assertEquals(keyOf(one), keyOf(again));
    });
  }

  it("has none for records without a distinguishing member or an id", () => {
    const without = [
      changeOf("1", { errors: [{ code: 130429 }] }),
      changeOf("1", { user_actions: [ACTION] }),
      changeOf("1", { event: "ACCOUNT_DELETED" }, "account_update"),
      calls({ ...CALL, id: "" }),
      events({ ...EVENT, id: undefined }),
      changeOf("1", { message_pins: [{ id: "m" }] }),
      changeOf("1", { type: "control_passed", control_passed: {} }, "messaging_handovers"),
      messages({ ...MESSAGE, id: undefined }),
      statuses({ ...STATUS, id: "" }),
      echoes({ ...MESSAGE, id: "" }),
      past({ ...MESSAGE, id: "" }),
      standby({ messages: [{ ...MESSAGE, id: "" }] }),
    ];
    assertEquals(without.map(keyOf), without.map(() => undefined));
  });

  it("is not confused by ids that contain the separator of the parts", () => {
    const ids = ['m","text', "m,text", "m\ntext", 'm"', "m\\"];
    assertEquals(new Set(ids.map((id) => keyOf(messages({ ...MESSAGE, id })))).size, ids.length);
  });

  it("is the same for repeated records of known notifications, and differs for other ids", () => {
    const shared = new URL("../../../shared/whatsapp/", import.meta.url);
    const found = new Map<string, string>();
    for (const folder of ["samples/", "constructed/", "found/"]) {
      const url = new URL(folder, shared);
      if (!existsSync(url)) continue;
      for (const name of readdirSync(url).filter((name) => name.endsWith(".json"))) {
        const json = JSON.parse(readFileSync(new URL(name, url), "utf8"));
        const once = parseNotification(JSON.stringify(json)).records;
        const twice = parseNotification(JSON.stringify({ ...json, entry: [...json.entry ?? [], ...json.entry ?? []] }));
        assertEquals(twice.records.map(recordKey), [...once, ...once].map(recordKey), name);
        for (const record of once) {
          const key = recordKey(record);
          // Their ids are made up, and the same in some files.
          const { id } = record.kind === "echo" || record.kind === "history" ? record.message : { id: "", ...record };
          if (key !== undefined && id !== "") assertEquals(found.get(key) ?? id, id, name);
          if (key !== undefined) found.set(key, id as string);
        }
      }
    }
  });
});

describe("MemorySeenStore", () => {
  const DAY = 24 * 3600 * 1000;

  it("forgets the oldest of more than 100 000 keys, but not one that came again", () => {
    const store = new MemorySeenStore(new FakeClock());
    const known = (...keys: number[]): boolean[] => keys.map((key) => store.has(`k${key}`));
    for (let key = 0; key < 100_000; key++) store.add(`k${key}`);
    assertEquals(known(0, 1, 99_999), [true, true, true]);
    for (const again of [0, 2, 0, 99_999]) store.add(`k${again}`);
    for (let key = 100_000; key < 100_004; key++) store.add(`k${key}`);
    assertEquals(known(0, 1, 2, 3, 4, 5, 6, 99_999, 100_003), [true, false, true, ...[false, false, false], ...[
      true,
      true,
      true,
    ]]);
  });

  it("forgets keys after 8 days", () => {
    const clock = new FakeClock();
    const store = new MemorySeenStore(clock);
    for (const key of ["a", "b", "a"]) {
      store.add(key);
      clock.advance(DAY);
    }
    clock.advance(6 * DAY);
    assertEquals([store.has("a"), store.has("b")], [true, true]);
    clock.advance(1);
    assertEquals([store.has("a"), store.has("b")], [true, false]);
    store.add("c");
    clock.advance(DAY);
    assertEquals([store.has("a"), store.has("c")], [false, true]);
    store.add("a");
    assertEquals([store.has("a"), store.has("c")], [true, true]);
  });

  it("takes no more time for a key when it is full", () => {
    const store = new MemorySeenStore(new FakeClock());
    const start = performance.now();
    for (let key = 0; key < 400_000; key++) store.add(`k${key}`);
    // It grew with the square of their number when each key passed the places of those forgotten before.
    assert(performance.now() - start < 15_000, `${performance.now() - start} ms`);
    assertEquals([store.has("k299999"), store.has("k300000")], [false, true]);
  });
});

describe("Deduplication", () => {
  it("takes a time that grows with the number of records: an import has thousands in one notification", () => {
    const items = Array.from({ length: 60_000 }, (_, at) => ({ ...STATUS, id: `wamid.${at}` }));
    // Each twice.
    const { records } = parseNotification(wrap([statuses(...items, ...items)]));
    const deduplication = new Deduplication({ has: () => false, add: () => {} });
    const start = performance.now();
    const chosen = deduplication.choose(records, "");
    const time = performance.now() - start;
    assertEquals([records.length, chosen.records.length, chosen.keys.size], [120_000, 60_000, 60_000]);
    // The square of their number takes minutes.
    assert(time < 10_000, `${time} ms`);
  });
});

describe("WhatsAppReceiver with all defaults", () => {
  it("hands over the media of a history import behind its placeholder, once each", async () => {
    await using server = await startServer();
    const got: string[] = [];
    const receiver = await connect(server, {
      onNotification: (record) => {
        if (record.kind !== "history") return;
        const { message } = record;
        got.push(message.type === "image" ? message.image.id : message.type);
      },
    });
    const placeholder = imported({ ...MESSAGE, type: "media_placeholder" });
    const media = past(IMAGE);
    for (const changes of [[placeholder], [media], [media, placeholder], [messages(MESSAGE)]]) {
      assertEquals(await post(server, wrap(changes)), 200);
    }
    await until(() => receiver.position?.after === 4, "all of them");
    assertEquals(got, ["unknown", "7"]);
    await receiver.disconnect();
  });

  it("delivers each distinct record once, in any batches in which Meta repeats it", async () => {
    await using server = await startServer();
    const got: WhatsAppRecord[] = [];
    const receiver = await connect(server, {
      onWhatsAppMessageReceived: (record) => void got.push(record),
      onStatusReceived: (record) => void got.push(record),
      onNotification: (record) => void got.push(record),
    });
    const all = new Map(distinct.flatMap(([, ...changes]) => changes).map((change) => [keyOf(change), change]));
    const changes = [...all.values()];
    assertEquals(await post(server, wrap(changes)), 200);
    for (const change of changes) assertEquals(await post(server, wrap([change])), 200);
    assertEquals(await post(server, wrap(changes.reverse())), 200);
    await until(() => receiver.position?.after === changes.length + 2, "all of them");
    assertEquals(got.map(recordKey), [...all.keys()]);
    await receiver.disconnect();
  });
});
