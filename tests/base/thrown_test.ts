import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { describe as describeError, HandlerError, StateError, WebSocketError } from "../../base/errors.ts";
import { isError, shown } from "../../base/thrown.ts";
import { UNPRINTABLE } from "../support/unprintable.ts";

describe("shown", () => {
  it("shows type and text of a value", () => {
    const cases: [unknown, string][] = [
      ["a", 'string "a"'],
      [1, 'number "1"'],
      [undefined, 'undefined "undefined"'],
      [null, 'object "null"'],
      [Symbol("x"), 'symbol "Symbol(x)"'],
      ["https://user:password@host/", 'string "https://…@host/"'],
      [Object.create(null), "a value of type object"],
    ];
    for (const [value, text] of cases) assertEquals(shown(value), text);
  });
});

describe("isError", () => {
  it("is instanceof", () => {
    const error = new StateError("ERR_NOT_OPEN", "x");
    assertEquals([isError(error, StateError), isError(error, WebSocketError)], [true, true]);
    assertEquals([isError(error, HandlerError), isError("x", Error)], [false, false]);
  });
});

for (const [name, make] of Object.entries(UNPRINTABLE)) {
  it(`${name} can be shown, described, wrapped and asked for its class`, () => {
    assertEquals(isError(make(), WebSocketError), false);
    for (const text of [shown(make()), describeError(make()), new HandlerError("onPing", make()).message]) {
      assertEquals([typeof text, text === ""], ["string", false]);
    }
  });
}
