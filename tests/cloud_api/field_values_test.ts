import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  type ListItemParser,
  listValue,
  makeRecord,
  parseLists,
  texts,
  wholeValue,
} from "../../cloud_api/field_values.ts";
import { type ChangeOrigin, recordBase } from "../../cloud_api/origin.ts";

const ORIGIN: ChangeOrigin = { field: "groups", accountId: "42", contacts: [] };
const parse: ListItemParser = (raw, origin) => ({ kind: "other", ...recordBase(origin, raw) });
const LISTS = new Map([["first", parse], ["second", parse]]);

describe("parseLists", () => {
  it("makes records in the order of the value, and leaves the other members", () => {
    const value = { second: [{ a: 1 }], other: 7, first: [{ a: 2 }, { a: 3 }] };
    const { records, rest } = parseLists(value, ORIGIN, LISTS);
    assertEquals(records.map(({ raw }) => raw), [{ a: 1 }, { a: 2 }, { a: 3 }]);
    assertEquals(rest, { other: 7 });
  });

  it("takes a list that is null as absent, but no other null", () => {
    assertEquals(parseLists({ first: null, other: null }, ORIGIN, LISTS), { records: [], rest: { other: null } });
  });

  it("leaves items that are no objects, and lists that are none", () => {
    const { records, rest } = parseLists({ first: ["x", { a: 1 }, null, [2]], second: { a: 3 } }, ORIGIN, LISTS);
    assertEquals(records.map(({ raw }) => raw), [{ a: 1 }]);
    assertEquals(rest, { first: ["x", null, [2]], second: { a: 3 } });
  });

  it("keeps keys that objects inherit as members", () => {
    const value = JSON.parse(
      '{"__proto__": {"first": [1]}, "constructor": [{}], "toString": "x", "first": [{"a": 1}]}',
    );
    const { records, rest } = parseLists(value, ORIGIN, LISTS);
    assertEquals(records.length, 1);
    assertEquals(JSON.stringify(rest), '{"__proto__":{"first":[1]},"constructor":[{}],"toString":"x"}');
    assertEquals(Object.getPrototypeOf(rest), Object.prototype);
  });
});

describe("listValue", () => {
  it("reads a list, and errors beside it", () => {
    const { records, rest } = listValue("items", parse)({ items: [{ a: 1 }], errors: [{ code: 7 }], b: 2 }, ORIGIN);
    assertEquals(records.map(({ kind, raw }) => [kind, raw]), [["other", { a: 1 }], ["error", { code: 7 }]]);
    assertEquals(rest, { b: 2 });
  });
});

describe("wholeValue", () => {
  it("leaves no rest", () => {
    const value = { a: 1 };
    assertEquals(wholeValue(parse)(value, ORIGIN), { records: [parse(value, ORIGIN)], rest: {} });
  });
});

describe("makeRecord", () => {
  it("takes the time of the item, else that of the entry, and leaves out what is undefined", () => {
    const entryTime = new Date(1790416800000);
    const raw = { timestamp: "1790416801" };
    const base = { kind: "call", field: "groups", accountId: "42", entryTime };
    assertEquals(makeRecord("call", raw, { ...ORIGIN, entryTime }, { id: "1", none: undefined }) as unknown, {
      ...base,
      timestamp: new Date(1790416801000),
      id: "1",
      raw,
    });
    assertEquals(makeRecord("call", {}, { ...ORIGIN, entryTime }, {}) as unknown, {
      ...base,
      timestamp: entryTime,
      raw: {},
    });
    assertEquals(makeRecord("call", {}, ORIGIN, {}) as unknown, {
      kind: "call",
      field: "groups",
      accountId: "42",
      raw: {},
    });
  });
});

describe("texts", () => {
  it("takes numbers as texts, and leaves other items out", () => {
    assertEquals(texts({ list: ["a", 1, null, {}, true, "b"] }, "list"), ["a", "1", "b"]);
    assertEquals([texts({ list: "a" }, "list"), texts({}, "list")], [[], []]);
  });
});
