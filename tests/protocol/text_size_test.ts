import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { textSize } from "../../protocol/text_size.ts";

describe("the size of a text", () => {
  it("is exact for texts of any length, wherever a pair of surrogates lies", () => {
    for (const unit of ["a", "ü", "€", "👋", "\ud83d", "\udc4b", "a👋", "\udc4b👋\ud83d"]) {
      for (let shift = 0; shift < 4; shift++) {
        for (const length of [0, 1, 2, 100, 4094, 4095, 4096, 4097, 8191, 8192, 8193, 20_000]) {
          const text = ("-".repeat(shift) + unit.repeat(length)).slice(0, length);
          assertEquals(
            textSize(text),
            new TextEncoder().encode(text).length,
            `${JSON.stringify(unit)} ${shift} ${length}`,
          );
        }
      }
    }
  });
});
