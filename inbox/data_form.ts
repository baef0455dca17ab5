/**
 * Forms of a program's binary messages beside those of the inbox subprotocol: with a line before them in version 2;
 * version 1 carries none.
 *
 * @module
 */

import { BinaryForm, type BinaryFormOptions } from "../connection/binary_form.ts";
import { DATA_LINE, decodeInboxMessage, INBOX_PROTOCOL, INBOX_PROTOCOL_V2, isData } from "./protocol.ts";

/**
 * Makes the form for a connection.
 *
 * @param version Version of the subprotocol.
 * @param peer Name of the other side, for the error of bytes that cannot be sent.
 * @param events Callbacks of the form.
 * @returns The form.
 */
export function dataForm(
  version: 1 | 2,
  peer: string,
  events: Pick<BinaryFormOptions, "leftOut" | "messageEnded">,
): BinaryForm {
  const refusal = `the ${peer} speaks "${INBOX_PROTOCOL}", which carries none; both sides need ` +
    `"${INBOX_PROTOCOL_V2}" in "protocols"`;
  return version === 1
    ? new BinaryForm({ ...events, prefix: undefined, refusal, read: () => undefined })
    : new BinaryForm({ ...events, prefix: DATA_LINE, refusal, read: readData });
}

/** Reads bytes of the peer's program; the reader of the subprotocol reports messages that break it. */
function readData(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  try {
    const message = decodeInboxMessage(bytes);
    return isData(message) ? message.body.slice() : undefined;
  } catch {
    return undefined;
  }
}
