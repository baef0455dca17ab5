/**
 * Classes of characters: tokens (RFC 9110 §5.6.2) and visible ASCII, by a table and a loop.
 *
 * @module
 */

/** RFC 9110 §5.6.2: whether an octet may stand in a token. */
const TOKEN: Uint8Array = /* @__PURE__ */ makeTokenTable();

function makeTokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
    table[char.charCodeAt(0)] = 1;
  }
  return table;
}

/**
 * Tells whether a text is a token (RFC 9110 §5.6.2), as methods, header names and subprotocols are.
 *
 * @param text The text.
 * @returns `true` if it is a token; an empty text is none.
 */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isTokenCode(text.charCodeAt(at))) return false;
  return text.length > 0;
}

/**
 * Tells whether a character may stand in a token.
 *
 * @param code Its code.
 * @returns `true` if it may.
 */
export function isTokenCode(code: number): boolean {
  return code < 128 && TOKEN[code] === 1;
}

/**
 * Tells whether a text has visible ASCII characters only: no spaces, no controls.
 *
 * @param text The text.
 * @returns `true` if so; for an empty text too.
 */
export function isVisibleAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code > 0x7e) return false;
  }
  return true;
}

/**
 * Tells whether `Headers` takes a text as a value: white space around it is cut off.
 *
 * @param text The text.
 * @returns `true` if it has no line breaks, no NUL, and nothing that is not Latin-1.
 */
export function isFieldValue(text: string): boolean {
  const trimmed = text.trim();
  for (let at = 0; at < trimmed.length; at++) {
    const code = trimmed.charCodeAt(at);
    if (code === 0 || code === 0x0a || code === 0x0d || code > 0xff) return false;
  }
  return true;
}

/**
 * Tells whether a text may be written into a head as it is (RFC 9110 §5.5): `Headers` lets more pass.
 *
 * @param text The text.
 * @returns `true` if it has no controls but tabs, and nothing that is not Latin-1.
 */
export function isFieldContent(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}
