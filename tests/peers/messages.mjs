// @ts-self-types="./messages.d.mts"
// deno-lint-ignore-file explicit-module-boundary-types
// The messages that programs of their own and ours send each other: every length at which the header changes, all planes of
// Unicode, and texts and bytes that refer to each other, beyond small windows too.

import { Buffer } from "node:buffer";

// One code point of each plane, and then some.
const PLANES = Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x10000 + 0x1234)).join("") +
  "👩‍👩‍👧‍👦\u0000\uFEFF";

function* make() {
  yield* ["", "Hello", PLANES];
  for (const length of [125, 126, 127, 65535, 65536]) yield "x".repeat(length);
  yield "κόσμε".repeat(2000);
  for (const length of [0, 1, 125, 126, 65535, 65536, 300_000]) {
    yield Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
  }
  let state = 7;
  const noise = Uint8Array.from({ length: 3000 }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16);
  const text = noise.join();
  yield* [text, "short", noise, text.slice(100), noise.slice(50), "", noise.slice(500)];
}

// Made once: hundreds of combinations of parameters are played with them.
const ALL = [...make()];

export function messages() {
  return ALL;
}

export function sameMessage(actual, expected) {
  if (typeof actual === "string" || typeof expected === "string") return actual === expected;
  return Buffer.compare(actual, expected) === 0;
}
