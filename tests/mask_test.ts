import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mask } from "../mask.ts";
import { Random, withSeed } from "./support.ts";

/** RFC 6455 §5.3, word for word: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4). */
function maskSlowly(bytes: Uint8Array, start: number, end: number, key: Uint8Array, offset: number): void {
  for (let i = 0; i < end - start; i++) bytes[start + i] ^= key[(i + offset) % 4];
}

describe("mask", () => {
  it("masks the example of RFC 6455 §5.7", () => {
    const bytes = new TextEncoder().encode("Hello");
    mask(bytes, 0, 5, 0x37fa213d);
    assertEquals(bytes, Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58));
  });

  it("agrees with the definition at every length, alignment and phase up to 300 bytes", () => {
    const key = Uint8Array.of(0x91, 0x02, 0xfe, 0x80);
    const number = 0x9102fe80 | 0;
    const source = new Random(1).bytes(320);
    for (let start = 0; start < 8; start++) {
      for (let length = 0; length <= 300; length += length < 20 || length > 120 && length < 140 ? 1 : 7) {
        for (let offset = 0; offset < 4; offset++) {
          const fast = source.slice();
          const slow = source.slice();
          mask(fast, start, start + length, number, offset);
          maskSlowly(slow, start, start + length, key, offset);
          assertEquals(fast, slow);
        }
      }
    }
  });

  it("agrees with the definition on a view into a larger buffer, in pieces", () => {
    withSeed((random) => {
      for (let round = 0; round < 200; round++) {
        const key = random.bytes(4);
        const number = new DataView(key.buffer).getUint32(0);
        const whole = random.bytes(5000);
        const view = whole.subarray(random.int(9), 4000 + random.int(900));
        const expected = view.slice();
        maskSlowly(expected, 0, expected.length, key, 0);
        for (let at = 0; at < view.length;) {
          const end = Math.min(view.length, at + 1 + random.int(700));
          mask(view, at, end, number, at);
          at = end;
        }
        assertEquals(view.slice(), expected);
      }
    });
  });

  it("leaves bytes outside the range alone", () => {
    const bytes = new Uint8Array(400);
    mask(bytes, 10, 390, 0x01020304);
    assertEquals(bytes.subarray(0, 10).some((byte) => byte !== 0), false);
    assertEquals(bytes.subarray(390).some((byte) => byte !== 0), false);
  });
});
