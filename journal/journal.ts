/**
 * The contract of a log of notifications.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { JournalError } from "../base/errors.ts";
import type { SequenceRange } from "./sequence_ranges.ts";

/** Notifications taken from a {@linkcode SharedCursor}: no other server works on them. */
export interface TakenEntries {
  /** Notifications taken before by a server that is dead, or whose receivers have gone. */
  readonly again: readonly JournalEntry[];
  /** Notifications not taken before. */
  readonly new: readonly JournalEntry[];
  /** Ranges that retention has removed before delivery, or that the journal has lost. */
  readonly gaps?: readonly SequenceRange[] | undefined;
}

/** A cursor that receivers of one name share, on whichever servers they are. */
export interface SharedCursor {
  /**
   * Takes notifications for the receivers here.
   *
   * @param count Maximum of notifications.
   * @returns Entries in the order of `seq`; none: there are no more at present. Rejects with a `JournalError` if the
   * journal cannot be read.
   */
  take(count: number): Promise<TakenEntries>;
  /**
   * Acknowledges notifications that were taken.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void;
  /** Departs when no receiver is here any more: notifications taken and not acknowledged go to the other servers. */
  leave(): void;
}

/** A notification to be kept. */
export interface NewEntry {
  /** The body as it came. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none. */
  readonly signature: string;
  /** Time of arrival, by the wall clock. */
  readonly receivedAt: Date;
  /** SHA-256 digest of the body, by which a retry is recognised. */
  readonly digest: Uint8Array;
  /** `false`: only the digest is kept, to recognise a retry; it is not delivered. */
  readonly forward: boolean;
}

/** A notification that is kept. */
export interface JournalEntry {
  /** Sequence number in the journal, from 1: it grows, but may leave numbers out. */
  readonly seq: number;
  /** The body as it came. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none. */
  readonly signature: string;
  /** Time of arrival, by the wall clock. */
  readonly receivedAt: Date;
  /**
   * Set where the file of the journal is damaged: the notifications behind this number, up to `seq`, are lost, and
   * `bytes` is empty. Receivers get a gap.
   */
  readonly lostAfter?: number | undefined;
}

/** Result of {@linkcode Journal.append}. */
export interface Appended {
  /** Sequence number of the notification; for a duplicate, of the first one. */
  readonly seq: number;
  /** `true` if the same body is in the journal already: nothing was kept. */
  readonly duplicate: boolean;
}

/** Listener of a journal. */
export interface JournalListener {
  /**
   * Called when a notification is kept and is to be delivered: in the order of `seq`, before `append` resolves.
   *
   * @param entry The notification.
   */
  appended(entry: JournalEntry): void;
  /**
   * Called for a failure outside of a call: a cursor could not be written, or retention removed notifications that a
   * receiver had not acknowledged.
   *
   * @param error The failure.
   */
  error(error: JournalError): void;
  /**
   * Called when {@linkcode Journal.lost} has more ranges than before, so that receivers that have skipped them can be
   * notified.
   */
  lost?(): void;
}

/**
 * A log of notifications with the cursors of its receivers. All implementations pass one test suite.
 *
 * @example Read everything
 * ```ts
 * import { type Journal, MemoryJournal } from "@tackline/websocket/whatsapp";
 * import { assertEquals } from "@std/assert";
 *
 * async function countAll(journal: Journal): Promise<number> {
 *   let count = 0;
 *   let after = 0;
 *   for (;;) {
 *     const entries = await journal.read(after, 100);
 *     const last = entries.at(-1);
 *     if (last === undefined) return count;
 *     count += entries.length;
 *     after = last.seq;
 *   }
 * }
 * assertEquals(await countAll(new MemoryJournal()), 0);
 * ```
 */
