import { execFileSync } from "node:child_process";
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mask, maskLeased } from "../../protocol/mask.ts";
import { giveBack, isLeased, lease } from "../../base/leased_memory.ts";
import { Random, withSeed } from "../support/support.ts";

/** RFC 6455 §5.3, word for word: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4). */
function maskSlowly(bytes: Uint8Array, start: number, end: number, key: Uint8Array, offset: number): void {
  for (let i = 0; i < end - start; i++) bytes[start + i]! ^= key[(i + offset) % 4]!;
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

/** Alignments of the payload, each with the function that masks it. */
const PLACES: [name: string, make: () => Uint8Array<ArrayBuffer>, masks: typeof mask][] = [
  ["an array of the program", () => new Uint8Array(32768), mask],
  ["a leased array", () => lease(32768)!, mask],
  ["a leased array that is known to be one", () => lease(32768)!, maskLeased],
];

for (const [name, make, masks] of PLACES) {
  describe(`masking in ${name}`, () => {
    it("agrees with the definition around every threshold, and touches nothing else", () => {
      const bytes = make();
      const key = Uint8Array.of(0x91, 0x02, 0xfe, 0x80);
      const source = new Random(2).bytes(bytes.length);
      for (const middle of [0, 16, 32, 64, 96, 129, 192, 1024, 4096, 16384, 20_000]) {
        for (let length = Math.max(0, middle - 5); length <= middle + 5; length++) {
          for (const start of [0, 1, 6, 15]) {
            const offset = (length + start) & 3;
            bytes.set(source);
            const slow = source.slice();
            masks(bytes, start, start + length, 0x9102fe80 | 0, offset);
            maskSlowly(slow, start, start + length, key, offset);
            assert(bytes.every((byte, index) => byte === slow[index]), `${length} bytes from ${start}`);
          }
        }
      }
      if (isLeased(bytes)) giveBack(bytes);
    });

    it("detects a byte beyond ASCII in its output at each position", () => {
      const bytes = make();
      const key = 0x7fa20180;
      for (const length of [1, 2, 3, 4, 5, 15, 31, 32, 33, 47, 63, 64, 100, 128, 129, 150, 300, 5000]) {
        for (let wrong = -1; wrong < length; wrong += length > 400 && wrong > 70 && wrong < length - 100 ? 61 : 1) {
          bytes.fill(0x61, 0, length + 8);
          // High bits outside of the range do not count.
          bytes[2] = 0xff;
          bytes[3 + length] = 0xff;
          if (wrong >= 0) bytes[3 + wrong] = 0x80;
          mask(bytes, 3, 3 + length, key);
          assertEquals(masks(bytes, 3, 3 + length, key), wrong === -1, `${wrong} of ${length}`);
        }
      }
      // What is longer than the passage, with the byte in its first part.
      bytes.fill(0x61);
      bytes[100] = 0x80;
      mask(bytes, 0, 30_000, key);
      assertEquals(masks(bytes, 0, 30_000, key), false);
      if (isLeased(bytes)) giveBack(bytes);
    });
  });
}

describe("where WebAssembly is missing, or has no SIMD, or no memory is to be had", () => {
  for (const what of ["WebAssembly", "SIMD", "memory"]) {
    it(`masks and parses all the same: ${what}`, () => {
      const file = decodeURIComponent(new URL("../peers/without_simd.mjs", import.meta.url).pathname);
      const own = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
      assertEquals(execFileSync(process.execPath, [...own, what], { encoding: "utf8" }).trim(), "all the same");
    });
  }
});
