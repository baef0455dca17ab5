import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ListItemParser, parseLists, texts, wholeValue } from "../../cloud_api/field_values.ts";
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

describe("wholeValue", () => {
  it("leaves no rest", () => {
    const record = parse({ a: 1 }, ORIGIN);
    assertEquals(wholeValue(record), { records: [record], rest: {} });
  });
});

describe("texts", () => {
  it("takes numbers as texts, and leaves other items out", () => {
    assertEquals(texts({ list: ["a", 1, null, {}, true, "b"] }, "list"), ["a", "1", "b"]);
    assertEquals([texts({ list: "a" }, "list"), texts({}, "list")], [[], []]);
  });
});
