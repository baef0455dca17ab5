/**
 * Putting byte arrays together.
 *
 * @module
 */

/**
 * Makes one array of several.
 *
 * @param pieces The arrays, in order.
 * @returns A copy, always: the pieces may belong to somebody who goes on using them.
 */
export function concat(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
