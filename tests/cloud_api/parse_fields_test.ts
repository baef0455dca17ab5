import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isObject, type JsonObject } from "../../cloud_api/json.ts";
import { recordMatches } from "../../cloud_api/filter.ts";
import { parseNotification } from "../../cloud_api/parse.ts";
import type { ParsedNotification } from "../../cloud_api/records.ts";
import { FIELD_PARSERS } from "../../cloud_api/parse_fields.ts";
import { ENTRY_TIME, FIELD_VALUES, parseField, typedMembers } from "../support/field_values.ts";
import { type Random, withSeed } from "../support/support.ts";

/** Spellings of a field that Meta's pages have besides the usual one. */
const SPELLINGS: Readonly<Record<string, string>> = {
  group_participant_update: "group_participants_update",
  business_username_update: "business_username_updates",
  phone_number_username_update: "business_username_updates",
};

/** Members that are common to all values of a field; the parser of notifications reads them. */
const COMMON = ["messaging_product", "metadata", "contacts"];

/** Documented members without a typed one of their own. */
const UNTYPED = [
  // Says the same as the kind of the record.
  "calls.statuses.type",
  "calls.calls.call_recording.type",
  "messaging_handovers.control_passed.conversation_context.type",
  "messaging_handovers.messaging_product",
  "account_settings_update.messaging_product",
];

/** Lists all values that are no objects or arrays, with their paths; items of arrays have the path of the array. */
function leaves(value: unknown, path = ""): [path: string, leaf: unknown][] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, path));
  if (!isObject(value) || value instanceof Date) return [[path, value]];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, path === "" ? key : `${path}.${key}`));
}

/** Writes a leaf of a value or of a typed record in the same form. */
function plain(leaf: unknown): string {
  if (leaf instanceof Date) return String(leaf.getTime() / 1000);
  const text = String(leaf);
  return text.startsWith("@") || text.startsWith("[") ? text.slice(1).replace("]", "") : text;
}

describe("FIELD_PARSERS", () => {
  it("has a value of each field in the tests", () => {
    const tested = new Set(Object.values(FIELD_VALUES).map(({ field }) => field));
    assertEquals([...FIELD_PARSERS.keys()].filter((field) => !tested.has(SPELLINGS[field] ?? field)), []);
  });

  it("takes each spelling of a field alike", () => {
    for (const [spelling, field] of Object.entries(SPELLINGS)) {
      assertEquals(FIELD_PARSERS.get(spelling), FIELD_PARSERS.get(field), spelling);
    }
  });

  for (const [name, { field, value }] of Object.entries(FIELD_VALUES)) {
    it(`gives ${name} its field, account, entry time and raw value, and types each member of it`, () => {
      const { records, rest } = parseField(field, value);
      for (const record of records) {
        assert("field" in record && record.field === field && record.accountId === "900000000000001");
        assert(record.kind === "error" || typedMembers(record)["timestamp"] !== undefined);
      }
      assertEquals(Object.keys(rest).filter((key) => !COMMON.includes(key)), []);
      const typed = new Set(leaves(records.map(typedMembers)).map(([, leaf]) => plain(leaf)));
      const known = leaves(records.map(({ raw }) => raw)).filter(([, leaf]) => leaf !== null);
      const missing = known.filter(([, leaf]) => !typed.has(plain(leaf)));
      assertEquals(missing.filter(([path]) => !UNTYPED.some((untyped) => untyped.endsWith(path))), []);
    });
  }

  it("carries the number of handovers, settings and alerts of a number", () => {
    for (const name of ["handoverPassed", "handoverTaken", "accountSettings", "accountAlert"]) {
      const { field, value } = FIELD_VALUES[name]!;
      assertEquals(parseField(field, value).records.map(({ phoneNumberId }) => phoneNumberId), ["900000000000777"]);
    }
  });

  it("takes the time of the entry for records without one", () => {
    for (const field of FIELD_PARSERS.keys()) {
      const lists = ["calls", "statuses", "groups", "user_preferences", "automatic_events", "state_sync"];
      const value = Object.fromEntries([...lists, "user_id_update"].map((key) => [key, [{}]]));
      const { records } = parseField(field, value);
      assert(records.length > 0, field);
      for (const record of records) assertEquals(typedMembers(record)["timestamp"], ENTRY_TIME, field);
    }
  });

  it("loses no leaf of any value, and has none twice", () => {
    withSeed((random) => {
      for (let round = 0; round < 3000; round++) {
        const { field, value } = random.pick(Object.values(FIELD_VALUES));
        const changed = Object.fromEntries(
          Object.entries(value).map(([key, member]) => [key, distort(member, random)]),
        );
        const before = JSON.stringify(changed);
        const { records, rest } = parseField(field, changed);
        assertEquals(JSON.stringify(changed), before, "the value is changed");
        const found = leaves([records.map(({ raw }) => raw), rest]).map(([, leaf]) => String(leaf)).sort();
        assertEquals(found, leaves(withoutNullLists(changed, field)).map(([, leaf]) => String(leaf)).sort(), before);
      }
    });
  });
});

