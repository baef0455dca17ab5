/**
 * The XOR kernel of RFC 6455 §5.3: masking and unmasking are the same operation, done in place.
 *
 * @module
 */

/** Below this many bytes, making a 32-bit view costs more than it saves (`bench/mask_bench.ts`). */
const VIEW_THRESHOLD = 128;

/**
 * Masks or unmasks bytes in place (RFC 6455 §5.3).
 *
 * @param bytes The array that holds the payload.
 * @param start Index of the first byte to transform.
 * @param end Index after the last byte.
 * @param key The masking key as a big-endian 32-bit number: its first octet on the wire is the highest.
 * @param offset How many octets of the payload were transformed before, for a payload in pieces.
 *
 * @example Mask and unmask
 * ```ts
 * import { mask } from "@tackline/websocket/mask";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("Hello");
 * mask(bytes, 0, bytes.length, 0x37fa213d);
 * assertEquals(bytes, Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58));
 * mask(bytes, 0, bytes.length, 0x37fa213d);
 * assertEquals(new TextDecoder().decode(bytes), "Hello");
 * ```
 */
export function mask(bytes: Uint8Array, start: number, end: number, key: number, offset = 0): void {
  if (key === 0) return;
  let rotated = rotate(key, offset);
  let at = start;
  if (end - start >= VIEW_THRESHOLD) {
    const misaligned = (4 - ((bytes.byteOffset + start) & 3)) & 3;
    const aligned = start + misaligned;
    maskBytes(bytes, start, aligned, rotated);
    rotated = rotate(rotated, misaligned);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (end - aligned) >> 2);
    maskWords(words, toMemoryOrder(rotated));
    at = aligned + (words.length << 2);
  }
  maskBytes(bytes, at, end, rotated);
}

/** The key as it applies `octets` further on. */
function rotate(key: number, octets: number): number {
  const shift = (octets & 3) << 3;
  return shift === 0 ? key : (key << shift) | (key >>> (32 - shift));
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  const k0 = key >>> 24;
  const k1 = (key >>> 16) & 0xff;
  const k2 = (key >>> 8) & 0xff;
  const k3 = key & 0xff;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    bytes[at] ^= k0;
    bytes[at + 1] ^= k1;
    bytes[at + 2] ^= k2;
    bytes[at + 3] ^= k3;
  }
  if (at < end) bytes[at] ^= k0;
  if (at + 1 < end) bytes[at + 1] ^= k1;
  if (at + 2 < end) bytes[at + 2] ^= k2;
}

function maskWords(words: Int32Array, key: number): void {
  const length = words.length;
  let at = 0;
  for (const last = length - 7; at < last; at += 8) {
    words[at] ^= key;
    words[at + 1] ^= key;
    words[at + 2] ^= key;
    words[at + 3] ^= key;
    words[at + 4] ^= key;
    words[at + 5] ^= key;
    words[at + 6] ^= key;
    words[at + 7] ^= key;
  }
  for (; at < length; at++) words[at] ^= key;
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The key with its first octet at the lowest address. */
function toMemoryOrder(key: number): number {
  if (!LITTLE_ENDIAN) return key;
  return (key >>> 24) | ((key >>> 8) & 0xff00) | ((key << 8) & 0xff0000) | (key << 24);
}
