import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { boolean, fullText, type JsonObject, number, text } from "../../cloud_api/json.ts";
import { each, eachIfAny, members, nested, otherwise, textOrEmpty } from "../../cloud_api/members.ts";

describe("members", () => {
  it("reads by the name with underscores, and leaves out what has no value", () => {
    const read = members(() => ({ callIcon: text, p50Latency: number, isOpen: boolean, more: text }));
    const raw = { call_icon: "x", p50_latency: "7", is_open: "no", callIcon: "y", other: 1 };
    assertEquals(read(raw), { callIcon: "x", p50Latency: 7 });
    assertEquals(read({ is_open: false }), { isOpen: false });
  });

  it("takes the first key that has a value, also of inner objects, and begins keys with the prefix", () => {
    const read = members(() => ({ id: [fullText, "outer.inner.id", "outer.id", "old_id"], errorCode: text }), "my_");
    const ids: [raw: JsonObject, id: string | undefined][] = [
      [{ outer: { inner: { id: "1" }, id: "2" }, old_id: "3" }, "1"],
      [{ outer: { inner: { id: "" }, id: "2" }, old_id: "3" }, "2"],
      [{ outer: { inner: "x" }, old_id: "3" }, "3"],
      [{ outer: [{ id: "2" }], id: "4", my_id: "5" }, undefined],
    ];
    for (const [raw, id] of ids) assertEquals(read(raw).id, id, JSON.stringify(raw));
    assertEquals(read({ error_code: "1", my_error_code: "2" }), { errorCode: "2" });
  });

  it("reads own members only", () => {
    const read = members(() => ({ constructor: text, name: [text, "constructor.name"] }));
    assertEquals(Object.keys(read({})), []);
    assertEquals(read(JSON.parse('{"__proto__": {"name": "x"}, "constructor": {"name": "y"}}')).name, "y");
  });

  it("makes the table at the first object, once", () => {
    let made = 0;
    const read = members(() => ({ id: text, count: () => ++made }));
    assertEquals(made, 0);
    assertEquals([read({ id: "a" }), read({ id: "b" })], [{ id: "a", count: 1 }, { id: "b", count: 2 }]);
    let tables = 0;
    const counted = members(() => (tables++, { id: text }));
    assertEquals(tables, 0);
    counted({});
    counted({});
    assertEquals(tables, 1);
  });
});

describe("readers for rows", () => {
  const read = members(() => ({ id: textOrEmpty }));
  const raw = { one: { id: "a" }, many: [{ id: "a" }, 1, {}], none: null };

  it("read objects", () => {
    assertEquals(["one", "many", "none", "no"].map((key) => nested(read)(raw, key)), [
      { id: "a" },
      ...Array(3).fill(undefined),
    ]);
  });

  it("read lists", () => {
    const found = [{ id: "a" }, { id: "" }];
    assertEquals(["many", "one", "no"].map((key) => each(read)(raw, key)), [found, [], []]);
    assertEquals(["many", "one", "no"].map((key) => eachIfAny(read)(raw, key)), [found, undefined, undefined]);
  });

  it("have a value for what is absent", () => {
    assertEquals(["a", "b", "c"].map((key) => otherwise(number, 0)({ a: 7, b: "x" }, key)), [7, 0, 0]);
    assertEquals(["a", "b", "c"].map((key) => textOrEmpty({ a: 7, b: {} }, key)), ["7", "", ""]);
  });
});
