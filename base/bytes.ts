/**
 * Putting byte arrays together.
 *
 * @module
 */

/** No bytes. */
export const EMPTY: Uint8Array<ArrayBuffer> = /* @__PURE__ */ new Uint8Array(0);

/**
 * Makes one array of several.
 *
 * @param pieces The arrays, in order.
 * @returns A copy, always: the owners of the pieces may go on using them.
 */
export function concat(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatAll(pieces);
}

/**
 * Makes one array of any number of arrays, which may be too many for arguments of a call.
 *
 * @param pieces The arrays, in order.
 * @returns A copy.
 */
export function concatAll(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