describe("FIELD_PARSERS, in a notification", () => {
  function parse(field: string, value: string): ParsedNotification {
    const change = `{"field":"${field}","value":${value}}`;
    const entry = `[{"id":"900000000000001","time":${ENTRY_TIME.getTime() / 1000},"changes":[${change}]}]`;
    return parseNotification(`{"object":"whatsapp_business_account","entry":${entry}}`);
  }

  it("gives the same records, and nothing besides", () => {
    for (const [name, { field, value }] of Object.entries(FIELD_VALUES)) {
      const { records, skipped } = parse(field, JSON.stringify(value));
      assertEquals([records, skipped], [[...parseField(field, value).records], []], name);
    }
  });

  it("lets records of a number through a filter by numbers", () => {
    for (const name of ["callConnect", "handoverPassed", "accountSettings", "groupCreate", "contactSync"]) {
      const { field, value } = FIELD_VALUES[name]!;
      for (const record of parse(field, JSON.stringify(value)).records) {
        assert(recordMatches(record, { phoneNumberIds: ["900000000000777"], fields: [field] }), name);
        assert(!recordMatches(record, { phoneNumberIds: ["900000000000778"] }), name);
      }
    }
  });

  it("keeps the digits of ids beyond 2^53", () => {
    const [record] = parse("message_template_status_update", '{"message_template_id":90071992547409931}').records;
    assertEquals(record?.kind === "template" && record.id, "90071992547409931");
  });

  it("makes records of unknown members beside known lists, and of a value without its list", () => {
    const value = '{"groups":[{"group_id":"a"}, 7],"pins":[{"id":"p"}],"groups_left":3}';
    assertEquals(
      parse("group_status_update", value).records.map(({ kind, raw }) => [kind, raw] as unknown),
      [["group", { group_id: "a" }], ["other", { id: "p" }], ["other", { groups: [7], groups_left: 3 }]],
    );
    assertEquals(parse("calls", '{"call":{"id":"c"}}').records.map(({ kind, raw }) => [kind, raw] as unknown), [
      ["other", { call: { id: "c" } }],
    ]);
  });
});

/** Changes a value here and there: other types, unknown members, keys that objects inherit. Each leaf is another. */
function distort(value: unknown, random: Random): unknown {
  const chance = random.int(40);
  if (chance === 0) return null;
  if (chance === 1) return [random.int(1e9), { unknown: random.int(1e9) }];
  if (chance === 2) return { unknown: [random.int(1e9)] };
  if (Array.isArray(value)) {
    const items = value.map((item) => distort(item, random));
    return random.int(10) === 0 ? [...items, random.int(1e9), null] : items;
  }
  return isObject(value) ? distortMembers(value, random) : `leaf ${random.int(1e9)}`;
}

function distortMembers(value: JsonObject, random: Random): JsonObject {
  const members = Object.entries(value).map(([key, member]): [string, unknown] => [key, distort(member, random)]);
  const key = random.pick(["__proto__", "constructor", "pins", "errors"]);
  const more = random.pick([[{ pin: random.int(1e9) }], `leaf ${random.int(1e9)}`]);
  return Object.fromEntries(random.int(8) === 0 ? [...members, [key, more]] : members);
}

/** Removes the lists that are `null`, which are absent lists. */
function withoutNullLists(value: unknown, field: string): unknown {
  if (!isObject(value)) return value;
  const lists = ["calls", "statuses", "groups", "user_preferences", "automatic_events", "state_sync", "user_id_update"];
  const whole = parseField(field, {}).records.length > 0;
  const absent = whole ? [] : [...lists, "errors"].filter((key) => value[key] === null);
  return Object.fromEntries(Object.entries(value).filter(([key]) => !absent.includes(key)));
}

const SAMPLES = new URL("../../../shared/whatsapp/samples/", import.meta.url);

describe("real values", () => {
  it("types each member of the samples, where those are present", () => {
    if (!existsSync(SAMPLES)) return;
    for (const file of readdirSync(SAMPLES).filter((name) => name.startsWith("field-") && !name.includes("echo"))) {
      const { entry: [{ changes: [{ field, value }] }] } = JSON.parse(readFileSync(new URL(file, SAMPLES), "utf8"));
      const { records, rest } = parseField(field, value);
      assertEquals(Object.keys(rest).filter((key) => !COMMON.includes(key)), [], file);
      const typed = new Set(leaves(records.map(typedMembers)).map(([, leaf]) => plain(leaf)));
      const missing = leaves(records.map(({ raw }) => raw)).filter(([, leaf]) =>
        leaf !== null && !typed.has(plain(leaf))
      );
      assertEquals(missing.filter(([path]) => path !== "type"), [], file);
    }
  });
});
