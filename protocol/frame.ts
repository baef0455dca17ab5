/**
 * The frame codec of RFC 6455 §5: frames to bytes, and bytes in any chunking to frames.
 *
 * It knows no socket and no message: {@linkcode FrameParser} hands over headers and pieces of payload as they come, at
 * no cost but the parsing; {@linkcode encodeFrame}, {@linkcode decodeFrame} and the two streams are the comfortable
 * form.
 *
 * @example Frames to bytes and back
 * ```ts
 * import { decodeFrame, encodeFrame, Opcode } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeFrame({ opcode: Opcode.Text, payload: new TextEncoder().encode("Hello") });
 * assertEquals(bytes, Uint8Array.of(0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f));
 * assertEquals(decodeFrame(bytes)?.frame.opcode, Opcode.Text);
 * ```
 *
 * @module
 */

import { concatAll } from "../base/bytes.ts";
import { OptionError, ProtocolError } from "../base/errors.ts";
import {
  FIN,
  firstOctet,
  frameHeaderLength,
  LENGTH_16,
  LENGTH_64,
  MASKED,
  MAX_CONTROL_PAYLOAD,
  Opcode,
  writeFrameHeader,
} from "./frame_header.ts";
import { mask, maskLeased } from "./mask.ts";
import { giveBack, isLeased, lease } from "../base/leased_memory.ts";

/** One frame. */
export interface Frame {
  /** Opcode of the frame. */
  opcode: Opcode;
  /** The payload, unmasked. */
  payload: Uint8Array;
  /**
   * FIN: whether this is the last fragment of its message.
   * @default {true}
   */
  final?: boolean;
  /**
   * The reserved bits: a sum of {@linkcode ReservedBit} values.
   * @default {0}
   */
  reserved?: number;
}

/** Options of {@linkcode encodeFrame}. */
export interface EncodeFrameOptions {
  /** The masking key, 4 bytes. A client must mask with an unpredictable key (RFC 6455 §5.3), a server must not mask. */
  maskingKey?: Uint8Array | undefined;
}

/** The longest header: 2 octets, 8 of extended length, 4 of masking key. */
const MAX_HEADER = 14;
/** Chunks of this size and more are unmasked in a copy that lies where that is fast (`bench/frame_bench.ts`). */
const COPY_THRESHOLD = 1024;
/** From this size on a frame is copied by itself. */
const LONG_FRAME = 16 * 1024;
/** A header without a key, and one byte. */
const SHORTEST_MESSAGE = 3;

