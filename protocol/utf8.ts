/**
 * UTF-8 as RFC 6455 §8.1 wants it: validated while it arrives, decoded without cutting a code point.
 *
 * @module
 */

import { Buffer, constants, isAscii, isUtf8 } from "node:buffer";
import { concat } from "../base/bytes.ts";

/** Up to this length a loop over bytes beats the call into the native check (`bench/utf8_bench.ts`). */
const SHORT = 64;

/** The longest string of the runtime, in UTF-16 code units: 2²⁹ - 24 with V8. */
export const MAX_TEXT_LENGTH: number = constants.MAX_STRING_LENGTH;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
 * import { decodeUtf8 } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeUtf8(Uint8Array.of(0xe2, 0x82, 0xac)), "€");
 * assertEquals(decodeUtf8(Uint8Array.of(0xe2, 0x82)), undefined);
 * ```
 */
export function decodeUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string | undefined {
  if (start === end) return "";
  // Latin-1 and UTF-8 agree on ASCII, and a native decoder of UTF-8 takes five times as long.
  if (isAsciiRange(bytes, start, end)) return decodeAscii(bytes, start, end);
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/**
 * Tells whether bytes are a complete UTF-8 text.
 *
 * @param bytes The bytes.
 * @returns `false` if they are not.
 */
export function isUtf8Text(bytes: Uint8Array): boolean {
  return isUtf8(bytes);
}

function isAsciiRange(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > SHORT) return isAscii(bytes.subarray(start, end));
  let bits = 0;
  for (let at = start; at < end; at++) bits |= bytes[at]!;
  return bits < 0x80;
}

/**
 * The bytes of a text, without encoding it, in a call that is many times faster for a long text than a loop over its
 * units, which pages have (in `protocol/payload.ts`).
 *
 * @param text The text; a lone surrogate counts as U+FFFD.
 * @returns Bytes.
 */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text);
}

/**
 * Counts the UTF-16 code units of a UTF-8 text, without decoding it.
 *
 * @param bytes The array that holds it.
 * @param start Index of the first byte.
 * @param end Index after the last byte.
 * @returns The length of the string.
 */
export function textLength(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    // A code point of four bytes is two units.
    if ((byte & 0xc0) !== 0x80) length += byte >= 0xf0 ? 2 : 1;
  }
  return length;
}

/**
 * Decodes a text that is known to be ASCII.
 *
 * @param bytes The array that holds it.
 * @param start Index of the first byte.
 * @param end Index after the last byte.
 * @returns The text.
 */
export function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  return decodeLatin1.call(bytes, start, end);
}

/**
 * The function behind `buffer.toString("latin1", start, end)`, on every runtime. It takes any array: to make a `Buffer`
 * of one takes longer than to decode a short text.
 */
const decodeLatin1 = (Buffer.prototype as { latin1Slice?(start: number, end: number): string }).latin1Slice ??
  function (this: Uint8Array, start: number, end: number): string {
    return Buffer.from(this.buffer as ArrayBuffer, this.byteOffset, this.length).toString("latin1", start, end);
  };

/**
 * Validates UTF-8 that arrives in pieces and stops at the first wrong byte (RFC 3629 §4: no overlong forms, no
 * surrogates, nothing above U+10FFFF).
 *
 * @example
 * ```ts
 * import { Utf8Validator } from "@tackline/websocket/frame";
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
  #ascii = true;

  /** True if all bytes so far are ASCII. */
  get ascii(): boolean {
    return this.#ascii;
  }

  /** True if the bytes so far end at the end of a code point. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  /** Number of bytes of an unfinished code point at the end of the input so far: 0 to 3. */
  get pending(): number {
    return this.#begun;
  }

  /** Forgets earlier pieces. */
  reset(): void {
    this.#missing = 0;
    this.#begun = 0;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    this.#ascii = true;
  }

  /**
   * Takes the next piece.
   *
   * @param bytes The array that holds it.
   * @param start Index of its first byte.
   * @param end Index after its last byte.
   * @param ascii Whether it is known to be ASCII.
   * @returns The index of the first wrong byte, or -1 if there is none.
   */
  push(bytes: Uint8Array, start = 0, end: number = bytes.length, ascii = false): number {
    if (this.#ascii && (ascii || isAsciiRange(bytes, start, end))) return -1;
    this.#ascii = false;
    let at = start;
    while (this.#missing > 0 && at < end) {
      if (!this.#continuation(bytes[at]!)) return at;
      at++;
    }
    if (end - at > SHORT) at = skipValid(bytes, at, end);
    while (at < end) {
      if (this.#missing > 0 ? !this.#continuation(bytes[at]!) : bytes[at]! > 0x7f && !this.#lead(bytes[at]!)) return at;
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

/** Index after the last complete code point if all bytes are valid; else `start`: the fault is still to be found. */
function skipValid(bytes: Uint8Array, start: number, end: number): number {
  const whole = end - cutLength(bytes, end);
  return isUtf8(bytes.subarray(start, whole)) ? whole : start;
}

/**
 * The start of the code point that a byte of a valid UTF-8 text belongs to.
 *
 * @param bytes The text.
 * @param at Index of the byte.
 * @returns Index of the first byte of the code point: `at`, or up to 3 less.
 */
export function codePointStart(bytes: Uint8Array, at: number): number {
  const least = Math.max(0, at - 3);
  while (at > least && (bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

/** Number of bytes at the end that may begin a code point: 0 to 3. */
function cutLength(bytes: Uint8Array, end: number): number {
  for (let length = 1; length <= 3; length++) {
    const byte = bytes[end - length]!;
    if (byte < 0x80) return length - 1;
    if (byte >= 0xc0) return length;
  }
  return 0;
}

/**
 * Decodes UTF-8 that arrives in pieces: the bytes of a code point that a piece cuts are kept for the next one.
 *
 * @example
 * ```ts
 * import { Utf8Decoder } from "@tackline/websocket/frame";
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

  /** True if no bytes are kept for the next piece. */
  get complete(): boolean {
    return this.#validator.complete;
  }

  /** Forgets the kept bytes. */
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
