/**
 * Payloads of messages: what comes, and what a program sends, checked, measured and brought into one form; and the
 * payload of close frames.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { describe, isValidCloseCode, OptionError } from "../base/errors.ts";
import { findRemedy } from "../base/remedies.ts";
import { MAX_CONTROL_PAYLOAD } from "./frame_header.ts";

/** A message as it comes: text or bytes. The bytes belong to the program. */
export type MessageData = string | Uint8Array<ArrayBuffer>;

/**
 * Bytes to send: an `ArrayBuffer`, a `SharedArrayBuffer`, any view of one, or a `Blob`, which is read before it is
 * sent.
 */
export type SendBytes = ArrayBufferLike | ArrayBufferView | Blob;

/** A message to send: a string as text, bytes as binary. */
export type SendData = string | SendBytes;

/** Text or bytes that are ready to be sent. */
export type Payload = string | Uint8Array;

/**
 * The bytes of a message, without encoding it.
 *
 * @param data The text, the bytes or the `Blob`.
 * @returns Bytes.
 */
export function byteLength(data: Payload | Blob): number {
  if (typeof data === "string") return utf8Length(data);
  return data instanceof Uint8Array ? data.length : data.size;
}

function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    if (code < 0x800) length += 1;
    else if (isPair(code, text.charCodeAt(index + 1))) {
      length += 2;
      index++;
    } else length += 2;
  }
  return length;
}

/**
 * Tells whether two UTF-16 units are one code point.
 *
 * @param first The unit.
 * @param second The one behind it; `NaN` at the end of a text.
 * @returns `true` for a high surrogate and a low one.
 */
export function isPair(first: number, second: number): boolean {
  return first >= 0xd800 && first <= 0xdbff && second >= 0xdc00 && second <= 0xdfff;
}

/**
 * Takes a message of the program: brings bytes of any kind, and of any realm, into one form, without a copy.
 *
 * @param data The message.
 * @param action The call, for the error.
 * @returns The text, a view of the bytes, or the `Blob`.
 * @throws {OptionError} If it is of another type, or its buffer is detached.
 */
export function toPayload(data: unknown, action: string): Payload | Blob {
  if (isReadyPayload(data)) return data;
  if (ArrayBuffer.isView(data)) return viewBytes(data, action);
  if (isBuffer(data)) return bufferBytes(data, action);
  if (isBlob(data)) return data;
  const remedy = findRemedy((remedies) => remedies.forPayload?.(data));
  throw new OptionError(
    `Cannot ${action}: neither a string nor bytes (an ArrayBuffer or a view) nor a Blob but "${kindOf(data)}"${
      remedy === undefined ? "" : `: ${remedy}`
    }`,
    "ERR_PAYLOAD",
  );
}

/**
 * Tells whether a message needs no other form: the two usual kinds.
 *
 * @param data The message.
 * @returns `true` for a string, and for a `Uint8Array` that is not empty: an empty one may be detached.
 */
export function isReadyPayload(data: unknown): data is Payload {
  try {
    return typeof data === "string" || (data instanceof Uint8Array && data.length > 0);
  } catch {
    // An object that only has the prototype of one.
    return false;
  }
}

/**
 * Takes a message that must be sent at once, as {@linkcode toPayload} does.
 *
 * @param data The message.
 * @param action The call, for the error.
 * @returns The text, or a view of the bytes.
 * @throws {OptionError} If it is a `Blob` or of another type, or its buffer is detached.
 */
export function toReadyPayload(data: unknown, action: string): Payload {
  const payload = toPayload(data, action);
  if (typeof payload === "string" || payload instanceof Uint8Array) return payload;
  throw new OptionError(`Cannot ${action}: a Blob must be read first, with its method "bytes"`, "ERR_PAYLOAD");
}

/**
 * Reads a `Blob`.
 *
 * @param blob The blob.
 * @param action The call, for the error.
 * @returns Its bytes; rejects with an {@linkcode OptionError} if it cannot be read.
 */
export async function readBlob(blob: Blob, action: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new OptionError(`Cannot ${action}: the Blob cannot be read: ${describe(cause)}`, "ERR_PAYLOAD", { cause });
  }
}

