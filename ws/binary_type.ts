/**
 * Forms of binary messages.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Class `Buffer` of Node, where its types are there; otherwise that of its parent. */
export type NodeBuffer = typeof globalThis extends { Buffer: { alloc(size: number): infer Instance } } ? Instance
  : Uint8Array<ArrayBuffer>;

/** Form of binary messages. */
export type BinaryType = "nodebuffer" | "arraybuffer" | "fragments";

/** A message, for listeners of `on`. */
export type RawData = NodeBuffer | ArrayBuffer | NodeBuffer[];

/** A message, for listeners of `addEventListener`: a text is a string. */
export type Data = string | RawData;

/**
 * Tells whether a value is a form of binary messages.
 *
 * @param value The value.
 * @returns `true` if it is.
 */
export function isBinaryType(value: unknown): value is BinaryType {
  return value === "nodebuffer" || value === "arraybuffer" || value === "fragments";
}

/**
 * Gives the bytes of a message, which belong to the program, a form.
 *
 * @param bytes The bytes.
 * @param type The form.
 * @returns The message, without a copy of whole buffers.
 */
export function toRawData(bytes: Uint8Array<ArrayBuffer>, type: BinaryType): RawData {
  const { buffer, byteOffset, byteLength } = bytes;
  if (type === "arraybuffer") {
    return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
  }
  const view = Buffer.from(buffer, byteOffset, byteLength) as NodeBuffer;
  return type === "fragments" ? [view] : view;
}
