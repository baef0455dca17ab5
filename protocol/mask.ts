/**
 * The XOR kernel of RFC 6455 §5.3: masking and unmasking are the same operation, done in place.
 *
 * @module
 */

import { maskThere, maskThrough } from "./mask_simd.ts";

// Lengths from which each method beats the one before (`bench/mask_bench.ts`), in bytes.
/** The SIMD loop, for bytes that are known to lie in its memory. */
const SIMD_THRESHOLD = 32;
/** The check that they lie there, or else a 32-bit view. */
const VIEW_THRESHOLD = 129;
/** The SIMD loop with a copy to its memory and back. */
const PASSAGE_THRESHOLD = 4096;

/**
 * Masks or unmasks bytes in place (RFC 6455 §5.3).
 *
 * @param bytes The array that holds the payload.
 * @param start Index of the first byte to transform.
 * @param end Index after the last byte.
 * @param key The masking key as a big-endian 32-bit number: its first octet on the wire is the highest.
 * @param offset Number of octets of the payload that were transformed before, for a payload in pieces.
 * @returns `true` if the output is known to be ASCII; not checked if the key is 0.
 *
 * @example Mask and unmask
 * ```ts
 * import { mask } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("Hello");
 * mask(bytes, 0, bytes.length, 0x37fa213d);
 * assertEquals(bytes, Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58));
 * mask(bytes, 0, bytes.length, 0x37fa213d);
 * assertEquals(new TextDecoder().decode(bytes), "Hello");
 * ```
 */
export function mask(bytes: Uint8Array, start: number, end: number, key: number, offset = 0): boolean {
  if (key === 0) return false;
  const length = end - start;
  const rotated = rotate(key, offset);
  if (length < VIEW_THRESHOLD) return isAscii(maskBytes(bytes, start, end, rotated));
  let bits = maskThere(bytes, start, end, reverseOctets(rotated));
  if (bits === undefined && length >= PASSAGE_THRESHOLD) bits = maskThrough(bytes, start, end, reverseOctets(rotated));
  return isAscii(bits ?? maskByWords(bytes, start, end, rotated));
}

/**
 * As {@linkcode mask}, for bytes that are known to be leased: faster for short ones.
 *
 * @param bytes The leased array.
 * @param start Index of the first byte to transform.
 * @param end Index after the last byte.
 * @param key The masking key.
 * @param offset Number of octets of the payload that were transformed before.
 * @returns `true` if the output is known to be ASCII.
 */
export function maskLeased(bytes: Uint8Array, start: number, end: number, key: number, offset = 0): boolean {
  if (end - start < SIMD_THRESHOLD) return mask(bytes, start, end, key, offset);
  return isAscii(maskThere(bytes, start, end, reverseOctets(rotate(key, offset)))!);
}

// Each loop returns the OR of its output bytes: a high bit shows a byte that is not ASCII.
const HIGH_BITS = 0x80808080 | 0;

function isAscii(bits: number): boolean {
  return (bits & HIGH_BITS) === 0;
}

/** The key for a position `octets` further on. */
function rotate(key: number, octets: number): number {
  const shift = (octets & 3) << 3;
  return shift === 0 ? key : (key << shift) | (key >>> (32 - shift));
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): number {
  const k0 = key >>> 24;
  const k1 = (key >>> 16) & 0xff;
  const k2 = (key >>> 8) & 0xff;
  const k3 = key & 0xff;
  let bits = 0;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    bits |= (bytes[at]! ^= k0) | (bytes[at + 1]! ^= k1) | (bytes[at + 2]! ^= k2) | (bytes[at + 3]! ^= k3);
  }
  if (at < end) bits |= bytes[at]! ^= k0;
  if (at + 1 < end) bits |= bytes[at + 1]! ^= k1;
  if (at + 2 < end) bits |= bytes[at + 2]! ^= k2;
  return bits;
}

function maskByWords(bytes: Uint8Array, start: number, end: number, key: number): number {
  const misaligned = (4 - ((bytes.byteOffset + start) & 3)) & 3;
  const aligned = start + misaligned;
  const rotated = rotate(key, misaligned);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (end - aligned) >> 2);
  return maskBytes(bytes, start, aligned, key) |
    maskWords(words, LITTLE_ENDIAN ? reverseOctets(rotated) : rotated) |
    maskBytes(bytes, aligned + (words.length << 2), end, rotated);
}

function maskWords(words: Int32Array, key: number): number {
  const length = words.length;
  let bits = 0;
  let at = 0;
  for (const last = length - 7; at < last; at += 8) {
    bits |= (words[at]! ^= key) | (words[at + 1]! ^= key) | (words[at + 2]! ^= key) | (words[at + 3]! ^= key);
    bits |= (words[at + 4]! ^= key) | (words[at + 5]! ^= key) | (words[at + 6]! ^= key) | (words[at + 7]! ^= key);
  }
  for (; at < length; at++) bits |= words[at]! ^= key;
  return bits;
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The key with its first octet the lowest. */
function reverseOctets(key: number): number {
  return (key >>> 24) | ((key >>> 8) & 0xff00) | ((key << 8) & 0xff0000) | (key << 24);
}
