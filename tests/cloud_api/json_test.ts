import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  boolean,
  date,
  firstText,
  isObject,
  type JsonObject,
  list,
  number,
  object,
  objects,
  own,
  pick,
  text,
  withoutUndefined,
} from "../../cloud_api/json.ts";

const RAW: JsonObject = JSON.parse(
  '{"t":"x","n":7,"s":" 12.5 ","b":true,"o":{"a":1},"l":[{"a":1},2,null,[]],"z":null,"e":"","__proto__":{"t":"y"}}',
);

describe("readers of JSON", () => {
  it("read own properties of objects only", () => {
    assertEquals(own(RAW, "t"), "x");
    assertEquals(own(RAW, "toString"), undefined);
    assertEquals(own(RAW, "__proto__"), { t: "y" });
    for (const raw of [null, undefined, 1, "t", ["t"]]) assertEquals(own(raw, "length"), undefined);
    assertEquals([isObject({}), isObject([]), isObject(null)], [true, false, false]);
  });

  it("read texts and numbers in either form, and nothing else", () => {
    assertEquals(["t", "n", "b", "o", "z", "no"].map((key) => text(RAW, key)), ["x", "7", ...Array(4).fill(undefined)]);
    assertEquals(["n", "s", "t", "e", "b", "no"].map((key) => number(RAW, key)), [
      7,
      12.5,
      ...Array(4).fill(undefined),
    ]);
    const huge = JSON.parse('{"a":1e400,"b":-1e400,"c":"1e400"}');
    assertEquals(["a", "b", "c"].map((key) => number(huge, key)), Array(3).fill(undefined));
    assertEquals(["b", "n", "t"].map((key) => boolean(RAW, key)), [true, undefined, undefined]);
    assertEquals(firstText(RAW, ["no", "o", "n", "t"]), "7");
    assertEquals(firstText(RAW, ["no"]), undefined);
  });

  it("read objects and arrays, and leave out elements of another type", () => {
    assertEquals([object(RAW, "o"), object(RAW, "l"), object(RAW, "t")], [{ a: 1 }, undefined, undefined]);
    assertEquals([objects(RAW, "l"), objects(RAW, "o")], [[{ a: 1 }], []]);
    assertEquals([list(RAW, "l").length, list(RAW, "o"), list(null, "l")], [4, [], []]);
  });

  it("read times in seconds, and refuse those that no Date holds", () => {
    assertEquals(date({ at: "1790416800" }, "at"), new Date(1790416800000));
    assertEquals(date({ at: 0 }, "at"), new Date(0));
    for (const at of ["soon", "", 1e300, null]) assertEquals(date({ at }, "at"), undefined);
  });

  it("rename texts, and leave out absent and undefined members", () => {
    assertEquals(pick(RAW, { first: "t", second: "n", third: "o" }), { first: "x", second: "7" });
    assertEquals(Object.keys(withoutUndefined({ a: 1, b: undefined, c: null })), ["a", "c"]);
  });
});
