/**
 * The contract of a log of notifications, and what its implementations share.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe, JournalError, OptionError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";
import { trimmedError } from "./receiver_names.ts";
import type { SequenceRange } from "./sequence_ranges.ts";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;

/** What was taken: nobody else has it now. */
export interface TakenEntries {
  /** What another server had taken before, which is dead, or whose receivers have gone. */
  readonly again: readonly JournalEntry[];
  /** What nobody has had yet. */
  readonly new: readonly JournalEntry[];
  /** Ranges that retention has taken before delivery, or that the journal has lost. */
  readonly gaps?: readonly SequenceRange[];
}

/** A place that receivers of one name share, wherever they are. */
export interface SharedPlace {
  /**
   * Takes notifications for the receivers here.
   *
   * @param count The most of them.
   * @returns In the order of `seq`; none: there are no more at the moment. Rejects with a `JournalError` if the journal cannot be read.
   */
  take(count: number): Promise<TakenEntries>;
  /**
   * Some that were taken are done.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): void;
  /** No receiver is here any more; what was taken and is not done goes to the others. */
  leave(): void;
}

/** A notification to be kept. */
export interface NewEntry {
  /** The body as it came. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none. */
  readonly signature: string;
  /** When it came, by the clock on the wall. */
  readonly receivedAt: Date;
  /** The SHA-256 digest of the body: what tells a retry. */
  readonly digest: Uint8Array;
  /** `false`: only the digest is kept, so that a retry is recognised; nobody gets it. */
  readonly forward: boolean;
}

/** A notification that is kept. */
export interface JournalEntry {
  /** Its place in the journal, from 1: grows, but may leave numbers out. */
  readonly seq: number;
  /** The body as it came. */
  readonly bytes: Uint8Array;
  /** The value of `X-Hub-Signature-256`; "" if there was none. */
  readonly signature: string;
  /** When it came, by the clock on the wall. */
  readonly receivedAt: Date;
  /**
   * Set where the journal cannot give any more what it kept, since its file is damaged: all behind this number up to `seq` is lost, and
   * `bytes` is empty. Receivers are told of a gap.
   */
  readonly lostAfter?: number | undefined;
}

/** What {@linkcode Journal.append} says. */
export interface Appended {
  /** The place of the notification; for a duplicate, of the first one. */
  readonly seq: number;
  /** Whether the same body is there already: then nothing was kept. */
  readonly duplicate: boolean;
}

