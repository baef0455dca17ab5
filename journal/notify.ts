/**
 * Notices from a journal to its listener.
 *
 * @module
 */

import { describe, JournalError } from "../base/errors.ts";
import type { JournalEntry, JournalListener } from "./journal.ts";
import { trimmedError } from "./receiver_names.ts";

/**
 * Notifies the listener of a new entry. An exception of the listener becomes an `ERR_JOURNAL_LISTENER`, so that the
 * next entries are delivered all the same.
 *
 * @param listener The listener, if there is one.
 * @param entry The notification.
 */
export function notifyAppended(listener: JournalListener | undefined, entry: JournalEntry): void {
  try {
    listener?.appended(entry);
  } catch (cause) {
    const message = `Notification ${entry.seq} cannot be handed on: ${describe(cause)}`;
    listener?.error(new JournalError("ERR_JOURNAL_LISTENER", message, { cause }));
  }
}

/**
 * Notifies the listener of receivers that retention has overtaken: each receiver once, all in one error.
 *
 * @param listener The listener, if there is one.
 * @param cursors Cursors of the receivers, by name.
 * @param before Sequence number up to which retention had removed notifications before.
 * @param trimmed Sequence number up to which it has removed them now.
 */
export function notifyTrimmed(
  listener: JournalListener | undefined,
  cursors: ReadonlyMap<string, number>,
  before: number,
  trimmed: number,
): void {
  const lost = [...cursors].filter(([, seq]) => seq >= before && seq < trimmed);
  if (lost.length > 0) listener?.error(trimmedError(lost));
}
