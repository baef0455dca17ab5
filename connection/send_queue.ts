/**
 * Outgoing frames of one connection: encoded into one buffer, which is written once a turn.
 *
 * Buffers come from a pool, so that an idle connection holds none.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { acquire, release } from "../base/buffer_pool.ts";
import {
  firstOctet,
  frameHeaderLength,
  MAX_CODE_POINT,
  maxFramePayload,
  Opcode,
  writeFrameHeader,
} from "../protocol/frame_header.ts";
import { mask } from "../protocol/mask.ts";
import { isPair } from "../protocol/payload.ts";
import { codePointStart, utf8Length } from "../protocol/utf8.ts";
import { SharedRun } from "./shared_run.ts";
import { type Meter, UNMETERED } from "../base/stats.ts";
import type { Transport } from "../transport/transport.ts";

/** Size from which shared bytes, which never change, are written without a copy. */
const SHARE_THRESHOLD = 16 * 1024;
/** Length up to which a loop over character codes is faster than a call of the native encoder. */
const SHORT_TEXT = 64;

const encoder = new TextEncoder();

const randomBytes = new Int32Array(1024);
let randomAt = randomBytes.length;

/**
 * A fresh masking key (RFC 6455 §5.3: "derived from a strong source of entropy"), drawn 1024 at a time.
 *
 * @returns A 32-bit number.
 */
export function randomMaskingKey(): number {
  if (randomAt === randomBytes.length) {
    crypto.getRandomValues(randomBytes);
    randomAt = 0;
  }
  return randomBytes[randomAt++]!;
}

/** Settings of a {@linkcode SendQueue}. */
export interface SendQueueSettings {
  /** `true` for a client, whose frames are masked. */
  masked: boolean;
  /** Longest frame on the wire, header included, in bytes; 0: messages are not split. */
  frameSize: number;
  /** Counts frames and bytes. */
  meter?: Meter | undefined;
}

/** Empty list shared by connections, most of which never need one of their own. */
const NONE: Sealed[] = [];

interface Sealed {
  bytes: Uint8Array;
  /** The buffer that holds them, if this queue has to release it. */
  buffer: Uint8Array<ArrayBuffer>;
  /** Number of these bytes that other connections send too. */
  shared: number;
}

/** Encodes frames and hands them to the transport. */
export class SendQueue {
  #transport: Transport;
  #masked: boolean;
  /** The largest payload of a frame; Infinity if messages are not split. */
  #maxPayload = Infinity;
  #meter: Meter;

  /** Sealed arrays, which are written first, each by itself. */
  #sealed: Sealed[] = NONE;
  #sealedLength = 0;
  /** Bytes of large shared arrays, sealed or being written. */
  #sharedLength = 0;
  /** Small shared messages behind the sealed arrays, as long as the tail is empty. */
  #run = SharedRun.none;
  /** The buffer that frames are appended to. */
  #tail: Uint8Array<ArrayBuffer> = EMPTY;
  #tailLength = 0;

  /** The buffer of the write in progress, if this queue has to release it. */
  #writingBuffer: Uint8Array<ArrayBuffer> = EMPTY;
  #inFlight = 0;
  #sharedInFlight = 0;
  #sent = 0;

  /**
   * Makes an empty queue.
   *
   * @param transport Gets the bytes.
   * @param options Encoding of the frames.
   */
  constructor(transport: Transport, options: SendQueueSettings) {
    this.#transport = transport;
    this.#masked = options.masked;
    this.#meter = options.meter ?? UNMETERED;
    this.frameSize = options.frameSize;
  }

  /** Sets the longest frame on the wire, header included, in bytes, before one was appended; 0: no splitting. */
  set frameSize(frameSize: number) {
    this.#maxPayload = frameSize === 0 ? Infinity : maxFramePayload(frameSize, this.#masked);
  }

  /** Bytes that are encoded and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#sealedLength + this.#run.length + this.#tailLength + this.#inFlight;
  }

  /** `true` if there are bytes to flush. */
  get waits(): boolean {
    return this.#inFlight === 0 && this.bufferedAmount > 0;
  }

  /** Buffered bytes, except large arrays that other connections send too. */
  get ownAmount(): number {
    return this.bufferedAmount - this.#sharedLength;
  }

