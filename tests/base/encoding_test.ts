import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { fromBase64, hex, toBase64 } from "../../base/encoding.ts";

const ALL = Uint8Array.from({ length: 256 }, (_, index) => index);

describe("base64", () => {
  it("has the test vectors of RFC 4648 §10", () => {
    for (
      const [plain, coded] of [
        ["", ""],
        ["f", "Zg=="],
        ["fo", "Zm8="],
        ["foo", "Zm9v"],
        ["foob", "Zm9vYg=="],
        ["fooba", "Zm9vYmE="],
        ["foobar", "Zm9vYmFy"],
      ]
    ) {
      assertEquals(toBase64(new TextEncoder().encode(plain)), coded);
      assertEquals(new TextDecoder().decode(fromBase64(coded!)), plain);
    }
  });

  it("carries each byte, also out of the middle of an array", () => {
    assertEquals(fromBase64(toBase64(ALL)), ALL);
    assertEquals(fromBase64(toBase64(ALL.subarray(7, 200))), ALL.slice(7, 200));
  });
});

describe("hex", () => {
  it("has two digits for each byte, also out of the middle of an array", () => {
    assertEquals(hex(Uint8Array.of(0, 1, 0x7f, 0xff)), "00017fff");
    assertEquals(hex(ALL.subarray(9, 12)), "090a0b");
  });
});
