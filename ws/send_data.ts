/**
 * Messages as programs give them to `send`, `ping` and `pong` of npm `ws`: more kinds than this library takes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";
import type { SendData } from "../protocol/payload.ts";

/** An object that stands for a message, as `Buffer.from` takes it. */
export type ConvertibleData =
  | { valueOf(): ArrayBufferLike | Uint8Array | readonly number[] | string }
  | { [Symbol.toPrimitive](hint: string): string };

/**
 * A message to send: a string or a number as text, anything else as binary. A list of numbers is one of octets, a list
 * of bytes becomes one message.
 */
export type SocketData =
  | SendData
  | number
  | readonly number[]
  | readonly Uint8Array[]
  | ConvertibleData
  | null
  | undefined;

/** Options of one message. */
export interface SocketSendOptions {
  /**
   * `true` sends a string as a binary message, `false` sends bytes as a text.
   * @default `false` for strings and numbers
   */
  binary?: boolean | undefined;
  /**
   * `false`: the message is not compressed.
   * @default {true}
   */
  compress?: boolean | undefined;
  /**
   * `false`: a fragment of a message, which the next call continues.
   * @default {true}
   */
  fin?: boolean | undefined;
  /** Ignored: frames of a server are never masked, those of a client always. */
  mask?: boolean | undefined;
}

/**
 * Brings a message into a form that a connection takes.
 *
 * @param data The message.
 * @returns The text, the bytes or the `Blob`.
 * @throws {TypeError} If it is a boolean, a function, or an object that is no message.
 */
export function toSendData(data: SocketData): SendData {
  if (typeof data === "string") return data;
  if (typeof data === "number") return String(data);
  if (data === null || data === undefined) return EMPTY;
  if (typeof data !== "object") {
    throw new TypeError(`Cannot send a value of type "${typeof data}": send a string or bytes`);
  }
  if (ArrayBuffer.isView(data) || isBuffer(data) || isBlob(data)) return data;
  return isList(data) ? Buffer.concat(data) : Buffer.from(data as ArrayLike<number>);
}

function isBuffer(data: object): data is ArrayBufferLike {
  return data instanceof ArrayBuffer || data instanceof SharedArrayBuffer;
}

function isList(data: object): data is Uint8Array[] {
  return Array.isArray(data) && data[0] instanceof Uint8Array;
}

/**
 * Gives a message the kind that the options of a `send` ask for.
 *
 * @param data The message.
 * @param binary The option `binary`.
 * @returns The message, and its kind.
 */
export function withKind(data: SendData, binary: boolean | undefined): { data: SendData; text: boolean } {
  if (typeof data !== "string") return { data, text: binary === false };
  return binary === true ? { data: Buffer.from(data), text: false } : { data, text: true };
}

/**
 * Tells whether a message must be read before it is sent.
 *
 * @param data The message.
 * @returns `true` for a `Blob`.
 */
export function isBlob(data: unknown): data is Blob {
  return data instanceof Blob;
}

/**
 * Measures a message, as `bufferedAmount` counts it.
 *
 * @param data The message.
 * @returns Bytes; 0 for a value that is no message.
 */
export function sizeOf(data: SendData): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return "size" in data ? data.size : data.byteLength;
}