  /** Bytes that the operating system has taken, of a write in progress too. */
  get bytesWritten(): number {
    return this.#transport.bytesWritten;
  }

  /** Bytes handed to the operating system so far, by whole writes. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Appends one frame.
   *
   * @param first Its first octet.
   * @param payload Its payload, which is copied.
   * @param start Index of the first payload byte.
   * @param end Index after the last one.
   */
  appendFrame(first: number, payload: Uint8Array, start = 0, end: number = payload.length): void {
    const length = end - start;
    const key = this.#masked ? randomMaskingKey() : 0;
    this.#meter.framesSent++;
    this.#reserve(frameHeaderLength(length, this.#masked) + length);
    const at = writeFrameHeader(this.#tail, this.#tailLength, first, length, this.#masked, key);
    this.#tail.set(start === 0 && end === payload.length ? payload : payload.subarray(start, end), at);
    if (this.#masked) mask(this.#tail, at, at + length, key);
    this.#tailLength = at + length;
  }

  /**
   * Appends a message, in as many frames as `frameSize` asks for (RFC 6455 §5.4). A text that is not compressed is cut
   * between code points.
   *
   * @param opcode Text or binary.
   * @param payload Its bytes.
   * @param reserved The reserved bits of its first frame: a sum of `ReservedBit` values.
   */
  appendMessage(opcode: Opcode, payload: Uint8Array, reserved = 0): void {
    if (payload.length <= this.#maxPayload) return this.appendFrame(firstOctet(opcode, true, reserved), payload);
    const text = opcode === Opcode.Text && reserved === 0;
    for (let start = 0, end = 0; start < payload.length; start = end) {
      end = frameEnd(payload, start, this.#maxPayload, text);
      const final = end === payload.length;
      const first = start === 0 ? firstOctet(opcode, final, reserved) : firstOctet(Opcode.Continuation, final);
      this.appendFrame(first, payload, start, end);
    }
  }

  /**
   * Appends a text message.
   *
   * @param text The text; a lone surrogate becomes U+FFFD.
   */
  appendText(text: string): void {
    if (text.length > this.#maxPayload) this.appendMessage(Opcode.Text, encoder.encode(text));
    else if (text.length > SHORT_TEXT) this.#appendLongText(text);
    else if (!this.#appendShortAscii(text)) this.appendMessage(Opcode.Text, encoder.encode(text));
  }

  /**
   * Encodes right into the tail. The text is measured first: into too little room, Bun encodes one that is not ASCII
   * thirty times as slowly or worse (`findings/bun_encode_into_short_room.sh`).
   */
  #appendLongText(text: string): void {
    const length = utf8Length(text);
    if (length > this.#maxPayload) return this.appendMessage(Opcode.Text, encoder.encode(text));
    const header = frameHeaderLength(length, this.#masked);
    this.#reserve(header + length);
    const start = this.#tailLength + header;
    encoder.encodeInto(text, this.#tail.subarray(start, start + length));
    this.#finishFrame(start, length);
  }

  /** Writes the header before an encoded text, and masks it. */
  #finishFrame(start: number, length: number): void {
    const key = this.#masked ? randomMaskingKey() : 0;
    writeFrameHeader(this.#tail, this.#tailLength, firstOctet(Opcode.Text, true), length, this.#masked, key);
    if (this.#masked) mask(this.#tail, start, start + length, key);
    this.#tailLength = start + length;
    this.#meter.framesSent++;
  }

  #appendShortAscii(text: string): boolean {
    const length = text.length;
    const key = this.#masked ? randomMaskingKey() : 0;
    this.#reserve(frameHeaderLength(length, this.#masked) + length);
    const tail = this.#tail;
    const at = writeFrameHeader(tail, this.#tailLength, firstOctet(Opcode.Text, true), length, this.#masked, key);
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      tail[at + index] = code;
    }
    if (this.#masked) mask(tail, at, at + length, key);
    this.#tailLength = at + length;
    this.#meter.framesSent++;
    return true;
  }

  /**
   * Appends bytes that are encoded already, as a rule without a copy: they must never be changed.
   *
   * @param bytes Whole frames; the same array for all connections that send them.
   * @param frames Their number, for the statistics.
   */
  appendEncoded(bytes: Uint8Array, frames = 1): void {
    this.#meter.framesSent += frames;
    if (bytes.length >= SHARE_THRESHOLD) {
      this.#seal();
      this.#sharedLength += bytes.length;
      return this.#addSealed({ bytes, buffer: EMPTY, shared: bytes.length });
    }
    if (this.#tailLength > 0) {
      this.#reserve(bytes.length);
      this.#tail.set(bytes, this.#tailLength);
      this.#tailLength += bytes.length;
      return;
    }
    if (!this.#run.hasRoomFor(bytes.length)) this.#seal();
    this.#run = this.#run.append(bytes);
  }

  /** Seals the run or the tail: queues it behind the sealed arrays. */
  #seal(): void {
    if (this.#run.length > 0) {
      // Counted as our own: another connection may share the array or not.
      this.#addSealed({ bytes: this.#run.join(), buffer: EMPTY, shared: 0 });
      this.#run = SharedRun.none;
    }
    if (this.#tailLength === 0) return;
    this.#addSealed({ bytes: this.#tail.subarray(0, this.#tailLength), buffer: this.#tail, shared: 0 });
    this.#tail = EMPTY;
    this.#tailLength = 0;
  }

  #addSealed(sealed: Sealed): void {
    if (this.#sealed === NONE) this.#sealed = [];
    this.#sealed.push(sealed);
    this.#sealedLength += sealed.bytes.length;
  }

  #reserve(length: number): void {
    if (this.#run.length > 0) this.#copyRun(length);
    const needed = this.#tailLength + length;
    if (needed <= this.#tail.length) return;
    // A second write costs less than moving many bytes.
    if (this.#tailLength >= SHARE_THRESHOLD) this.#seal();
    this.#grow(this.#tailLength + length);
  }

  /** Copies the run into the tail, since other bytes follow: a copy costs less than another write. */
  #copyRun(following: number): void {
    const run = this.#run;
    this.#run = SharedRun.none;
    this.#grow(run.length + following);
    run.copyTo(this.#tail, 0);
    this.#tailLength = run.length;
  }

  #grow(needed: number): void {
    if (needed <= this.#tail.length) return;
    const grown = acquire(this.#tailLength === 0 ? needed : Math.max(needed, this.#tail.length * 2));
    grown.set(this.#tail.subarray(0, this.#tailLength));
    if (this.#tail !== EMPTY) release(this.#tail);
    this.#tail = grown;
  }

  /** Hands all bytes to the transport, unless a write is in progress. */
  flush(): void {
    while (this.#inFlight === 0) {
      const bytes = this.#take();
      if (bytes === undefined) return;
      this.#inFlight = bytes.length;
      if (!this.#transport.write(bytes)) return;
      this.#finishWrite();
    }
  }

  /** The bytes to write next: a sealed array, or else all of the run or the tail. */
  #take(): Uint8Array | undefined {
    if (this.#sealed.length > 0) {
      const { bytes, buffer, shared } = this.#sealed.shift()!;
      this.#sealedLength -= bytes.length;
      this.#writingBuffer = buffer;
      this.#sharedInFlight = shared;
      return bytes;
    }
    if (this.#run.length > 0) {
      const bytes = this.#run.join();
      this.#run = SharedRun.none;
      return bytes;
    }
    if (this.#tailLength === 0) return undefined;
    const bytes = this.#tail.subarray(0, this.#tailLength);
    this.#writingBuffer = this.#tail;
    this.#tail = EMPTY;
    this.#tailLength = 0;
    return bytes;
  }

  #finishWrite(): void {
    this.#sent += this.#inFlight;
    this.#meter.bytesSent += this.#inFlight;
    this.#inFlight = 0;
    this.#sharedLength -= this.#sharedInFlight;
    this.#sharedInFlight = 0;
    if (this.#writingBuffer === EMPTY) return;
    release(this.#writingBuffer);
    this.#writingBuffer = EMPTY;
  }

  /** Goes on after a write in progress: the transport is ready again. */
  drain(): void {
    this.#finishWrite();
    this.flush();
  }

  /** Drops all buffered bytes: the transport is gone. */
  discard(): void {
    for (const { buffer } of this.#sealed) if (buffer !== EMPTY) release(buffer);
    if (this.#tail !== EMPTY) release(this.#tail);
    // The buffer of a write in progress may still be read by the system, so it does not go back to the pool.
    this.#sealed = NONE;
    this.#sealedLength = 0;
    this.#sharedLength = 0;
    this.#run = SharedRun.none;
    this.#tail = EMPTY;
    this.#tailLength = 0;
    this.#writingBuffer = EMPTY;
    this.#inFlight = 0;
    this.#sharedInFlight = 0;
  }
}

/**
 * The end of a frame of a message that is split. A text is cut between code points: RFC 6455 §5.6 allows to cut one,
 * but some peers check or decode each frame by itself (`findings/qt6_cut_text.sh`).
 *
 * @param payload The message; a text in valid UTF-8.
 * @param start Index of the first byte of the frame.
 * @param maxPayload The largest payload of a frame, in bytes; at least 4 for a text.
 * @param text `true` for a text that is not compressed.
 * @returns Index after the last byte of the frame.
 */
export function frameEnd(payload: Uint8Array, start: number, maxPayload: number, text: boolean): number {
  const end = start + maxPayload;
  if (end >= payload.length) return payload.length;
  return text ? codePointStart(payload, end) : end;
}

/**
 * The bytes that a message takes on the wire if it is not compressed.
 *
 * @param data The text or bytes.
 * @param frameSize Longest frame on the wire, in bytes; 0: the message is not split.
 * @param masked `true` if frames are masked.
 * @returns Bytes.
 */
export function wireLength(data: string | Uint8Array, frameSize: number, masked: boolean): number {
  const length = typeof data === "string" ? utf8Length(data) : data.length;
  // Bytes and ASCII are cut anywhere.
  if (typeof data !== "string" || frameSize === 0 || length === data.length) {
    return framedLength(length, frameSize, masked);
  }
  const maxPayload = maxFramePayload(frameSize, masked);
  return length <= maxPayload ? framedLength(length, 0, masked) : splitTextLength(data, maxPayload, masked);
}

/** The bytes of a text in frames that end between code points. */
function splitTextLength(text: string, maxPayload: number, masked: boolean): number {
  let length = 0;
  let payload = 0;
  for (let index = 0; index < text.length; index++) {
    // Not by `codePointAt`: that of Deno 2.9 looks behind the end of a slice, once the loop is compiled.
    const code = text.charCodeAt(index);
    // A lone surrogate is sent as U+FFFD: 3 bytes, as its own number would be.
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : isPair(code, text.charCodeAt(index + 1)) ? 4 : 3;
    if (payload + size > maxPayload) {
      length += frameHeaderLength(payload, masked) + payload;
      payload = 0;
    }
    payload += size;
    if (size === 4) index++;
  }
  return length + frameHeaderLength(payload, masked) + payload;
}

/**
 * An upper bound of the bytes of a text in frames that end between code points.
 *
 * @param length Bytes of the text.
 * @param frameSize Longest frame on the wire, in bytes; 0: the text is not split.
 * @param masked `true` if frames are masked.
 * @returns Bytes.
 */
export function framedTextLimit(length: number, frameSize: number, masked: boolean): number {
  const maxPayload = frameSize === 0 ? Infinity : maxFramePayload(frameSize, masked);
  if (length <= maxPayload) return framedLength(length, 0, masked);
  const frames = Math.ceil(length / (maxPayload - (MAX_CODE_POINT - 1)));
  return length + frames * frameHeaderLength(maxPayload, masked);
}

/**
 * The bytes of a payload in its frames, which are cut anywhere.
 *
 * @param length Bytes of payload.
 * @param frameSize Longest frame on the wire, in bytes; 0: the message is not split.
 * @param masked `true` if frames are masked.
 * @returns Bytes.
 */
export function framedLength(length: number, frameSize: number, masked: boolean): number {
  if (frameSize === 0) return frameHeaderLength(length, masked) + length;
  const maxPayload = maxFramePayload(frameSize, masked);
  const full = Math.floor(length / maxPayload);
  const rest = length - full * maxPayload;
  const fullFrame = frameHeaderLength(maxPayload, masked) + maxPayload;
  if (full > 0 && rest === 0) return full * fullFrame;
  return full * fullFrame + frameHeaderLength(rest, masked) + rest;
}
