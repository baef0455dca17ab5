/**
 * The codec against `ws` on the same runtime: frames of a client, masked, from chunks of 64 KiB to messages, and from
 * messages to bytes.
 */

import { Buffer } from "node:buffer";
import { bench, npm } from "./bench.ts";
import { encodeFrame, FrameParser } from "../protocol/frame.ts";
import { Opcode } from "../protocol/frame_header.ts";
import { MessageAssembler } from "../protocol/message.ts";
import { SendQueue } from "../connection/send_queue.ts";
import type { Transport } from "../transport/transport.ts";

interface WsReceiver {
  on(event: "message", listener: () => void): void;
  write(chunk: Buffer, callback: () => void): void;
}
interface WsSender {
  send(data: Buffer, options: { fin: boolean; mask: boolean; binary: boolean; compress: boolean }): void;
}
const WS = "8.23.0";
const Receiver = npm<new (options: { isServer: boolean; allowSynchronousEvents: boolean }) => WsReceiver>(
  "ws",
  WS,
  "lib/receiver.js",
);
const Sender = npm<new (socket: unknown) => WsSender>("ws", WS, "lib/sender.js");

const CHUNK = 64 * 1024;
const MASKING_KEY = Uint8Array.of(1, 2, 3, 4);
const NOWHERE = { hostname: "", port: 0 };

/** Takes everything at once. */
const sink: Transport = {
  bytesWritten: 0,
  deferWork: (work) => work(),
  remoteAddress: NOWHERE,
  localAddress: NOWHERE,
  encrypted: false,
  open() {},
  write: () => true,
  pause() {},
  resume() {},
  end() {},
  destroy() {},
};

/** The same frames as text; each round takes a copy, since what is masked twice is no text. */
function toText(wire: Uint8Array, frameLength: number): Uint8Array {
  const text = wire.slice();
  for (let at = 0; at < text.length; at += frameLength) text[at] = 0x80 | Opcode.Text;
  return text;
}

for (const size of [16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024]) {
  const payload = new Uint8Array(size).fill(0x61);
  const frame = encodeFrame({ opcode: Opcode.Binary, payload }, { maskingKey: MASKING_KEY });
  const count = Math.max(1, Math.floor((4 * CHUNK) / frame.length));
  const wire = new Uint8Array(frame.length * count);
  for (let index = 0; index < count; index++) wire.set(frame, index * frame.length);
  // Both unmask in place, which masks again what the round before has unmasked.
  const chunks: Buffer[] = [];
  for (let at = 0; at < wire.length; at += CHUNK) {
    chunks.push(Buffer.from(wire.buffer, at, Math.min(CHUNK, wire.length - at)));
  }

  const parse = `parse ${count} × ${size} B`;
  let expected = 0;
  let messages = 0;
  const receiver = new Receiver({ isServer: true, allowSynchronousEvents: true });
  receiver.on("message", () => messages++);
  bench(parse, "ws Receiver", async () => {
    expected = messages + count;
    // A Writable goes on with its next chunk in another turn: what is not awaited is not measured.
    for (const chunk of chunks) await new Promise<void>((resolve) => receiver.write(chunk, resolve));
    if (messages !== expected) throw new Error(`${messages} messages instead of ${expected}`);
  });
  const handler = { message: () => void messages++, ping() {}, pong() {}, close() {} };
  const parser = new FrameParser(new MessageAssembler(handler), { role: "server" });
  bench(parse, "FrameParser and MessageAssembler", () => {
    expected = messages + count;
    for (const chunk of chunks) parser.parse(chunk);
    if (messages !== expected) throw new Error(`${messages} messages instead of ${expected}`);
  });

  // Nothing is allocated for a message here; above, a binary message gets memory of its own, where ws hands out views
  // of the chunk.
  let frames = 0;
  const counter = { frameHeader() {}, framePayload() {}, frameEnd: () => void frames++ };
  const alone = new FrameParser(counter, { role: "server" });
  bench(parse, "FrameParser alone, views too", () => {
    for (const chunk of chunks) alone.parse(chunk);
  });
  const texts = new FrameParser(new MessageAssembler(handler), { role: "server" });
  const textWire = toText(wire, frame.length);
  bench(parse, "FrameParser and MessageAssembler, to strings", () => {
    for (let at = 0; at < textWire.length; at += CHUNK) texts.parse(textWire.slice(at, at + CHUNK));
  });

  // As many as a turn may bring, then one write.
  const turn = size > 1024 ? 1 : 32;
  const encode = `encode ${turn} × ${size} B, masked`;
  const socket = { cork() {}, uncork() {}, write: () => true, once() {}, removeListener() {} };
  const sender = new Sender(socket);
  const data = Buffer.from(payload);
  bench(encode, "ws Sender", () => {
    for (let index = 0; index < turn; index++) {
      sender.send(data, { fin: true, mask: true, binary: true, compress: false });
    }
  });
  const queue = new SendQueue(sink, { masked: true, frameSize: 0 });
  bench(encode, "SendQueue", () => {
    for (let index = 0; index < turn; index++) queue.appendMessage(Opcode.Binary, payload);
    queue.flush();
  });
}
