/**
 * Masking in place against `bufferutil` (native code), a plain loop, and a copy as the limit of memory. "Leased": where
 * the SIMD loop works, as the read buffers on Deno are; "elsewhere": an array of the program.
 */

import { bench, npm } from "./bench.ts";
import { mask, maskLeased } from "../protocol/mask.ts";
import { lease } from "../base/leased_memory.ts";

interface BufferUtil {
  unmask(bytes: Uint8Array, key: Uint8Array): void;
}

const { unmask } = npm<BufferUtil>("bufferutil", "4.0.9");
const KEY = 0x37fa213d;
const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const slot = lease(262144)!;

/** As it is written first. */
function plainLoop(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) bytes[at]! ^= key[(at - start) & 3]!;
}

for (const size of [8, 16, 32, 64, 125, 128, 1024, 4096, 16384, 65536, 131072]) {
  const start = 3;
  const end = start + size;
  const elsewhere = new Uint8Array(size + 8).fill(7);
  const payload = elsewhere.subarray(start, end);
  const source = slot.subarray(131072, 131072 + size);
  const target = slot.subarray(0, size);
  const group = `mask ${size} B`;
  bench(group, "bufferutil", () => unmask(payload, key));
  bench(group, "plain loop", () => plainLoop(elsewhere, start, end));
  bench(group, "mask, elsewhere", () => void mask(elsewhere, start, end, KEY));
  bench(group, "mask, leased", () => void maskLeased(slot, start, end, KEY));
  bench(group, "copy (set)", () => target.set(source));
}
