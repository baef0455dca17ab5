/**
 * Frames to messages (RFC 6455 §5.4): fragments go into one growing buffer, text is validated while it arrives, and
 * compressed messages (RFC 7692 §6.2) are decompressed while they arrive.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { acquire, LARGEST_POOLED, release } from "../base/buffer_pool.ts";
import type { MessageInflater } from "./deflate.ts";
import { isValidCloseCode, ProtocolError } from "../base/errors.ts";
import type { FrameHandler, FrameHeader } from "./frame.ts";
import { type FrameInfo, Opcode, ReservedBit } from "./frame_header.ts";
import { UNMETERED } from "../base/stats.ts";
import {
  decodeAscii,
  decodeUtf8,
  isUtf8Text,
  MAX_TEXT_LENGTH,
  textLength,
  Utf8Decoder,
  Utf8Validator,
} from "./utf8.ts";

/** Takes the messages and control frames of a {@linkcode MessageAssembler}, in the order of arrival. */
export interface MessageHandler {
  /**
   * A message is complete; or, frame by frame, a frame of it.
   *
   * @param data The text or the bytes. Bytes belong to the handler.
   * @param frame Given with frame by frame delivery only.
   */
  message(data: string | Uint8Array<ArrayBuffer>, frame?: FrameInfo): void;
  /**
   * A ping came.
   *
   * @param payload Its 0 to 125 bytes, valid only during the call.
   */
  ping(payload: Uint8Array): void;
  /**
   * A pong came.
   *
   * @param payload Its 0 to 125 bytes, valid only during the call.
   */
  pong(payload: Uint8Array): void;
  /**
   * A close frame came.
   *
   * @param code Its code; 1005 if it has none.
   * @param reason Its reason.
   */
  close(code: number, reason: string): void;
}

/** Counts the bytes of compressed messages. */
export interface InflateMeter {
  /** Bytes before decompression. */
  inflatedFrom: number;
  /** Bytes after decompression. */
  inflatedTo: number;
}

/** Options of a {@linkcode MessageAssembler}. */
export interface MessageAssemblerOptions {
  /**
   * The largest message in bytes, all fragments together; `0`: no limit. Refused at the header, or at the point of
   * decompression, that exceeds the limit.
   * @default {0}
   */
  maxMessageSize?: number | undefined;
  /**
   * The longest text, in UTF-16 code units. A longer one fails with `ERR_MESSAGE_TOO_LARGE`, which closes with 1009.
   * @default The longest string of the runtime: 2²⁹ - 24 on Deno, 2³¹ - 1 on Bun
   */
  maxTextLength?: number | undefined;
  /**
   * The most frames of one message, empty ones included; `0`: no limit.
   * @default {0}
   */
  maxFragments?: number | undefined;
  /**
   * True to deliver each frame by itself instead of whole messages.
   * @default {false}
   */
  frameByFrame?: boolean | undefined;
  /**
   * True to deliver whole texts as bytes, checked, with a frame of `Opcode.Text` as the second argument.
   * @default {false}
   */
  textAsBytes?: boolean | undefined;
}

/** Given with a text that is delivered as bytes. */
export const TEXT_BYTES: FrameInfo = Object.freeze({ opcode: Opcode.Text, first: true, final: true });

/** The longest payload with a length in 7 bits (RFC 6455 §5.2). */
const MAX_SHORT = 125;
/** The first buffer of a message that comes in pieces: small, so that a header alone takes little memory. */
const FIRST_CAPACITY = 4096;
/** Growth factor of the buffer of a message with a known length, and with an unknown one. */
const KNOWN_GROWTH = 8;
const UNKNOWN_GROWTH = 2;
/** Bytes that a compressed message may take on the wire beyond twice the limit of its decompressed length. */
const WIRE_SLACK = 64 * 1024;
/** Least size at which an unfinished message counts, in bytes: one without payload must count too. */
const LEAST_HELD = 64;
/** Length below which pieces are copied byte by byte: in a flood of tiny fragments each view would be garbage. */
const SHORT_PIECE = 32;

/** Kind of the message that is being read. */
type Kind = "none" | "text" | "binary";

