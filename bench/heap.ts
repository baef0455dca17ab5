/**
 * Heap growth for each frame that is parsed, in a nursery large enough that nothing is collected meanwhile:
 *
 *   deno task bench:heap
 */

import process from "node:process";
import { encodeFrame, FrameParser } from "../protocol/frame.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { MessageAssembler } from "../protocol/message.ts";

const FRAMES = 1_000_000;
const ROUND = 10_000;
const payload = new Uint8Array(16).fill(0x61);
const frame = encodeFrame({ opcode: Opcode.Binary, payload }, { maskingKey: Uint8Array.of(1, 2, 3, 4) });
const wire = new Uint8Array(frame.length * ROUND);
for (let index = 0; index < ROUND; index++) wire.set(frame, index * frame.length);

/** Bytes for each frame; `work` does one round of them. */
function measure(name: string, work: () => void): void {
  for (let frames = 0; frames < FRAMES; frames += ROUND) work();
  (globalThis as { gc?: () => void }).gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let frames = 0; frames < FRAMES; frames += ROUND) work();
  const growth = (process.memoryUsage().heapUsed - before) / FRAMES;
  console.log(`${name.padEnd(44)} ${growth.toFixed(2).padStart(8)} bytes a frame`);
}

const nothing = { frameHeader() {}, framePayload() {}, frameEnd() {} };
const parser = new FrameParser(nothing, { role: "server" });
measure("FrameParser alone", () => void parser.parse(wire));
let last: unknown;
const handler = { message: (data: unknown) => void (last = data), ping() {}, pong() {}, close() {} };
const assembled = new FrameParser(new MessageAssembler(handler), { role: "server" });
measure("FrameParser and MessageAssembler", () => void assembled.parse(wire));
measure("the messages alone: slice() of 16 bytes", () => {
  for (let index = 0; index < ROUND; index++) last = payload.slice(0, 16);
});
if (last === undefined) throw new Error("Nothing came");
