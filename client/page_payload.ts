/**
 * Messages that a page sends, of the same kinds as elsewhere: see `protocol/payload.ts`, which takes more bytes.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { kindOf, type Payload } from "../protocol/payload.ts";

/**
 * Tells the kind of a message, of any realm.
 *
 * @param data The message of the program.
 * @returns Text, bytes that a browser takes, or a `Blob`.
 * @throws {OptionError} If it is of another kind, or its memory is gone.
 */
export function toPagePayload(data: unknown): Payload | Blob {
  if (typeof data === "string") return data;
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  if (kind === "Blob" || kind === "File") return data as Blob;
  let bytes: Uint8Array;
  try {
    if (ArrayBuffer.isView(data)) bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else if (kind.endsWith("ArrayBuffer")) bytes = new Uint8Array(data as ArrayBuffer);
    else throw undefined;
  } catch (error) {
    const why = error
      ? "the buffer is detached or has shrunk; send the bytes before you transfer them"
      : `neither a string nor bytes (an ArrayBuffer or a view) nor a Blob but "${kindOf(data)}"`;
    throw new OptionError(`Cannot send: ${why}`, "ERR_PAYLOAD");
  }
  // A browser refuses memory that other threads may change.
  return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}
