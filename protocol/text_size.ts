/**
 * The size of a text in UTF-8, for connections over sockets: long ones are measured by the native encoder. Pages go
 * without it, for the sake of their size.
 *
 * @module
 */

import { byteLength } from "./payload.ts";

/** Units of a text that are measured at a time, and from which on the native encoder is the faster measure. */
const MEASURED_UNITS = 4096;
const encoder = new TextEncoder();
/** Takes the bytes of such a piece; only their number counts. */
let scratch: Uint8Array | undefined;

/**
 * Measures a text; a lone surrogate counts as U+FFFD, as which it is sent.
 *
 * @param text The text.
 * @returns Bytes.
 */
export function textSize(text: string): number {
  if (text.length < MEASURED_UNITS) return byteLength(text);
  const bytes = scratch ??= new Uint8Array(MEASURED_UNITS * 3);
  let size = 0;
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + MEASURED_UNITS, text.length);
    // A pair of surrogates is measured as one.
    if (end < text.length && isLowSurrogate(text.charCodeAt(end))) end--;
    size += encoder.encodeInto(text.slice(start, end), bytes).written;
    start = end;
  }
  return size;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