type Getter = (this: unknown) => unknown;

/** Reads a built-in getter: it throws for any object that is not of its kind, and takes those of other realms. */
function getter(prototype: object | undefined, name: PropertyKey): Getter {
  const get = prototype === undefined ? undefined : Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return get ?? (() => {
    throw new TypeError("There are no such objects");
  });
}

const typedArrays = /* @__PURE__ */ Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const typedArrayName = /* @__PURE__ */ getter(typedArrays, Symbol.toStringTag);
const bufferLength = /* @__PURE__ */ getter(ArrayBuffer.prototype, "byteLength");
// Some pages have none.
const sharedLength = /* @__PURE__ */ getter(globalThis.SharedArrayBuffer?.prototype, "byteLength");
const blobSize = /* @__PURE__ */ getter(globalThis.Blob?.prototype, "size");

function takes(get: Getter, value: unknown): boolean {
  try {
    get.call(value);
    return true;
  } catch {
    return false;
  }
}

function isBuffer(data: unknown): data is ArrayBufferLike {
  return takes(bufferLength, data) || takes(sharedLength, data);
}

function isBlob(data: unknown): data is Blob {
  return takes(blobSize, data);
}

function viewBytes(view: ArrayBufferView, action: string): Uint8Array {
  try {
    // Both throw if the buffer is detached, or ends before the view.
    if (typedArrayName.call(view) === undefined) view.byteLength;
    else typedArrays.at.call(view, 0);
    // A subclass, such as `Buffer`, stays as it is.
    return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch {
    throw detached(action, "of the view ");
  }
}

function bufferBytes(buffer: ArrayBufferLike, action: string): Uint8Array {
  try {
    return new Uint8Array(buffer);
  } catch {
    throw detached(action, "");
  }
}

function detached(action: string, whose: string): OptionError {
  return new OptionError(
    `Cannot ${action}: the buffer ${whose}is detached or has shrunk; send the bytes before you transfer them`,
    "ERR_PAYLOAD",
  );
}

/**
 * Names the kind of a value.
 *
 * @param data The value.
 * @returns The name of its class, if it has one.
 */
export function kindOf(data: unknown): string {
  if (data === null) return "null";
  if (typeof data !== "object") return typeof data;
  try {
    return String(data.constructor?.name ?? "object");
  } catch {
    // A revoked Proxy.
    return "object";
  }
}

/** The longest close reason, in bytes of UTF-8. */
export const MAX_CLOSE_REASON: number = MAX_CONTROL_PAYLOAD - 2;

/**
 * Checks close code and reason (RFC 6455 §5.5.1, §7.4).
 *
 * @param code The close code, or `undefined` for an empty payload.
 * @param reason The reason.
 * @returns The reason in UTF-8.
 * @throws {OptionError} If the code must not be sent, or the reason is too long, no string, or without a code.
 */
export function assertClose(code: number | undefined, reason: string): Uint8Array {
  if (typeof reason !== "string") throw new OptionError(`Cannot close: the reason is of type "${typeof reason}"`);
  if (code === undefined) {
    if (reason !== "") throw new OptionError(`Cannot close: the reason "${reason}" needs a code`);
  } else if (!isValidCloseCode(code)) {
    throw new OptionError(`Cannot close: the code "${code}" must not be sent (1000-1003, 1007-1014 and 3000-4999 may)`);
  }
  const text = new TextEncoder().encode(reason);
  if (text.length <= MAX_CLOSE_REASON) return text;
  throw new OptionError(`Cannot close: a reason of ${text.length} bytes, the most is ${MAX_CLOSE_REASON}`);
}

/**
 * Encodes the payload of a close frame.
 *
 * @param code The close code, or `undefined` for an empty payload.
 * @param reason The reason.
 * @returns The payload.
 * @throws {OptionError} If the code must not be sent, or the reason is too long, no string, or without a code.
 */
export function encodeClosePayload(code: number | undefined, reason: string): Uint8Array {
  const text = assertClose(code, reason);
  if (code === undefined) return EMPTY;
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}
