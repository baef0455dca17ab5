/** The codec against `ws` on the same runtime: masked frames of a client, from chunks of 64 KiB. */

import { Receiver } from "npm:ws@8.23.0";
import { Buffer } from "node:buffer";
import { encodeFrame, FrameParser, Opcode } from "../frame.ts";
import { MessageAssembler } from "../message.ts";

const CHUNK = 64 * 1024;

for (const size of [16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024]) {
  const payload = new Uint8Array(size).fill(0x61);
  const frame = encodeFrame({ opcode: Opcode.Binary, payload }, { maskingKey: Uint8Array.of(1, 2, 3, 4) });
  const count = Math.max(1, Math.floor((4 * CHUNK) / frame.length));
  const wire = new Uint8Array(frame.length * count);
  for (let index = 0; index < count; index++) wire.set(frame, index * frame.length);
  const group = `${count} frames of ${size} B`;

  let messages = 0;
  const handler = { message: () => void messages++, ping() {}, pong() {}, close() {} };
  const parser = new FrameParser(new MessageAssembler(handler), { role: "server" });
  // Both unmask in place, so each round begins with a fresh copy.
  const chunks = (): Uint8Array[] => {
    const copy = wire.slice();
    return Array.from(
      { length: Math.ceil(copy.length / CHUNK) },
      (_, index) => copy.subarray(index * CHUNK, (index + 1) * CHUNK),
    );
  };
  Deno.bench({ name: "ws", group, baseline: true }, async () => {
    const receiver = new Receiver({ isServer: true, allowSynchronousEvents: true });
    const before = messages;
    receiver.on("message", () => messages++);
    for (const chunk of chunks()) {
      // A Writable goes on with its next chunk in another turn: what is not awaited is not measured.
      const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      await new Promise((resolve) => receiver.write(buffer, resolve));
    }
    if (messages - before !== count) throw new Error(`${messages - before} messages instead of ${count}`);
  });
  Deno.bench({ name: "ours", group }, () => {
    for (const chunk of chunks()) parser.parse(chunk);
  });
}
