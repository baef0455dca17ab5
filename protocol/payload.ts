/**
 * Payloads that a program sends: messages and close reasons, checked and measured.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { isValidCloseCode, OptionError } from "../base/errors.ts";
import { MAX_CONTROL_PAYLOAD } from "./frame_header.ts";

/** A message: text or bytes. */
export type MessageData = string | Uint8Array;

/**
 * The bytes of a message, without encoding it.
 *
 * @param data The text or bytes.
 * @returns Bytes.
 */
export function byteLength(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}

function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    if (code < 0x800) length += 1;
    else if (code >= 0xd800 && code <= 0xdbff && isLowSurrogate(text.charCodeAt(index + 1))) {
      length += 2;
      index++;
    } else length += 2;
  }
  return length;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/**
 * Checks a payload the program hands in.
 *
 * @param data The message.
 * @param what The call, for the message.
 * @throws {OptionError} If it is neither a string nor bytes.
 */
export function assertPayload(data: unknown, what: string): asserts data is string | Uint8Array {
  if (typeof data === "string" || data instanceof Uint8Array) return;
  const kind = data === null ? "null" : typeof data === "object" ? data.constructor?.name ?? "object" : typeof data;
  const hint = data instanceof ArrayBuffer ? ": wrap it in one" : "";
  throw new OptionError(`Cannot ${what}: neither a string nor a Uint8Array but "${kind}"${hint}`, "ERR_PAYLOAD");
}

/** The longest close reason, in bytes of UTF-8. */
export const MAX_CLOSE_REASON: number = MAX_CONTROL_PAYLOAD - 2;

/**
 * Encodes the payload of a close frame (RFC 6455 §5.5.1, §7.4).
 *
 * @param code The close code, or `undefined` for an empty payload.
 * @param reason The reason.
 * @returns The payload.
 * @throws {OptionError} If the code must not be sent, or the reason is too long, no string, or without a code.
 */
export function encodeClosePayload(code: number | undefined, reason: string): Uint8Array {
  if (typeof reason !== "string") throw new OptionError(`Cannot close: the reason is of type "${typeof reason}"`);
  if (code === undefined) {
    if (reason !== "") throw new OptionError(`Cannot close: the reason "${reason}" needs a code`);
    return EMPTY;
  }
  if (!isValidCloseCode(code)) {
    throw new OptionError(`Cannot close: the code "${code}" must not be sent (1000-1003, 1007-1014 and 3000-4999 may)`);
  }
  const text = new TextEncoder().encode(reason);
  if (text.length > MAX_CLOSE_REASON) {
    throw new OptionError(`Cannot close: a reason of ${text.length} bytes, the most is ${MAX_CLOSE_REASON}`);
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}
