/** Masking against a plain loop, and against a copy as the limit of memory. */

import { mask } from "../mask.ts";

for (const size of [16, 64, 127, 128, 1024, 65536, 1048576]) {
  const bytes = new Uint8Array(size + 8).fill(7);
  const target = new Uint8Array(size + 8);
  const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
  Deno.bench(
    { name: `mask ${size} B`, group: `${size} B`, baseline: true },
    () => void mask(bytes, 3, 3 + size, 0x37fa213d),
  );
  Deno.bench({ name: `plain loop ${size} B`, group: `${size} B` }, () => {
    for (let i = 0; i < size; i++) bytes[3 + i] ^= key[i & 3];
  });
  Deno.bench({ name: `copy ${size} B`, group: `${size} B` }, () => target.set(bytes));
}
