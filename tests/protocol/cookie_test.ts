import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { joinCookies, separateCookies } from "../../protocol/cookie.ts";

describe("cookies", () => {
  it("of several lines are joined with a semicolon", () => {
    assertEquals(joinCookies(["a=1"]), "a=1");
    assertEquals(joinCookies(["a=1; b=2", "c=3"]), "a=1; b=2; c=3");
  });

  it("that Headers has joined are separated, and commas inside of values stay", () => {
    const values: [combined: string, separated: string][] = [
      ["", ""],
      ["a=1", "a=1"],
      ["a=1; b=2", "a=1; b=2"],
      ["a=1, b=2, c=3; d=4", "a=1; b=2; c=3; d=4"],
      ['a={"x":1, "y":2}', 'a={"x":1, "y":2}'],
      ["a=1,2,b=3", "a=1,2,b=3"],
      ["a=Mon, 01-Jan-2024 00:00:00 GMT; b=2", "a=Mon, 01-Jan-2024 00:00:00 GMT; b=2"],
      ["a=1, =2", "a=1, =2"],
    ];
    for (const [combined, separated] of values) assertEquals(separateCookies(combined), separated);
  });
});
