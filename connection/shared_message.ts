/**
 * One message for many connections: encoded once, and compressed once for each window size that was agreed on.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import type { CompressionSettings } from "../protocol/compression.ts";
import { MessageDeflater } from "../protocol/deflate.ts";
import { firstOctet, maxFramePayload, Opcode, ReservedBit, writeFrameHeader } from "../protocol/frame_header.ts";
import { frameEnd } from "./send_queue.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";

const encoder = new TextEncoder();
/** Longest header of a frame without masking key, in bytes. */
const MAX_HEADER = 10;

/** A message as a server sends it, unmasked. Its frames are never changed. */
export class SharedMessage {
  #opcode: Opcode;
  #payload: Uint8Array;
  #frameSize: number;
  #compression: CompressionSettings | undefined;
  #meter: Meter;
  #plain: Uint8Array | undefined;
  /** Compressed forms by the binary logarithm of their window; the plain form where compression gains nothing. */
  #deflated = new Map<number, Uint8Array>();
  /** Number of frames of each form, if the message is split. */
  #counts: Map<Uint8Array, number> | undefined;
  /** The message behind a prefix, for connections whose subprotocol asks for one. */
  #prefixed: { prefix: Uint8Array; message: SharedMessage } | undefined;

  /**
   * Takes a message; it is encoded on first use.
   *
   * @param data The text or bytes. Bytes must not change before the message is sent.
   * @param frameSize Longest frame on the wire, in bytes; 0: the message is not split.
   * @param compression Settings of compression.
   * @param meter Counts bytes before and after compression.
   */
  constructor(
    data: string | Uint8Array,
    frameSize: number,
    compression?: CompressionSettings,
    meter: Meter = UNMETERED,
  ) {
    this.#opcode = typeof data === "string" ? Opcode.Text : Opcode.Binary;
    this.#payload = typeof data === "string" ? encoder.encode(data) : data;
    this.#frameSize = frameSize;
    this.#compression = compression;
    this.#meter = meter;
  }

  /** `true` for bytes, `false` for text. */
  get binary(): boolean {
    return this.#opcode === Opcode.Binary;
  }

  /**
   * Puts bytes before the message; made once for all calls with the same bytes.
   *
   * @param prefix The bytes, never to be changed.
   * @returns The longer message.
   */
  withPrefix(prefix: Uint8Array): SharedMessage {
    if (this.#prefixed?.prefix === prefix) return this.#prefixed.message;
    const payload = concat(prefix, this.#payload);
    const message = new SharedMessage(payload, this.#frameSize, this.#compression, this.#meter);
    this.#prefixed = { prefix, message };
    return message;
  }

  /** Bytes of the message before compression. */
  get size(): number {
    return this.#payload.length;
  }

  /**
   * Encodes the message for one connection.
   *
   * @param deflater The compressor of the connection, if it has one. It loses its context when the message is
   * compressed, since that was done without it.
   * @returns Whole frames.
   */
  framesFor(deflater: MessageDeflater | undefined): Uint8Array {
    if (deflater === undefined || this.#compression === undefined || this.#payload.length < deflater.threshold) {
      return this.#plainFrames();
    }
    const frames = this.#deflatedFrames(deflater.windowBits, this.#compression);
    if (frames !== this.#plain) deflater.forget();
    return frames;
  }

  /**
   * Counts frames.
   *
   * @param frames Frames returned by `framesFor`.
   * @returns Their number.
   */
  count(frames: Uint8Array): number {
    return this.#counts?.get(frames) ?? 1;
  }

  #plainFrames(): Uint8Array {
    return this.#plain ??= this.#encode(this.#payload, 0);
  }

  #deflatedFrames(windowBits: number, settings: CompressionSettings): Uint8Array {
    const known = this.#deflated.get(windowBits);
    if (known !== undefined) return known;
    const deflated = compressAlone(this.#payload, windowBits, settings);
    const smaller = deflated.length < this.#payload.length;
    if (smaller) {
      this.#meter.deflatedFrom += this.#payload.length;
      this.#meter.deflatedTo += deflated.length;
    }
    const frames = smaller ? this.#encode(deflated, ReservedBit.Rsv1) : this.#plainFrames();
    this.#deflated.set(windowBits, frames);
    return frames;
  }

  #encode(payload: Uint8Array, reserved: number): Uint8Array {
    const maxPayload = this.#frameSize === 0 ? Infinity : maxFramePayload(this.#frameSize, false);
    const text = this.#opcode === Opcode.Text && reserved === 0;
    const frames = countFrames(payload, maxPayload, text);
    const bytes = new Uint8Array(frames * MAX_HEADER + payload.length);
    let at = 0;
    for (let start = 0, end = 0, index = 0; index < frames; index++, start = end) {
      end = frameEnd(payload, start, maxPayload, text);
      const final = index === frames - 1;
      const first = index === 0 ? firstOctet(this.#opcode, final, reserved) : firstOctet(Opcode.Continuation, final);
      at = writeFrameHeader(bytes, at, first, end - start, false, 0);
      bytes.set(payload.subarray(start, end), at);
      at += end - start;
    }
    const encoded = bytes.subarray(0, at);
    if (frames > 1) (this.#counts ??= new Map()).set(encoded, frames);
    return encoded;
  }
}

/** Number of frames of a message; an empty one has a frame too. */
function countFrames(payload: Uint8Array, maxPayload: number, text: boolean): number {
  let frames = 1;
  let end = frameEnd(payload, 0, maxPayload, text);
  for (; end < payload.length; frames++) end = frameEnd(payload, end, maxPayload, text);
  return frames;
}

/** Compresses without context: receivers do not share one. */
function compressAlone(payload: Uint8Array, windowBits: number, settings: CompressionSettings): Uint8Array {
  const parameters = { ...settings, serverNoContextTakeover: true, serverMaxWindowBits: windowBits };
  return new MessageDeflater("server", parameters, settings).compress(payload, true);
}