/** What a journal tells its owner. */
export interface JournalListener {
  /**
   * A notification is kept, and is to be delivered. Called in the order of `seq`, before `append` resolves.
   *
   * @param entry The notification.
   */
  appended(entry: JournalEntry): void;
  /**
   * Something went wrong outside of a call: a cursor could not be written, or retention took what a receiver had not acknowledged.
   *
   * @param error What.
   */
  error(error: JournalError): void;
  /** More was lost than was known: {@linkcode Journal.lost} has changed. Receivers that have passed it over are to be told. */
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
 *     if (entries.length === 0) return count;
 *     count += entries.length;
 *     after = entries[entries.length - 1].seq;
 *   }
 * }
 * assertEquals(await countAll(new MemoryJournal()), 0);
 * ```
 */
export interface Journal {
  /** Names this journal for ever: sequence numbers of another one mean nothing. */
  readonly id: string;
  /** Whether what is in it outlives the process. */
  readonly durable: boolean;
  /** The highest sequence number so far; 0: nothing was ever kept. */
  readonly last: number;
  /** Up to here retention has taken notifications away; 0: none. */
  readonly trimmed: number;
  /** Notifications that were kept, and lost behind `trimmed`; for journals that are kept by another program, such as Redis. */
  readonly lost?: readonly SequenceRange[];
  /**
   * Sets who is told.
   *
   * @param listener The owner; `undefined`: nobody.
   */
  listen(listener: JournalListener | undefined): void;
  /**
   * Whether a body is there already.
   *
   * @param digest Its SHA-256 digest.
   * @returns `true` for a retry.
   */
  has(digest: Uint8Array): Promise<boolean>;
  /**
   * Keeps a notification.
   *
   * @param entry The notification. Nobody may change its bytes any more.
   * @returns Resolves when it is kept for sure. Rejects with a {@linkcode JournalError} if it cannot be; then it is not kept.
   */
  append(entry: NewEntry): Promise<Appended>;
  /**
   * Reads what is to be delivered.
   *
   * @param after Only what comes behind this sequence number.
   * @param count The most entries. Fewer may come, for the memory's sake; none: there are no more.
   * @returns In the order of `seq`.
   */
  read(after: number, count: number): Promise<JournalEntry[]>;
  /**
   * How far a receiver has come.
   *
   * @param name Its name.
   * @returns The sequence number up to which it has acknowledged everything; `undefined`: it never came.
   */
  cursor(name: string): Promise<number | undefined>;
  /**
   * Lets a receiver in under a name. One that is new is kept before this resolves, so that from then on nothing is left out for it, also
   * after a crash. Until {@linkcode Journal.release} it has a connection, and does not expire.
   *
   * @param name Its name.
   * @param start Where it begins, if the name is new.
   * @param shared Whether its place is one of {@linkcode Journal.share}.
   * @returns The sequence number up to which it has acknowledged everything. Rejects with a {@linkcode JournalError}: with
   * `ERR_JOURNAL_RECEIVERS` if there are too many names, or with another code if the name cannot be kept.
   */
  admit(name: string, start: number, shared: boolean): Promise<number>;
  /**
   * Keeps how far a receiver has come, soon. After a crash an older value may be there: then the receiver gets some notifications twice.
   *
   * @param name Its name.
   * @param seq The sequence number up to which it has acknowledged everything.
   */
  saveCursor(name: string, seq: number): void;
  /**
   * No connection of a receiver is on this server any more.
   *
   * @param name Its name.
   */
  release(name: string): void;
  /**
   * A place that the receivers of a name share, wherever they are. Without it, those of one server share one place.
   *
   * @param name The name.
   * @param start Where it begins, if it is new.
   * @param wanted Tells what its receivers want: those of all servers must want the same, or `take` rejects with `ERR_JOURNAL_CONFLICT`.
   * @param wake Called when there may be something to take, besides what `appended` tells.
   * @returns The place.
   */
  share?(name: string, start: number, wanted: string, wake: () => void): SharedPlace;
  /** Writes what is not written yet, and ends. */
  close(): Promise<void>;
}

/** How long a journal keeps what. */
export interface JournalRetention {
  /**
   * How long notifications are kept, in ms; 0: no limit. Time counts while the journal is open only, so that neither a clock that
   * jumps nor a long stop takes anything away.
   * @default {2592000000}
   */
  maxAge?: number;
  /**
   * The most bytes of all bodies that are kept; 0: no limit. The oldest go first. At least 16 MiB.
   * @default {1073741824}
   */
  maxBytes?: number;
  /**
   * The most names of receivers that are kept; 0: no limit. Beyond it a receiver with a new name is refused, unless one of the names has
   * expired.
   * @default {10000}
   */
  maxReceivers?: number;
  /**
   * How long the name of a receiver is kept without a connection, in ms, at least an hour; 0: no limit. Then it is forgotten, which is
   * reported, and when it comes again it is new. Time counts while the journal is open only.
   * @default {7776000000}
   */
  maxReceiverAge?: number;
  /**
   * Time, for tests.
   * @default {systemClock}
   */
  clock?: Clock;
}

/**
 * Tells the owner of a journal what is kept. What it throws is no reason to treat the others otherwise.
 *
 * @param listener The owner.
 * @param entry The notification.
 */
export function tellAppended(listener: JournalListener | undefined, entry: JournalEntry): void {
  try {
    listener?.appended(entry);
  } catch (cause) {
    const message = `Notification ${entry.seq} cannot be handed on: ${describe(cause)}`;
    listener?.error(new JournalError("ERR_JOURNAL_LISTENER", message, { cause }));
  }
}

/**
 * Tells the owner of a journal which receivers have lost something to retention, each once, in one error.
 *
 * @param listener The owner.
 * @param cursors How far the receivers have come, by name.
 * @param before Up to here retention had taken things away before.
 * @param trimmed And up to here now.
 */
export function tellTrimmed(
  listener: JournalListener | undefined,
  cursors: ReadonlyMap<string, number>,
  before: number,
  trimmed: number,
): void {
  const lost = [...cursors].filter(([, seq]) => seq >= before && seq < trimmed);
  if (lost.length > 0) listener?.error(trimmedError(lost));
}

/** For so long a retry is recognised, in ms: Meta tries for 7 days. */
export const DIGEST_AGE: number = 8 * 24 * 3600 * 1000;

/**
 * The retention of a journal, checked.
 *
 * @param retention What was given.
 * @param maxBytes The default of `maxBytes`.
 * @returns With defaults.
 * @throws {OptionError} If a value is out of range.
 */
export function checkRetention(retention: JournalRetention, maxBytes: number): Required<JournalRetention> {
  const defaults = { maxAge: 30 * DAY, maxBytes, maxReceivers: 10_000, maxReceiverAge: 90 * DAY, clock: systemClock };
  const checked = { ...defaults, ...retention };
  assertNumber("maxAge", checked.maxAge);
  assertNumber("maxBytes", checked.maxBytes);
  assertNumber("maxReceivers", checked.maxReceivers);
  assertNumber("maxReceiverAge", checked.maxReceiverAge);
  if (checked.maxReceiverAge !== 0 && checked.maxReceiverAge < HOUR) {
    throw new OptionError(`The setting "maxReceiverAge" is ${checked.maxReceiverAge}: less than ${HOUR}`);
  }
  if (checked.maxBytes !== 0 && checked.maxBytes < 16 * MIB) {
    throw new OptionError(`The setting "maxBytes" is ${checked.maxBytes}: less than ${16 * MIB}`);
  }
  return checked;
}
