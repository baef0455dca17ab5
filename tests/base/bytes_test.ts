import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { concat, concatAll, EMPTY } from "../../base/bytes.ts";

describe("concat and concatAll", () => {
  it("put arrays one behind the other, in a copy even of a single one", () => {
    const one = Uint8Array.of(1, 2);
    assertEquals(concat(one, EMPTY, Uint8Array.of(3)), Uint8Array.of(1, 2, 3));
    assertEquals(concatAll([one, one]), Uint8Array.of(1, 2, 1, 2));
    const copy = concat(one);
    assert(copy.buffer !== one.buffer);
    assertEquals(concatAll([]).length, 0);
  });

  it("take views of larger arrays for what they show", () => {
    assertEquals(concat(Uint8Array.of(1, 2, 3, 4).subarray(1, 3), Uint8Array.of(9)), Uint8Array.of(2, 3, 9));
  });
});
