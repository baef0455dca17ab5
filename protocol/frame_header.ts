/**
 * The header of a frame (RFC 6455 §5.2): opcodes, reserved bits, lengths, and how it is written.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";

/** Role of an end of a connection (RFC 6455 §1.2). It alone decides about masking. */
export type Role = "server" | "client";

/** The opcodes of RFC 6455 §5.2 by name. */
export const Opcode = {
  /** The next fragment of a message. */
  Continuation: 0,
  /** A text message, or its first fragment. */
  Text: 1,
  /** A binary message, or its first fragment. */
  Binary: 2,
  /** The closing handshake. */
  Close: 8,
  /** Asks for a pong. */
  Ping: 9,
  /** Answers a ping. */
  Pong: 10,
} as const;

/** An opcode of RFC 6455 §5.2. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** The reserved bits of a frame as they stand in its first octet (RFC 6455 §5.2). */
export const ReservedBit = {
  /** RSV1: a compressed message, with permessage-deflate (RFC 7692 §6). */
  Rsv1: 0x40,
  /** RSV2. */
  Rsv2: 0x20,
  /** RSV3. */
  Rsv3: 0x10,
} as const;

/** The longest payload of a control frame, in bytes (RFC 6455 §5.5). */
export const MAX_CONTROL_PAYLOAD = 125;

/** FIN in the first octet. */
export const FIN = 0x80;
/** MASK in the second octet. */
export const MASKED = 0x80;
/** The length that stands for one in the 2 octets behind it. */
export const LENGTH_16 = 126;
/** The length that stands for one in the 8 octets behind it. */
export const LENGTH_64 = 127;

/**
 * The length of a frame header in bytes (RFC 6455 §5.2): 2, 4 or 10, and 4 more with a masking key.
 *
 * @param payloadLength Bytes of payload.
 * @param masked Whether a masking key follows.
 * @returns Bytes of header.
 */
export function frameHeaderLength(payloadLength: number, masked: boolean): number {
  const length = payloadLength < LENGTH_16 ? 2 : payloadLength <= 0xffff ? 4 : 10;
  return masked ? length + 4 : length;
}

/**
 * The largest payload of a frame that takes at most `frameSize` bytes on the wire, header included.
 *
 * @param frameSize The limit in bytes; at least 3, with a masking key 7.
 * @param masked Whether the frame carries a masking key.
 * @returns Bytes of payload, at least 1.
 * @throws {OptionError} If `frameSize` cannot hold a header and one byte.
 *
 * @example
 * ```ts
 * import { maxFramePayload } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(maxFramePayload(127, false), 125);
 * assertEquals(maxFramePayload(129, false), 125); // 126 bytes would need a header of 4
 * assertEquals(maxFramePayload(130, false), 126);
 * ```
 */
export function maxFramePayload(frameSize: number, masked: boolean): number {
  const key = masked ? 4 : 0;
  if (!Number.isSafeInteger(frameSize) || frameSize < 3 + key) {
    throw new OptionError(`Cannot split into frames of "${frameSize}" bytes: the least is ${3 + key}`);
  }
  const small = frameSize - 2 - key;
  if (small < LENGTH_16) return small;
  const medium = frameSize - 4 - key;
  if (medium <= 0xffff) return Math.max(LENGTH_16 - 1, medium);
  return Math.max(0xffff, frameSize - 10 - key);
}

/** The longest code point in UTF-8, in bytes. */
export const MAX_CODE_POINT = 4;

/**
 * Checks a limit of frames that messages are split into: texts are cut between code points.
 *
 * @param frameSize The limit in bytes, header included; 0: messages are not split.
 * @param masked Whether frames carry a masking key.
 * @throws {OptionError} If a frame cannot hold a header and the longest code point.
 */
export function assertFrameSize(frameSize: number, masked: boolean): void {
  const least = frameHeaderLength(MAX_CODE_POINT, masked) + MAX_CODE_POINT;
  if (frameSize === 0 || (Number.isSafeInteger(frameSize) && frameSize >= least)) return;
  throw new OptionError(
    `Cannot split into frames of "${frameSize}" bytes: the least is ${least}, a header and one code point`,
  );
}

/**
 * Writes a frame header; the payload goes right after it.
 *
 * @param target The array to write to.
 * @param at Index of the first header byte.
 * @param first The first octet: FIN, reserved bits and opcode.
 * @param payloadLength Bytes of payload.
 * @param masked Whether to write a masking key.
 * @param key The masking key as a big-endian 32-bit number.
 * @returns The index after the header.
 */
export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  first: number,
  payloadLength: number,
  masked: boolean,
  key: number,
): number {
  target[at++] = first;
  const bit = masked ? MASKED : 0;
  if (payloadLength < LENGTH_16) target[at++] = bit | payloadLength;
  else if (payloadLength <= 0xffff) {
    target[at++] = bit | LENGTH_16;
    target[at++] = payloadLength >>> 8;
    target[at++] = payloadLength;
  } else {
    target[at++] = bit | LENGTH_64;
    at = writeUint32(target, at, Math.floor(payloadLength / 0x100000000));
    at = writeUint32(target, at, payloadLength);
  }
  return masked ? writeUint32(target, at, key) : at;
}

function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/**
 * The first octet of a frame (RFC 6455 §5.2).
 *
 * @param opcode The opcode.
 * @param final FIN.
 * @param reserved A sum of {@linkcode ReservedBit} values.
 * @returns The octet.
 */
export function firstOctet(opcode: Opcode, final: boolean, reserved = 0): number {
  return (final ? FIN : 0) | reserved | opcode;
}

/** One frame of a message, with frame by frame delivery. */
export interface FrameInfo {
  /** The opcode on the wire: `Opcode.Continuation` for all but the first frame of a message. */
  opcode: Opcode;
  /** True if this is the first frame of its message. */
  first: boolean;
  /** True if this is the last frame of its message. */
  final: boolean;
}