function readUint32(source: Uint8Array, at: number): number {
  return ((source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!) >>> 0;
}

/**
 * Encodes one frame. The payload is copied, never changed.
 *
 * @param frame The frame.
 * @param options The masking key, for a client.
 * @returns The bytes on the wire.
 * @throws {OptionError} If RFC 6455 does not allow such a frame: an unknown opcode, a fragmented or too long control
 * frame, a masking key that is not 4 bytes.
 *
 * @example The masked "Hello" of RFC 6455 §5.7
 * ```ts
 * import { encodeFrame, Opcode } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeFrame(
 *   { opcode: Opcode.Text, payload: new TextEncoder().encode("Hello") },
 *   { maskingKey: Uint8Array.of(0x37, 0xfa, 0x21, 0x3d) },
 * );
 * assertEquals(bytes.length, 11);
 * ```
 */
export function encodeFrame(frame: Frame, options: EncodeFrameOptions = {}): Uint8Array<ArrayBuffer> {
  const { opcode, payload, final = true, reserved = 0 } = frame;
  const { maskingKey } = options;
  if (!isKnownOpcode(opcode)) throw new OptionError(`Cannot encode a frame: unknown opcode "${opcode}"`);
  if ((reserved & ~0x70) !== 0) throw new OptionError(`Cannot encode a frame: reserved bits "${reserved}"`);
  if (opcode >= Opcode.Close) assertControlFrame(payload.length, final);
  if (maskingKey !== undefined && maskingKey.length !== 4) {
    throw new OptionError(`Cannot encode a frame: the masking key has ${maskingKey.length} bytes instead of 4`);
  }
  const masked = maskingKey !== undefined;
  const key = masked ? readUint32(maskingKey, 0) : 0;
  const bytes = new Uint8Array(frameHeaderLength(payload.length, masked) + payload.length);
  const at = writeFrameHeader(bytes, 0, firstOctet(opcode, final, reserved), payload.length, masked, key);
  bytes.set(payload, at);
  if (masked) mask(bytes, at, bytes.length, key);
  return bytes;
}

function assertControlFrame(length: number, final: boolean): void {
  if (!final) throw new OptionError("Cannot encode a frame: a control frame cannot be fragmented", "ERR_PAYLOAD");
  if (length > MAX_CONTROL_PAYLOAD) {
    throw new OptionError(
      `Cannot encode a frame: a control frame of ${length} bytes, the most is ${MAX_CONTROL_PAYLOAD}`,
      "ERR_PAYLOAD",
    );
  }
}

function isKnownOpcode(opcode: number): opcode is Opcode {
  return (opcode >= 0 && opcode <= 2) || (opcode >= 8 && opcode <= 10);
}

/** The header of a frame as the parser saw it. One object is reused for all frames: copy what you keep. */
export interface FrameHeader {
  /** Opcode of the frame. */
  opcode: Opcode;
  /** FIN: whether this is the last fragment of its message. */
  final: boolean;
  /** The reserved bits: a sum of {@linkcode ReservedBit} values. */
  reserved: number;
  /** True if the frame came masked. */
  masked: boolean;
  /** Bytes of payload. */
  payloadLength: number;
}

/** Takes the frames of a {@linkcode FrameParser}. {@linkcode FrameParser.parse} throws its exceptions. */
export interface FrameHandler {
  /**
   * A header is complete and valid; no byte of the payload has been looked at.
   *
   * @param header The header, valid only during the call.
   */
  frameHeader(header: FrameHeader): void;
  /**
   * The next piece of the payload, unmasked; the bytes are valid only during the call. Not called for an empty payload.
   *
   * @param bytes The array that holds the piece.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param ascii `true` if the piece is known to be ASCII: unmasking reads all bytes anyway.
   */
  framePayload(bytes: Uint8Array, start: number, end: number, ascii: boolean): void;
  /** The frame is complete. */
  frameEnd(): void;
  /** True if {@linkcode FrameHandler.shortMessage} may be called now. */
  readonly takesShortMessages?: boolean | undefined;
  /**
   * Instead of the three calls above, for a data frame that is a message by itself (FIN, a reserved bit nowhere), of 1
   * to 125 bytes, and lies whole in the chunk: the fast way for small messages.
   *
   * @param opcode `Opcode.Text` or `Opcode.Binary`.
   * @param bytes The array that holds the payload, unmasked, valid only during the call.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param ascii `true` if all its bytes are known to be ASCII.
   */
  shortMessage?(opcode: Opcode, bytes: Uint8Array, start: number, end: number, ascii: boolean): void;
}

/** Options of a {@linkcode FrameParser}. */
export interface FrameParserOptions {
  /**
   * The endpoint that parses: a `"server"` takes masked frames only, a `"client"` unmasked ones only (RFC 6455 §5.1).
   * Without a role both are taken.
   */
  role?: "server" | "client" | undefined;
  /**
   * The largest payload of one frame, in bytes; `0`: no limit. A longer one is refused at its header.
   * @default {0}
   */
  maxPayload?: number | undefined;
  /**
   * The reserved bits that a negotiated extension gives a meaning: a sum of {@linkcode ReservedBit} values.
   * @default {0}
   */
  allowedReserved?: number | undefined;
}

/**
 * An incremental frame parser: any chunking in, headers and pieces of payload out, in place.
 *
 * Invariant: every octet is looked at once; only an incomplete header, at most 14 bytes, is kept between calls.
 *
 * @example Count the frames in a chunk
 * ```ts
 * import { encodeFrame, FrameParser, Opcode } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * let frames = 0;
 * const parser = new FrameParser({ frameHeader() {}, framePayload() {}, frameEnd: () => void frames++ });
 * const bytes = encodeFrame({ opcode: Opcode.Binary, payload: new Uint8Array(300) });
 * parser.parse(bytes.slice(0, 2));
 * parser.parse(bytes.slice(2));
 * assertEquals(frames, 1);
 * ```
 */
export class FrameParser {
  // Configuration
  #handler: FrameHandler;
  #expectMasked: boolean | undefined;
  #maxPayload: number;
  #allowedReserved: number;

  // Read state
  /** Made when a header is cut. */
  #scratch: Uint8Array | undefined;
  /** Header bytes of the current frame in `#scratch`. */
  #have = 0;
  /** True if a header is done and its payload is being read. */
  #inPayload = false;
  /** Bytes of the current payload still to come. */
  #remaining = 0;
  /** Bytes of the current payload that have come: the phase of the masking key. */
  #offset = 0;
  #key = 0;
  #stopped = false;
  /** True if the current chunk lies in leased memory, where unmasking is faster. */
  #leased = false;
  #frames = 0;
  #header: FrameHeader = { opcode: 0, final: true, reserved: 0, masked: false, payloadLength: 0 };

  /**
   * Makes a parser at the start of a stream of frames.
   *
   * @param handler Takes headers and payloads.
   * @param options Limits and switches of the parser.
   */
  constructor(handler: FrameHandler, options: FrameParserOptions = {}) {
    this.#handler = handler;
    this.#expectMasked = options.role === undefined ? undefined : options.role === "server";
    this.#maxPayload = options.maxPayload ?? 0;
    this.#allowedReserved = options.allowedReserved ?? 0;
  }

  /** True if the input so far ends between two frames. */
  get idle(): boolean {
    return this.#have === 0 && !this.#inPayload;
  }

  /**
   * From now on accepts reserved bits, since an extension was negotiated.
   *
   * @param bits A sum of {@linkcode ReservedBit} values.
   */
  allowReserved(bits: number): void {
    this.#allowedReserved = bits;
  }

  /** Bytes of the current payload that are still to come; 0 between frames. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Frames that were parsed. */
  get frames(): number {
    return this.#frames;
  }

  /** To be called by the handler: {@linkcode FrameParser.parse} returns after the current frame. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Parses a chunk. **Masked payloads may be unmasked in place**, so the chunk is not to be used for anything else.
   * (Large chunks for a server are unmasked in a copy, where that is four times as fast: the handler's array may be
   * another array.)
   *
   * @param chunk The array that holds the bytes.
   * @param start Index of the first byte.
   * @param end Index after the last byte.
   * @returns The index up to which the bytes are used: `end`, unless the handler called {@linkcode FrameParser.stop}.
   * @throws {ProtocolError} If the bytes break RFC 6455 §5. The parser cannot go on after that.
   */
  parse(chunk: Uint8Array, start = 0, end: number = chunk.length): number {
    this.#stopped = false;
    if (this.#expectMasked === true && end - start >= COPY_THRESHOLD && !isLeased(chunk)) {
      // A long payload is taken in pieces that fit the first caches.
      const fast = lease(this.#remaining >= end - start ? 32768 : 262144);
      if (fast !== undefined) return this.#parseCopy(chunk, start, end, fast);
    }
    // The slice() of a Buffer is a view: slices that handlers keep would change.
    if (chunk.constructor !== Uint8Array) chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    return this.#parseFrames(chunk, start, end);
  }

  /** Unmasks in leased memory, which is faster. A nested call, of another parser, gets a buffer of its own. */
  #parseCopy(chunk: Uint8Array, start: number, end: number, fast: Uint8Array<ArrayBuffer>): number {
    try {
      let at = start;
      while (at < end && !this.#stopped) {
        const length = this.#pieceOf(chunk, at, Math.min(fast.length, end - at));
        fast.set(length === chunk.length ? chunk : chunk.subarray(at, at + length));
        at += this.#parseFrames(fast, 0, length);
      }
      return at;
    } finally {
      giveBack(fast);
    }
  }

  /**
   * Number of bytes of the chunk to copy next. A long frame is copied by itself: in one piece if it lies whole in the
   * chunk, and still cached when it is handled.
   */
  #pieceOf(chunk: Uint8Array, at: number, most: number): number {
    if (most < LONG_FRAME || this.#have !== 0) return most;
    if (this.#inPayload) {
      const { payloadLength } = this.#header;
      return payloadLength < LONG_FRAME || this.#remaining > most ? most : this.#remaining;
    }
    const short = chunk[at + 1]! & 0x7f;
    if (short < LENGTH_16) return most;
    const long = short === LENGTH_64;
    const length = long ? readUint32(chunk, at + 6) : (chunk[at + 2]! << 8) | chunk[at + 3]!;
    if (length < LONG_FRAME || length > most) return most;
    return Math.min(most, length + (long ? MAX_HEADER : MAX_HEADER - 6));
  }

  #parseFrames(chunk: Uint8Array, at: number, end: number): number {
    this.#leased = isLeased(chunk);
    while (at < end) {
      if (!this.#inPayload) {
        const next = this.#readShortMessage(chunk, at, end);
        if (next !== at) {
          at = next;
          if (this.#stopped) break;
          continue;
        }
        at = this.#readHeader(chunk, at, end);
        if (!this.#inPayload) break;
        this.#handler.frameHeader(this.#header);
      }
      at = this.#readPayload(chunk, at, end);
      if (this.#remaining > 0) break;
      this.#inPayload = false;
      this.#frames++;
      this.#handler.frameEnd();
      if (this.#stopped) break;
    }
    return at;
  }

  /** Returns `at` if there is no such message: then frame by frame. */
  #readShortMessage(chunk: Uint8Array, at: number, end: number): number {
    if (this.#have !== 0 || end - at < SHORTEST_MESSAGE) return at;
    const opcode = chunk[at]! ^ FIN;
    if (opcode !== Opcode.Text && opcode !== Opcode.Binary) return at;
    const second = chunk[at + 1]!;
    const masked = (second & MASKED) !== 0;
    const length = second & 0x7f;
    const start = at + (masked ? 6 : 2);
    const to = start + length;
    if (length === 0 || length >= LENGTH_16 || to > end || this.#handler.takesShortMessages !== true) return at;
    if (masked !== (this.#expectMasked ?? masked) || (this.#maxPayload > 0 && length > this.#maxPayload)) return at;
    const ascii = masked && this.#unmask(chunk, start, to, readUint32(chunk, at + 2), 0);
    this.#frames++;
    this.#handler.shortMessage!(opcode, chunk, start, to, ascii);
    return to;
  }

  #readPayload(chunk: Uint8Array, at: number, end: number): number {
    const length = Math.min(this.#remaining, end - at);
    if (length === 0) return at;
    const to = at + length;
    const ascii = this.#header.masked && this.#unmask(chunk, at, to, this.#key, this.#offset);
    this.#remaining -= length;
    this.#offset += length;
    this.#handler.framePayload(chunk, at, to, ascii);
    return to;
  }

  #unmask(chunk: Uint8Array, at: number, to: number, key: number, offset: number): boolean {
    return this.#leased ? maskLeased(chunk, at, to, key, offset) : mask(chunk, at, to, key, offset);
  }

  /** Reads a header in place if the chunk holds it all, else octet by octet; sets `#inPayload` when it is complete. */
  #readHeader(chunk: Uint8Array, at: number, end: number): number {
    if (this.#have === 0 && end - at >= MAX_HEADER) return this.#decodeHeader(chunk, at);
    const scratch = this.#scratch ??= new Uint8Array(MAX_HEADER);
    while (at < end) {
      scratch[this.#have++] = chunk[at++]!;
      if (this.#have === 1) this.#checkFirst(scratch[0]!);
      else if (this.#have === 2) this.#checkSecond(scratch[0]!, scratch[1]!);
      if (this.#have >= 2 && this.#have === headerLength(scratch[1]!)) {
        this.#have = 0;
        this.#decodeHeader(scratch, 0);
        break;
      }
    }
    return at;
  }

  #decodeHeader(source: Uint8Array, at: number): number {
    const first = source[at]!;
    const second = source[at + 1]!;
    this.#checkFirst(first);
    this.#checkSecond(first, second);
    const header = this.#header;
    header.opcode = (first & 0x0f) as Opcode;
    header.final = (first & FIN) !== 0;
    header.reserved = first & 0x70;
    header.masked = (second & MASKED) !== 0;
    let length = second & 0x7f;
    at += 2;
    if (length === LENGTH_16) {
      length = (source[at]! << 8) | source[at + 1]!;
      at += 2;
      if (length < LENGTH_16) throw notMinimal(length);
    } else if (length === LENGTH_64) {
      length = readLength64(source, at);
      at += 8;
    }
    if (this.#maxPayload > 0 && length > this.#maxPayload) {
      throw new ProtocolError("ERR_MESSAGE_TOO_LARGE", `A frame of ${length} bytes, the limit is ${this.#maxPayload}`);
    }
    if (header.masked) {
      this.#key = readUint32(source, at);
      at += 4;
    }
    header.payloadLength = length;
    this.#remaining = length;
    this.#offset = 0;
    this.#inPayload = true;
    return at;
  }

  #checkFirst(first: number): void {
    if ((first & 0x70 & ~this.#allowedReserved) !== 0) {
      throw new ProtocolError("ERR_RESERVED_BITS", "A reserved bit is set that no extension defines");
    }
    const opcode = first & 0x0f;
    if (!isKnownOpcode(opcode)) throw new ProtocolError("ERR_RESERVED_OPCODE", `The opcode ${opcode} is reserved`);
    if (opcode >= Opcode.Close && (first & FIN) === 0) {
      throw new ProtocolError("ERR_FRAGMENTED_CONTROL", "A control frame is fragmented");
    }
  }

  #checkSecond(first: number, second: number): void {
    if ((first & 0x0f) >= Opcode.Close && (second & 0x7f) > MAX_CONTROL_PAYLOAD) {
      throw new ProtocolError("ERR_CONTROL_TOO_LONG", "A control frame is longer than 125 bytes");
    }
    const masked = (second & MASKED) !== 0;
    if (this.#expectMasked === undefined || masked === this.#expectMasked) return;
    if (masked) throw new ProtocolError("ERR_MASK_FORBIDDEN", "A frame of a server is masked");
    throw new ProtocolError("ERR_MASK_REQUIRED", "A frame of a client is not masked");
  }
}

function headerLength(second: number): number {
  const length = second & 0x7f;
  const extended = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
  return 2 + extended + ((second & MASKED) !== 0 ? 4 : 0);
}

function readLength64(source: Uint8Array, at: number): number {
  const high = readUint32(source, at);
  // RFC 6455 §5.2: "the most significant bit MUST be 0". Lengths beyond 2^53 are no safe integers, and cannot be sent.
  if (high > 0x1fffff) throw new ProtocolError("ERR_LENGTH_INVALID", "A frame length is out of range");
  const length = high * 0x100000000 + readUint32(source, at + 4);
  if (length <= 0xffff) throw notMinimal(length);
  return length;
}

/** RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length". */
function notMinimal(length: number): ProtocolError {
  return new ProtocolError("ERR_LENGTH_INVALID", `A frame length of ${length} is not in its shortest form`);
}

/** Result of {@linkcode decodeFrame}. */
export interface DecodedFrame {
  /** The frame; its payload is a copy. */
  frame: Required<Frame>;
  /** Bytes of the input that the frame takes. */
  bytesRead: number;
}

/** Collects whole frames: the comfortable form on top of the parser. */
class FrameCollector implements FrameHandler {
  frames: Required<Frame>[] = [];
  #pieces: Uint8Array[] = [];
  #opcode: Opcode = Opcode.Continuation;
  #final = true;
  #reserved = 0;

  frameHeader(header: FrameHeader): void {
    this.#pieces = [];
    this.#opcode = header.opcode;
    this.#final = header.final;
    this.#reserved = header.reserved;
  }

  framePayload(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push(bytes.slice(start, end));
  }

  frameEnd(): void {
    const payload = this.#pieces.length === 1 ? this.#pieces[0] : concatAll(this.#pieces);
    this.frames.push({ opcode: this.#opcode, final: this.#final, reserved: this.#reserved, payload: payload! });
  }
}

/**
 * Decodes the first frame of some bytes. The bytes are not changed.
 *
 * @param bytes The bytes, from the start of a frame on.
 * @param options Limits and switches of the parser.
 * @returns The frame and its length on the wire, or `undefined` if the bytes do not hold all of it.
 * @throws {ProtocolError} If the bytes break RFC 6455 §5.
 *
 * @example
 * ```ts
 * import { decodeFrame } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeFrame(Uint8Array.of(0x81, 0x01)), undefined);
 * assertEquals(decodeFrame(Uint8Array.of(0x81, 0x01, 0x41))?.bytesRead, 3);
 * ```
 */
export function decodeFrame(bytes: Uint8Array, options: FrameParserOptions = {}): DecodedFrame | undefined {
  const collector = new FrameCollector();
  const parser: FrameParser = new FrameParser({
    frameHeader: (header) => collector.frameHeader(header),
    framePayload: (piece, start, end) => collector.framePayload(piece, start, end),
    frameEnd: () => {
      collector.frameEnd();
      parser.stop();
    },
  }, options);
  const bytesRead = parser.parse(new Uint8Array(bytes));
  return collector.frames.length === 0 ? undefined : { frame: collector.frames[0]!, bytesRead };
}

/**
 * A `TransformStream` from bytes in any chunking to frames. It errors with a {@linkcode ProtocolError} on bytes that
 * break RFC 6455 §5, and if the stream ends inside a frame.
 *
 * Frames are held whole, so set `maxPayload` for a peer that is not trusted.
 *
 * @example
 * ```ts
 * import { FrameDecoderStream } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = ReadableStream.from([Uint8Array.of(0x81), Uint8Array.of(0x01, 0x41, 0x89, 0x00)]);
 * const opcodes = [];
 * for await (const frame of bytes.pipeThrough(new FrameDecoderStream())) opcodes.push(frame.opcode);
 * assertEquals(opcodes, [1, 9]);
 * ```
 */
export class FrameDecoderStream extends TransformStream<Uint8Array, Required<Frame>> {
  /**
   * Makes a decoder.
   *
   * @param options Limits and switches of the parser.
   */
  constructor(options: FrameParserOptions = {}) {
    const collector = new FrameCollector();
    const parser = new FrameParser(collector, options);
    const release = (controller: TransformStreamDefaultController<Required<Frame>>): void => {
      const frames = collector.frames;
      collector.frames = [];
      for (const frame of frames) controller.enqueue(frame);
    };
    super({
      transform(chunk, controller): void {
        try {
          parser.parse(new Uint8Array(chunk));
        } finally {
          release(controller);
        }
      },
      flush(): void {
        if (!parser.idle) throw new ProtocolError("ERR_LENGTH_INVALID", "The stream ends inside a frame");
      },
    });
  }
}

/** Options of a {@linkcode FrameEncoderStream}. */
export interface FrameEncoderStreamOptions {
  /**
   * True to mask each frame with a fresh random key, as a client must (RFC 6455 §5.3).
   * @default {false}
   */
  masked?: boolean | undefined;
}

/**
 * A `TransformStream` from frames to bytes. It errors with an {@linkcode OptionError} on a frame that RFC 6455 does not
 * allow.
 *
 * @example
 * ```ts
 * import { FrameEncoderStream, Opcode } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const frames = ReadableStream.from([{ opcode: Opcode.Ping, payload: new Uint8Array(0) }]);
 * for await (const bytes of frames.pipeThrough(new FrameEncoderStream())) {
 *   assertEquals(bytes, Uint8Array.of(0x89, 0x00));
 * }
 * ```
 */
export class FrameEncoderStream extends TransformStream<Frame, Uint8Array> {
  /**
   * Makes an encoder.
   *
   * @param options Whether to mask.
   */
  constructor(options: FrameEncoderStreamOptions = {}) {
    super({
      transform(frame, controller): void {
        const maskingKey = options.masked ? crypto.getRandomValues(new Uint8Array(4)) : undefined;
        controller.enqueue(encodeFrame(frame, { maskingKey }));
      },
    });
  }
}