/**
 * Puts messages together from the frames of a `FrameParser`.
 *
 * @example
 * ```ts
 * import { encodeFrame, FrameParser, Opcode } from "@tackline/websocket/frame";
 * import { MessageAssembler } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const got: unknown[] = [];
 * const assembler = new MessageAssembler({ message: (data) => got.push(data), ping() {}, pong() {}, close() {} });
 * const parser = new FrameParser(assembler);
 * const text = (part: string) => new TextEncoder().encode(part);
 * parser.parse(encodeFrame({ opcode: Opcode.Text, payload: text("Hel"), final: false }));
 * parser.parse(encodeFrame({ opcode: Opcode.Continuation, payload: text("lo") }));
 * assertEquals(got, ["Hello"]);
 * ```
 */
export class MessageAssembler implements FrameHandler {
  // Configuration
  #handler: MessageHandler;
  #maxMessageSize: number;
  #maxFragments: number;
  #maxTextLength: number;
  #frameByFrame: boolean;
  #textAsBytes: boolean;
  /** True if any short message is within the limits. */
  #allowsShort: boolean;

  #inflater: MessageInflater | undefined;
  #meter: InflateMeter = UNMETERED;

  // The current frame
  #opcode: Opcode = Opcode.Continuation;
  #control = false;
  #final = true;
  /** Bytes of the current payload still to come. */
  #remaining = 0;

  // The current message
  #kind: Kind = "none";
  #compressed = false;
  /** Bytes of the message, with the current frame; of a compressed message, its decompressed bytes so far. */
  #total = 0;
  /** Bytes of a compressed message on the wire, with the current frame. */
  #wire = 0;
  #fragments = 0;
  /** True if the next frame delivered is the first of its message. */
  #first = true;
  /** Messages that have ended, without those of `shortMessage`. */
  #finished = 0;
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  /** True if the buffer comes from the pool. */
  #pooled = false;
  #length = 0;
  #validator = new Utf8Validator();
  /** For frame by frame delivery. */
  #frameDecoder: Utf8Decoder | undefined;

  // A message that lies whole in one chunk is delivered from there
  #whole: string | Uint8Array<ArrayBuffer> | undefined;

  // The current control frame
  #controlPayload: Uint8Array = EMPTY;
  #controlLength = 0;

