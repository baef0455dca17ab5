/**
 * Base64, natively, for bytes that have to pass as text.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/**
 * Encodes.
 *
 * @param bytes The bytes.
 * @returns Their text (RFC 4648 §4).
 */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/**
 * Decodes.
 *
 * @param text What {@linkcode toBase64} has made.
 * @returns The bytes, in an array of their own.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "base64"));
}
