/**
 * Forms of a program's binary messages beside those of the inbox subprotocol: with a line before them in version 2;
 * version 1 carries none.
 *
 * @module
 */

import { BinaryForm } from "../connection/binary_form.ts";
import type { StateError } from "../base/errors.ts";
import { DATA_LINE, decodeInboxMessage, INBOX_PROTOCOL, INBOX_PROTOCOL_V2, isData } from "./protocol.ts";

const DATA_FORM: BinaryForm = new BinaryForm({ prefix: DATA_LINE, refusal: "", read: readData });

/**
 * Makes the form for a connection.
 *
 * @param version Version of the subprotocol.
 * @param peer Name of the other side, for the error of bytes that cannot be sent.
 * @param leftOut Called once, with that error, when a broadcast leaves the connection out.
 * @returns The form.
 */
export function dataForm(version: 1 | 2, peer: string, leftOut?: (error: StateError) => void): BinaryForm {
  if (version === 2) return DATA_FORM;
  const refusal = `the ${peer} speaks "${INBOX_PROTOCOL}", which carries none; both sides need ` +
    `"${INBOX_PROTOCOL_V2}" in "protocols"`;
  return new BinaryForm({ prefix: undefined, refusal, leftOut, read: () => undefined });
}

/** Reads bytes of the peer's program; the reader of the subprotocol reports messages that break it. */
function readData(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const message = decodeInboxMessage(bytes);
    return isData(message) ? message.body.slice() : undefined;
  } catch {
    return undefined;
  }
}