export interface Journal {
  /** Permanent ID of the journal: sequence numbers of another journal mean nothing. */
  readonly id: string;
  /** `true` if the content outlives the process. */
  readonly durable: boolean;
  /** Highest sequence number so far; 0: nothing was ever kept. */
  readonly last: number;
  /** Sequence number up to which retention has removed notifications; 0: none. */
  readonly trimmed: number;
  /** Ranges beyond `trimmed` that were kept, and lost again by the program that keeps them, such as Redis. */
  readonly lost?: readonly SequenceRange[] | undefined;
  /**
   * Sets the listener.
   *
   * @param listener The owner; `undefined`: none.
   */
  listen(listener: JournalListener | undefined): void;
  /**
   * Recognises a retry.
   *
   * @param digest SHA-256 digest of a body.
   * @returns `true` if the same body is in the journal.
   */
  has(digest: Uint8Array): Promise<boolean>;
  /**
   * Keeps a notification.
   *
   * @param entry The notification, whose bytes must not change any more.
   * @returns Resolves when it is safe. Rejects with a {@linkcode JournalError} if it is not kept.
   */
  append(entry: NewEntry): Promise<Appended>;
  /**
   * Reads notifications to deliver.
   *
   * @param after Sequence number after which to begin.
   * @param count Maximum of entries; fewer may come, to save memory; none: there are no more.
   * @returns Entries in the order of `seq`.
   */
  read(after: number, count: number): Promise<JournalEntry[]>;
  /**
   * Reads the cursor of a receiver.
   *
   * @param name Its name.
   * @returns Sequence number up to which it has acknowledged all notifications; `undefined` if the name is unknown.
   */
  cursor(name: string): Promise<number | undefined>;
  /**
   * Admits a receiver under a name. A new name is kept before this resolves, so that its receiver misses nothing from
   * then on, not even after a crash. Until {@linkcode Journal.release} the name is connected, and does not expire.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @param shared `true` if its cursor is one of {@linkcode Journal.share}.
   * @returns Sequence number up to which it has acknowledged all notifications. Rejects with a {@linkcode
   * JournalError}: with `ERR_JOURNAL_RECEIVERS` if there are too many names, or with another code if the name cannot be
   * kept.
   */
  admit(name: string, start: number, shared: boolean): Promise<number>;
  /**
   * Moves the cursor of a receiver; it is written soon. After a crash it may be older: the receiver then gets some
   * notifications twice.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  saveCursor(name: string, seq: number): void;
  /**
   * Releases a receiver whose last connection to this server has ended.
   *
   * @param name Its name.
   */
  release(name: string): void;
  /**
   * Joins a cursor that the receivers of a name share, on whichever servers they are. A journal without this method has
   * one cursor for the receivers of each server.
   *
   * @param name The name.
   * @param start Sequence number to begin after, if the cursor is new.
   * @param wanted Filters of the receivers: on all servers they must be the same, or `take` rejects with
   * `ERR_JOURNAL_CONFLICT`.
   * @param wake Called when there may be notifications to take, in addition to `appended`.
   * @returns The part of this server in the cursor.
   */
  share?(name: string, start: number, wanted: string, wake: () => void): SharedCursor;
  /** Writes all that is not written yet, and closes the journal. */
  close(): Promise<void>;
}

/** Limits of what a journal keeps. */
export interface JournalRetention {
  /**
   * Maximum age of notifications, in ms; 0: no limit. Time counts only while the journal is open, so that neither a
   * clock that jumps nor a long stop removes any.
   * @default {2592000000}
   */
  maxAge?: number | undefined;
  /**
   * Maximum of bytes of all bodies, at least 16 MiB; 0: no limit. The oldest notifications are removed first.
   * @default {1073741824}
   */
  maxBytes?: number | undefined;
  /**
   * Maximum of names of receivers; 0: no limit. Beyond it a receiver with a new name is refused, unless one of the
   * names has expired.
   * @default {10000}
   */
  maxReceivers?: number | undefined;
  /**
   * Maximum time that the name of a receiver is kept without a connection, in ms, at least an hour; 0: no limit. An
   * expired name is reported, and new when its receiver connects again. Time counts only while the journal is open.
   * @default {7776000000}
   */
  maxReceiverAge?: number | undefined;
  /** Clock, to be replaced in tests. */
  clock?: Clock | undefined;
}
