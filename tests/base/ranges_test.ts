import { assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertNumber, assertPort, assertWellFormed, LONGEST_TIMER } from "../../base/ranges.ts";

describe("assertNumber", () => {
  it("takes integers from 0 to the most, and names setting and value of all others", () => {
    for (const value of [0, 1, 100]) assertNumber("maxFragments", value, 100);
    for (const value of [-1, 1.5, NaN, Infinity, 101, 2 ** 53]) {
      assertThrows(() => assertNumber("maxFragments", value, 100), OptionError, `"maxFragments" is ${value}, not`);
    }
    for (const value of ["5", null, undefined, {}, 5n, Symbol("five")]) {
      assertThrows(() => assertNumber("maxFragments", value), OptionError, "instead of number");
    }
  });

  it("takes all safe integers without a most, and for times as many ms as a timer does", () => {
    assertNumber("maxMessageSize", Number.MAX_SAFE_INTEGER);
    assertThrows(() => assertNumber("maxMessageSize", -1), OptionError, "not an integer from 0 on");
    assertNumber("closeTimeout", 0x7fffffff, LONGEST_TIMER);
    assertThrows(() => assertNumber("closeTimeout", 0x80000000, LONGEST_TIMER), OptionError, "from 0 to 2147483647");
  });
});

describe("assertPort", () => {
  it("takes 0 to 65535", () => {
    for (const port of [0, 65535]) assertPort(port);
    for (const port of [-1, 65536, "80"]) assertThrows(() => assertPort(port), OptionError, '"port" is');
  });
});

describe("assertWellFormed", () => {
  it("refuses lone surrogates, and takes pairs", () => {
    assertWellFormed("The topic", "👋");
    for (const text of ["\ud83d", "a\udc4b"]) {
      assertThrows(() => assertWellFormed("The topic", text), OptionError, "The topic has a lone surrogate");
    }
  });
});
