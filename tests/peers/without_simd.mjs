/** Takes away what the SIMD loop needs, then masks and parses: `without_simd.mjs WebAssembly|SIMD|memory`. */

import process from "node:process";

const what = process.argv[2];
if (what === "WebAssembly") delete globalThis.WebAssembly;
else {
  // As an engine says it that does not know the instructions, or has no room.
  const name = what === "SIMD" ? "Module" : "Memory";
  globalThis.WebAssembly[name] = function () {
    throw what === "SIMD" ? new WebAssembly.CompileError("unknown opcode 0xfd") : new RangeError("out of memory");
  };
}
const { mask } = await import("../../protocol/mask.ts");
const { lease } = await import("../../base/leased_memory.ts");
const { encodeFrame, FrameParser } = await import("../../protocol/frame.ts");

if (lease(32768) !== undefined) throw new Error("There is a loop all the same");
for (const length of [5, 100, 129, 1000, 5000, 70_000]) {
  const payload = Uint8Array.from({ length }, (_, index) => index % 251);
  const bytes = payload.slice();
  mask(bytes, 0, length, 0x0a0b0c0d, 1);
  if (bytes.some((byte, index) => byte !== (payload[index] ^ [0x0b, 0x0c, 0x0d, 0x0a][index % 4]))) {
    throw new Error(`${length} bytes are masked wrongly`);
  }
  const got = [];
  const parser = new FrameParser({
    frameHeader() {},
    framePayload: (piece, start, end) => got.push(...piece.subarray(start, end)),
    frameEnd() {},
  }, { role: "server" });
  parser.parse(encodeFrame({ opcode: 2, payload }, { maskingKey: Uint8Array.of(1, 2, 3, 4) }));
  if (got.length !== length || got.some((byte, index) => byte !== payload[index])) throw new Error("parsed wrongly");
}
console.log("all the same");
