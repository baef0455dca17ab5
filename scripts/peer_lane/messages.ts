/** Messages of the cases: the same in each run. */

/** Characters of one to four bytes in UTF-8, so that a frame that is cut anywhere is cut inside of one soon. */
const TEXT = "Grüße an 世界 🎉, from A to Z. ";
const encoder = new TextEncoder();
const TEXT_SIZE = encoder.encode(TEXT).length;

/** Makes a text of that many bytes in UTF-8. */
export function textOf(size: number): string {
  const text = TEXT.repeat(Math.floor(size / TEXT_SIZE));
  return text + "x".repeat(size % TEXT_SIZE);
}

/** Makes bytes that a compressor cannot shorten. */
export function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = 0x9e3779b9 ^ size;
  for (let index = 0; index < size; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** Makes bytes that a compressor shortens: lines of a log. */
export function linesOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0, line = 0; at < size; line++) {
    const text = encoder.encode(`${line} of the log, value ${(line * 7919) % 1000}\n`).subarray(0, size - at);
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}
