/**
 * Payloads of control frames that a program sends.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { MAX_CONTROL_PAYLOAD, Opcode } from "../protocol/frame_header.ts";
import { type SendData, toReadyPayload } from "../protocol/payload.ts";

const encoder = new TextEncoder();

/**
 * Reads a payload.
 *
 * @param data The data of the program.
 * @returns Its bytes.
 * @throws {OptionError} If it is of another type, or cannot be read at once.
 */
export function controlPayload(data: SendData): Uint8Array {
  const payload = toReadyPayload(data, "send a control frame");
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

/**
 * Checks that a ping or pong can be sent.
 *
 * @param opcode The opcode.
 * @param payload The payload.
 * @throws {OptionError} If the opcode is another, or the payload is too long.
 */
export function assertPingOrPong(opcode: Opcode, payload: Uint8Array): void {
  if (opcode !== Opcode.Ping && opcode !== Opcode.Pong) {
    throw new OptionError(`Cannot send a control frame: "${opcode}" is not the opcode of one`, "ERR_PAYLOAD");
  }
  if (payload.length <= MAX_CONTROL_PAYLOAD) return;
  throw new OptionError(
    `Cannot send a control frame: ${payload.length} bytes, the most is ${MAX_CONTROL_PAYLOAD}`,
    "ERR_PAYLOAD",
  );
}

/**
 * Reads the payload of a close frame.
 *
 * @param payload The payload.
 * @returns Code and reason, as far as given.
 * @throws {OptionError} If it is one byte.
 */
export function readCloseArguments(payload: Uint8Array): { code?: number | undefined; reason?: string | undefined } {
  if (payload.length === 0) return {};
  if (payload.length === 1) {
    throw new OptionError("Cannot send a control frame: a close frame of one byte", "ERR_PAYLOAD");
  }
  return { code: (payload[0]! << 8) | payload[1]!, reason: new TextDecoder().decode(payload.subarray(2)) };
}
