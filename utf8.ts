/**
 * UTF-8 as RFC 6455 §8.1 wants it: validated while it arrives, decoded without cutting a code point.
 *
 * @module
 */

import { concat } from "./bytes.ts";

/** Up to this length a loop over character codes beats the call into the native decoder (`bench/utf8_bench.ts`). */
const SHORT = 64;
const ASCII_BITS = 0x80808080 | 0;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const shortCodes: number[] = [];

/**
 * Decodes a complete UTF-8 text.
 *
 * @param bytes The array that holds it.
 * @param start Index of the first byte.
 * @param end Index after the last byte.
 * @returns The text, a leading U+FEFF included, or `undefined` if the bytes are not valid UTF-8.
 *
 * @example
 * ```ts
 * import { decodeUtf8 } from "@tackline/websocket/utf8";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeUtf8(Uint8Array.of(0xe2, 0x82, 0xac)), "€");
 * assertEquals(decodeUtf8(Uint8Array.of(0xe2, 0x82)), undefined);
 * ```
 */
export function decodeUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string | undefined {
  if (start === end) return "";
  if (end - start <= SHORT) {
    const text = decodeShortAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

function decodeShortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  shortCodes.length = end - start;
  for (let from = start, to = 0; from < end; from++, to++) {
    const byte = bytes[from];
    if (byte > 0x7f) return undefined;
    shortCodes[to] = byte;
  }
  return String.fromCharCode.apply(null, shortCodes);
}

/**
 * Validates UTF-8 that arrives in pieces and stops at the first wrong byte (RFC 3629 §4: no overlong forms, no
 * surrogates, nothing above U+10FFFF).
 *
 * @example
 * ```ts
 * import { Utf8Validator } from "@tackline/websocket/utf8";
 * import { assertEquals } from "@std/assert";
 *
 * const validator = new Utf8Validator();
 * assertEquals(validator.push(Uint8Array.of(0x41, 0xe2)), -1);
 * assertEquals(validator.complete, false);
 * assertEquals(validator.push(Uint8Array.of(0x82, 0xac, 0xff)), 2);
 * ```
 */
export class Utf8Validator {
  /** Continuation bytes that the current code point still lacks. */
  #missing = 0;
  /** Bytes of the current code point that have come. */
  #begun = 0;
  /** Range of the next continuation byte; narrower after E0, ED, F0 and F4. */
  #lower = 0x80;
  #upper = 0xbf;

  /** Whether the bytes so far end at the end of a code point. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  /** How many bytes of an unfinished code point the input so far ends with: 0 to 3. */
  get pending(): number {
    return this.#begun;
  }

  /** Forgets what came before. */
  reset(): void {
    this.#missing = 0;
    this.#begun = 0;
    this.#lower = 0x80;
    this.#upper = 0xbf;
  }

  /**
   * Takes the next piece.
   *
   * @param bytes The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @returns The index of the first wrong byte, or -1 if there is none.
   */
  push(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    let at = start;
    while (at < end) {
      if (this.#missing === 0) {
        at = skipAscii(bytes, at, end);
        if (at === end) return -1;
        if (!this.#lead(bytes[at])) return at;
      } else if (!this.#continuation(bytes[at])) return at;
      at++;
    }
    return -1;
  }

  #lead(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#begun = 1;
    if (byte < 0xe0) this.#missing = 1;
    else if (byte < 0xf0) {
      this.#missing = 2;
      if (byte === 0xe0) this.#lower = 0xa0;
      else if (byte === 0xed) this.#upper = 0x9f;
    } else {
      this.#missing = 3;
      if (byte === 0xf0) this.#lower = 0x90;
      else if (byte === 0xf4) this.#upper = 0x8f;
    }
    return true;
  }

  #continuation(byte: number): boolean {
    if (byte < this.#lower || byte > this.#upper) return false;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    this.#missing--;
    this.#begun = this.#missing === 0 ? 0 : this.#begun + 1;
    return true;
  }
}

/** Index of the first byte from `start` on that is not ASCII, or `end`. */
function skipAscii(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  // A run of other characters between short ASCII words must not pay for a view each time.
  const probe = Math.min(end, start + 16);
  while (at < probe && bytes[at] < 0x80) at++;
  if (at < probe || at === end) return at;
  if (end - at >= 64) {
    while (((bytes.byteOffset + at) & 3) !== 0) {
      if (bytes[at] > 0x7f) return at;
      at++;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >> 2);
    at += countAsciiWords(words) << 2;
  }
  while (at < end && bytes[at] < 0x80) at++;
  return at;
}

function countAsciiWords(words: Int32Array): number {
  const length = words.length;
  let at = 0;
  for (const last = length - 3; at < last; at += 4) {
    if (((words[at] | words[at + 1] | words[at + 2] | words[at + 3]) & ASCII_BITS) !== 0) break;
  }
  while (at < length && (words[at] & ASCII_BITS) === 0) at++;
  return at;
}

/**
 * Decodes UTF-8 that arrives in pieces: the bytes of a code point that a piece cuts are kept for the next one.
 *
 * @example
 * ```ts
 * import { Utf8Decoder } from "@tackline/websocket/utf8";
 * import { assertEquals } from "@std/assert";
 *
 * const decoder = new Utf8Decoder();
 * assertEquals(decoder.decode(Uint8Array.of(0x41, 0xe2, 0x82)), "A");
 * assertEquals(decoder.decode(Uint8Array.of(0xac)), "€");
 * assertEquals(decoder.complete, true);
 * ```
 */
export class Utf8Decoder {
  #validator = new Utf8Validator();
  #carry: Uint8Array = new Uint8Array(0);

  /** Whether nothing is kept back. */
  get complete(): boolean {
    return this.#validator.complete;
  }

  /** Forgets what was kept back. */
  reset(): void {
    this.#validator.reset();
    this.#carry = new Uint8Array(0);
  }

  /**
   * Decodes the next piece.
   *
   * @param bytes The piece.
   * @returns The text that is complete now, or `undefined` if a byte is wrong.
   */
  decode(bytes: Uint8Array): string | undefined {
    if (this.#validator.push(bytes) !== -1) return undefined;
    const whole = this.#carry.length === 0 ? bytes : concat(this.#carry, bytes);
    const end = whole.length - this.#validator.pending;
    this.#carry = whole.slice(end);
    return decodeUtf8(whole, 0, end);
  }
}
