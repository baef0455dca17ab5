import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Collector, hasObjects, type MemberReader, restOf } from "../../cloud_api/collector.ts";
import { type JsonObject, number, text } from "../../cloud_api/json.ts";
import type { ChangeOrigin } from "../../cloud_api/origin.ts";

const ORIGIN: ChangeOrigin = { field: "messages", accountId: "42", phoneNumberId: "1", contacts: [] };

function unknown(rest: JsonObject, origin: ChangeOrigin = ORIGIN): unknown[] {
  const collector = new Collector();
  collector.addUnknown(rest, origin);
  return collector.records.map((record) => record.kind === "other" && [record.key, record.raw]);
}

describe("restOf", () => {
  it("returns members without a reader, and those that their reader does not take", () => {
    const known = new Map<string, MemberReader>([["id", text], ["phase", number]]);
    const raw: JsonObject = JSON.parse('{"id":"a","phase":"no","more":1,"__proto__":{"x":1}}');
    assertEquals(Object.entries(restOf(raw, known)), [["phase", "no"], ["more", 1], ["__proto__", { x: 1 }]]);
    assertEquals(restOf({ id: { a: 1 }, phase: 7 }, known), { id: { a: 1 } });
  });

  it("leaves out what holds nothing", () => {
    assertEquals(restOf({ a: null, b: "", c: [], d: {}, e: 0, f: false }, new Map()), { e: 0, f: false });
  });
});

describe("addUnknown", () => {
  it("makes a record of each object, in lists too, and one of all other values", () => {
    assertEquals(unknown({ pins: [{ a: 1 }, 7, { b: 2 }, null], pin: { c: 3 }, mode: "x", tags: ["t"], none: null }), [
      ["pins", { a: 1 }],
      ["pins", { b: 2 }],
      ["pin", { c: 3 }],
      [undefined, { pins: [7], mode: "x", tags: ["t"] }],
    ]);
    assertEquals(unknown({ a: null, b: [], c: {}, d: [null] }), []);
    assertEquals(unknown(JSON.parse('{"__proto__":"x"}')), [[undefined, JSON.parse('{"__proto__":"x"}')]]);
  });

  it("gives records the facts of their change, and a time", () => {
    const collector = new Collector();
    const entryTime = new Date(7000);
    collector.addUnknown({ a: [{ timestamp: "5" }, { b: 1 }] }, { ...ORIGIN, entryTime });
    const base = { kind: "other", key: "a", field: "messages", accountId: "42", phoneNumberId: "1", entryTime };
    assertEquals(collector.records as unknown[], [
      { ...base, timestamp: new Date(5000), raw: { timestamp: "5" } },
      { ...base, timestamp: entryTime, raw: { b: 1 } },
    ]);
  });

  it("agrees with hasObjects", () => {
    for (const rest of [{}, { a: 1 }, { a: [1] }, { a: {} }, { a: [] }]) assertEquals(hasObjects(rest), false);
    for (const rest of [{ a: { b: 1 } }, { a: [1, { b: 1 }] }]) assertEquals(hasObjects(rest), true);
  });
});

describe("each", () => {
  it("visits objects, and skips other elements one by one; null is an absent list", () => {
    const collector = new Collector();
    const visited: string[] = [];
    for (const key of ["list", "none", "absent", "text"]) {
      collector.each({ list: [{}, 1, {}], none: null, text: "x" }, key, "a", (_, path) => visited.push(path));
    }
    assertEquals(visited, ["a.list[0]", "a.list[2]"]);
    assertEquals(collector.skipped.map(({ path }) => path), ["a.list[1]", "a.text"]);
    assertEquals(collector.count, 2);
  });
});
