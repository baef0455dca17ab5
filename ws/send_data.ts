/**
 * Messages as programs give them to `send`, `ping` and `pong` of npm `ws`: more kinds than this library takes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { EMPTY } from "../base/bytes.ts";
import type { SendData } from "../protocol/payload.ts";

/** A message to send: a string or a number as text, anything else as binary. */
export type SocketData = SendData | number | readonly number[] | null | undefined;

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
 * @returns The text, the bytes or the `Blob`. Other objects are left as they are: the connection refuses them.
 * @throws {TypeError} If it is a boolean, a function, or another value that is no message.
 */
export function toSendData(data: SocketData): SendData {
  if (typeof data === "string") return data;
  if (typeof data === "number") return String(data);
  if (data === null || data === undefined) return EMPTY;
  if (typeof data === "object") return Array.isArray(data) ? Uint8Array.from(data) : data as SendData;
  throw new TypeError(`Cannot send a value of type "${typeof data}": send a string or bytes`);
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
export function isBlob(data: SendData): data is Blob {
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
