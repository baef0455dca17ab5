/**
 * Notifications in the form that the stream of Redis keeps them.
 *
 * @module
 */

import { fromBase64, toBase64 } from "../base/encoding.ts";
import type { JournalEntry } from "../journal/journal.ts";

/**
 * Encodes a body for Redis, whose clients send text: as it is if it is UTF-8, as all bodies of Meta are, else in
 * Base64.
 *
 * @param bytes The body.
 * @returns "t" for text or "b" for Base64, and the body.
 */
export function encodeBody(bytes: Uint8Array): [kind: string, body: string] {
  try {
    return ["t", new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return ["b", toBase64(bytes)];
  }
}

/**
 * Decodes an entry of a script's answer.
 *
 * @param fields Sequence number, kind, body, signature, time in ms.
 * @returns The entry.
 */
export function decodeEntry([seq, kind, body, signature, time]: readonly string[]): JournalEntry {
  const bytes = kind === "t" ? new TextEncoder().encode(body) : fromBase64(body!);
  return { seq: Number(seq), bytes, signature: signature!, receivedAt: new Date(Number(time)) };
}

/**
 * Decodes the answer of `XREAD` for one stream: a list of lists, one list, or an object, by client and version of the
 * protocol.
 *
 * @param answer The answer.
 * @returns The entries, in their order.
 */
export function decodeStream(answer: unknown): JournalEntry[] {
  return rowsOf(answer).map(([id, [kind, body, , signature, , time]]) =>
    decodeEntry([id.split("-")[0]!, kind!, body!, signature!, time!])
  );
}

function rowsOf(answer: unknown): [id: string, fields: string[]][] {
  if (!Array.isArray(answer)) return Object.values(answer as object)[0];
  return typeof answer[0] === "string" ? answer[1] : answer[0][1];
}