  /**
   * Makes an assembler at the start of a stream of frames.
   *
   * @param handler Takes the messages.
   * @param options Limits and switches.
   */
  constructor(handler: MessageHandler, options: MessageAssemblerOptions = {}) {
    this.#handler = handler;
    this.#maxMessageSize = options.maxMessageSize ?? 0;
    this.#maxFragments = options.maxFragments ?? 0;
    this.#maxTextLength = options.maxTextLength ?? MAX_TEXT_LENGTH;
    this.#frameByFrame = options.frameByFrame ?? false;
    this.#textAsBytes = (options.textAsBytes ?? false) && !this.#frameByFrame;
    if (this.#frameByFrame) this.#frameDecoder = new Utf8Decoder();
    this.#allowsShort = !this.#frameByFrame && this.#maxTextLength >= MAX_SHORT &&
      (this.#maxMessageSize === 0 || this.#maxMessageSize >= MAX_SHORT);
  }

  /**
   * Takes messages with RSV1 as compressed from now on. The parser has to allow the bit.
   *
   * @param inflater Decompresses them.
   * @param meter Counts bytes before and after decompression.
   */
  useInflater(inflater: MessageInflater, meter: InflateMeter = UNMETERED): void {
    this.#inflater = inflater;
    this.#meter = meter;
  }

  /** True if no message has begun, and short messages need no further checks. */
  get takesShortMessages(): boolean {
    return this.#kind === "none" && this.#allowsShort;
  }

  /**
   * The memory that an unfinished message holds, in bytes: room that was made for it, and the state that decompresses
   * it. 0 if none is begun; with frame by frame delivery also between two frames.
   */
  get held(): number {
    if (this.#kind === "none") return 0;
    const inflating = this.#compressed ? this.#inflater!.held : 0;
    if (this.#frameByFrame && this.#buffer === EMPTY && inflating === 0) return 0;
    return LEAST_HELD + this.#buffer.length + inflating;
  }

  /** Grows with each piece of a message that is kept. */
  get progress(): number {
    return this.#length + this.#total + this.#wire + this.#fragments;
  }

  /** Messages that have ended, without those of `shortMessage`. */
  get finished(): number {
    return this.#finished;
  }

  /**
   * Takes a message that lies whole in a chunk.
   *
   * @param opcode Text or binary.
   * @param bytes The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param ascii Whether it is known to be ASCII.
   * @throws {ProtocolError} If it is a text that is not UTF-8.
   */
  shortMessage(opcode: Opcode, bytes: Uint8Array, start: number, end: number, ascii: boolean): void {
    const text = opcode === Opcode.Text;
    if (text && this.#textAsBytes) return this.#handler.message(sliceText(bytes, start, end, ascii), TEXT_BYTES);
    this.#handler.message(text ? this.#decodeWhole(bytes, start, end, ascii) : bytes.slice(start, end));
  }

  /**
   * Takes the header of a frame and checks its place in the stream (RFC 6455 §5.4, RFC 7692 §6).
   *
   * @param header The header.
   * @throws {ProtocolError} If the frame must not come here, or the message is beyond a limit.
   */
  frameHeader(header: FrameHeader): void {
    this.#opcode = header.opcode;
    this.#final = header.final;
    this.#remaining = header.payloadLength;
    this.#control = header.opcode >= Opcode.Close;
    this.#checkReserved(header);
    if (this.#control) {
      this.#controlPayload = EMPTY;
      this.#controlLength = 0;
      return;
    }
    if (header.opcode === Opcode.Continuation) {
      if (this.#kind === "none") {
        throw new ProtocolError("ERR_UNEXPECTED_CONTINUATION", "A continuation frame has no message to continue");
      }
    } else {
      if (this.#kind !== "none") {
        throw new ProtocolError("ERR_EXPECTED_CONTINUATION", "A new message starts inside a fragmented one");
      }
      this.#kind = header.opcode === Opcode.Text ? "text" : "binary";
      this.#compressed = this.#inflater !== undefined && (header.reserved & ReservedBit.Rsv1) !== 0;
    }
    if (this.#compressed) this.#addToWire(header.payloadLength);
    else this.#addToTotal(header.payloadLength);
    this.#fragments++;
    if (this.#maxFragments > 0 && this.#fragments > this.#maxFragments) {
      throw new ProtocolError("ERR_TOO_MANY_FRAGMENTS", `A message of more than ${this.#maxFragments} fragments`);
    }
  }

  /** RFC 7692 §6.1: RSV1 stands on the first frame of a message only. */
  #checkReserved(header: FrameHeader): void {
    if (header.reserved === 0 || this.#inflater === undefined) return;
    if (header.opcode === Opcode.Text || header.opcode === Opcode.Binary) return;
    const frame = this.#control ? "a control frame" : "a continuation frame";
    throw new ProtocolError("ERR_RESERVED_BITS", `The reserved bit RSV1 is set in ${frame}`);
  }

  #addToTotal(length: number): void {
    this.#total += length;
    if (this.#maxMessageSize === 0 || this.#total <= this.#maxMessageSize) return;
    throw new ProtocolError(
      "ERR_MESSAGE_TOO_LARGE",
      `A message of at least ${this.#total} bytes, the limit is ${this.#maxMessageSize}`,
    );
  }

  /**
   * Limits a compressed message on the wire: flushes may make it longer than its output, but empty blocks must end.
   */
  #addToWire(length: number): void {
    this.#wire += length;
    this.#meter.inflatedFrom += length;
    if (this.#maxMessageSize === 0 || this.#wire <= 2 * this.#maxMessageSize + WIRE_SLACK) return;
    throw new ProtocolError("ERR_MESSAGE_TOO_LARGE", `A compressed message of at least ${this.#wire} bytes`);
  }

  /**
   * Takes a piece of payload.
   *
   * @param bytes The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param ascii Whether they are known to be ASCII.
   * @throws {ProtocolError} At the first byte of a text that is not UTF-8, or of a close frame that is not valid.
   */
  framePayload(bytes: Uint8Array, start: number, end: number, ascii = false): void {
    this.#remaining -= end - start;
    if (this.#control) this.#takeControl(bytes, start, end);
    else if (this.#compressed) this.#inflater!.decompress(bytes, start, end, this.#takeInflated);
    else if (this.#remaining === 0 && this.#final && this.#fragments === 1 && this.#length === 0) {
      if (this.#kind !== "text") this.#whole = bytes.slice(start, end);
      else if (this.#textAsBytes) this.#whole = sliceText(bytes, start, end, ascii);
      else {
        this.#assertTextFits(bytes, start, end);
        this.#whole = this.#decodeWhole(bytes, start, end, ascii);
      }
    } else this.#append(bytes, start, end, ascii);
  }

  /** The frame is complete. */
  frameEnd(): void {
    if (this.#control) return this.#deliverControl();
    if (this.#final && this.#compressed) this.#inflater!.finish(this.#takeInflated);
    if (this.#frameByFrame) this.#deliverFrame();
    else if (this.#final) this.#deliverMessage();
  }

  readonly #takeInflated = (bytes: Uint8Array, start: number, end: number): void => {
    this.#addToTotal(end - start);
    this.#meter.inflatedTo += end - start;
    this.#append(bytes, start, end, false);
  };

  #decodeWhole(bytes: Uint8Array, start: number, end: number, ascii: boolean): string {
    if (ascii) return decodeAscii(bytes, start, end);
    const text = decodeUtf8(bytes, start, end);
    if (text === undefined) throw invalidUtf8();
    return text;
  }

  /** A string has at most as many units as its UTF-8 has bytes, so that only huge texts are counted. */
  #assertTextFits(bytes: Uint8Array, start: number, end: number): void {
    const limit = this.#maxTextLength;
    if (end - start <= limit || textLength(bytes, start, end) <= limit) return;
    throw new ProtocolError(
      "ERR_MESSAGE_TOO_LARGE",
      `A text of ${end - start} bytes is longer than the longest string, of ${limit} UTF-16 code units`,
    );
  }

  #append(bytes: Uint8Array, start: number, end: number, ascii: boolean): void {
    const length = this.#length + end - start;
    if (length > this.#buffer.length) this.#grow(length);
    if (end - start >= SHORT_PIECE) this.#buffer.set(bytes.subarray(start, end), this.#length);
    else for (let at = start, to = this.#length; at < end;) this.#buffer[to++] = bytes[at++]!;
    if (this.#kind === "text" && this.#validator.push(this.#buffer, this.#length, length, ascii) !== -1) {
      throw invalidUtf8();
    }
    this.#length = length;
  }

  /**
   * Grows the buffer. An announced length alone gets little memory; a message of known length fits its buffer exactly.
   */
  #grow(needed: number): void {
    const lengthKnown = !this.#compressed && (this.#final || this.#frameByFrame);
    let capacity = Math.max(
      FIRST_CAPACITY,
      this.#buffer.length * (lengthKnown ? KNOWN_GROWTH : UNKNOWN_GROWTH),
      needed,
    );
    if (lengthKnown) capacity = Math.min(capacity, needed + this.#remaining);
    else if (this.#maxMessageSize > 0) capacity = Math.max(needed, Math.min(capacity, this.#maxMessageSize));
    // The bytes of a text never leave, nor does a buffer that is longer than its message: such buffers are used again.
    const leaves = lengthKnown && (this.#kind === "binary" || this.#frameByFrame);
    if (!leaves && capacity <= LARGEST_POOLED) return this.#exchange(acquire(capacity));
    // A copy would leave all the smaller buffers to the garbage collector.
    const empty = this.#buffer === EMPTY;
    this.#buffer = empty ? new Uint8Array(capacity) : new Uint8Array(this.#buffer.buffer.transfer(capacity));
    this.#pooled = false;
  }

  #exchange(larger: Uint8Array<ArrayBuffer>): void {
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#freeBuffer();
    this.#buffer = larger;
    this.#pooled = true;
  }

  /** Frees the memory now, without waiting for the garbage collector. */
  #freeBuffer(): void {
    const buffer = this.#buffer;
    this.#buffer = EMPTY;
    if (buffer === EMPTY) return;
    if (this.#pooled) release(buffer);
    else buffer.buffer.transfer(0);
  }

  #takeBuffer(): Uint8Array<ArrayBuffer> {
    const [buffer, length] = [this.#buffer, this.#length];
    this.#length = 0;
    if (length > 0 && buffer.length === length && !this.#pooled) {
      this.#buffer = EMPTY;
      return buffer;
    }
    // A new array even for an empty message: the program may transfer it.
    const taken = buffer.slice(0, length);
    this.#freeBuffer();
    return taken;
  }

  #deliverMessage(): void {
    const data = this.#whole ?? this.#finishText() ?? this.#takeBuffer();
    const frame = this.#textAsBytes && this.#kind === "text" ? TEXT_BYTES : undefined;
    this.#reset();
    this.#handler.message(data, frame);
  }

  /** The text of a message that came in pieces; `undefined` if its bytes are delivered. */
  #finishText(): string | undefined {
    if (this.#kind !== "text") return undefined;
    const { ascii, complete } = this.#validator;
    if (!complete) throw invalidUtf8();
    this.#validator.reset();
    if (this.#textAsBytes) return undefined;
    this.#assertTextFits(this.#buffer, 0, this.#length);
    const text = ascii ? decodeAscii(this.#buffer, 0, this.#length) : decodeUtf8(this.#buffer, 0, this.#length)!;
    this.#freeBuffer();
    return text;
  }

  #deliverFrame(): void {
    const data = this.#whole ?? this.#finishFrame();
    const frame = { opcode: this.#opcode, first: this.#first, final: this.#final };
    this.#whole = undefined;
    this.#first = false;
    if (this.#final) this.#reset();
    this.#handler.message(data, frame);
  }

  #finishFrame(): string | Uint8Array<ArrayBuffer> {
    const payload = this.#takeBuffer();
    if (this.#kind === "binary") return payload;
    const decoder = this.#frameDecoder!;
    this.#assertTextFits(payload, 0, payload.length);
    const text = decoder.decode(payload);
    if (text === undefined || (this.#final && !decoder.complete)) throw invalidUtf8();
    return text;
  }

  #reset(): void {
    this.#finished++;
    this.#kind = "none";
    this.#total = 0;
    this.#wire = 0;
    this.#fragments = 0;
    this.#first = true;
    this.#whole = undefined;
    this.#buffer = EMPTY;
    this.#length = 0;
  }

  /** Frees the memory of an unfinished message at once, without waiting for the garbage collector. */
  abandon(): void {
    this.#kind = "none";
    this.#length = 0;
    this.#freeBuffer();
  }

  #takeControl(bytes: Uint8Array, start: number, end: number): void {
    // Copied only if the frame is cut: in a flood each copy would be garbage.
    if (this.#controlLength === 0 && this.#remaining === 0) {
      this.#controlPayload = bytes.subarray(start, end);
      return;
    }
    if (this.#controlLength === 0) this.#controlPayload = new Uint8Array(end - start + this.#remaining);
    this.#controlPayload.set(bytes.subarray(start, end), this.#controlLength);
    this.#controlLength += end - start;
  }

  #deliverControl(): void {
    const payload = this.#controlPayload;
    this.#controlPayload = EMPTY;
    if (this.#opcode === Opcode.Ping) this.#handler.ping(payload);
    else if (this.#opcode === Opcode.Pong) this.#handler.pong(payload);
    else {
      const { code, reason } = parseClosePayload(payload);
      this.#handler.close(code, reason);
    }
  }
}

function sliceText(bytes: Uint8Array, start: number, end: number, ascii: boolean): Uint8Array<ArrayBuffer> {
  const text = bytes.slice(start, end);
  if (!ascii && !isUtf8Text(text)) throw invalidUtf8();
  return text;
}

function invalidUtf8(): ProtocolError {
  return new ProtocolError("ERR_INVALID_UTF8", "A text message is not valid UTF-8");
}

/** Code and reason of a close frame. */
export interface CloseStatus {
  /** The close code; 1005 if the frame has no payload. */
  code: number;
  /** The reason, at most 123 bytes of UTF-8. */
  reason: string;
}

/**
 * Reads the payload of a close frame (RFC 6455 §5.5.1, §7.4).
 *
 * @param payload The payload.
 * @returns Code and reason.
 * @throws {ProtocolError} If it is one byte long, the code must not be sent, or the reason is not UTF-8.
 */
export function parseClosePayload(payload: Uint8Array): CloseStatus {
  if (payload.length === 0) return { code: 1005, reason: "" };
  if (payload.length === 1) throw new ProtocolError("ERR_CLOSE_PAYLOAD", "A close frame has a payload of one byte");
  const code = (payload[0]! << 8) | payload[1]!;
  if (!isValidCloseCode(code)) throw new ProtocolError("ERR_CLOSE_CODE", `The close code ${code} must not be sent`);
  const reason = decodeUtf8(payload, 2);
  if (reason === undefined) throw new ProtocolError("ERR_INVALID_UTF8", "A close reason is not valid UTF-8");
  return { code, reason };
}
