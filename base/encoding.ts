/**
 * Base64 and hexadecimal digits, natively, for bytes that have to pass as text.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/**
 * Encodes bytes in base64.
 *
 * @param bytes The bytes.
 * @returns The text (RFC 4648 §4).
 */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/**
 * Decodes base64.
 *
 * @param text Text as {@linkcode toBase64} makes it.
 * @returns The bytes, in an array of their own.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "base64"));
}

/**
 * Writes bytes in hexadecimal digits.
 *
 * @param bytes The bytes.
 * @returns Two lower-case digits for each byte.
 */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
