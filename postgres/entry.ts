/**
 * Notifications in the form of statements and their answers.
 *
 * @module
 */

import { concatAll } from "../base/bytes.ts";
import type { JournalEntry, NewEntry } from "../journal/journal.ts";
import type { SqlColumn } from "./link.ts";

/**
 * Decodes an entry of an answer.
 *
 * @param columns Number, body, signature, time in ms.
 * @returns The entry.
 */
export function decodeEntry([seq, body, signature, time]: readonly SqlColumn[]): JournalEntry {
  return {
    seq: Number(seq),
    bytes: new Uint8Array(body as Uint8Array),
    signature: new TextDecoder().decode(signature as Uint8Array),
    receivedAt: new Date(Number(time)),
  };
}

/**
 * Encodes notifications as parameters of a statement.
 *
 * @param entries The notifications.
 * @returns For each the place of its digest in the data, the lengths of digest, body and signature, the time in ms, and
 * 1 to forward it; and the data.
 */
export function encodeEntries(entries: readonly NewEntry[]): [items: string, data: Uint8Array] {
  const numbers: number[] = [];
  const parts: Uint8Array[] = [];
  let at = 1;
  for (const { digest, bytes, signature, receivedAt, forward } of entries) {
    const body = forward ? bytes : new Uint8Array();
    const sign = new TextEncoder().encode(forward ? signature : "");
    numbers.push(at, digest.length, body.length, sign.length, receivedAt.getTime() || 0, forward ? 1 : 0);
    parts.push(digest, body, sign);
    at += digest.length + body.length + sign.length;
  }
  return [numbers.join(" "), concatAll(parts)];
}
