/**
 * Reads the table of notifications, even of a damaged file: rows that cannot be read, or differ from what was written,
 * are skipped.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import type { JournalEntry } from "./journal.ts";
import type { SequenceRange } from "./sequence_ranges.ts";

/** Maximum of sequence numbers tried in one call behind an unreadable one: each costs some 20 µs. */
const MAX_TRIES = 1000;
/** Maximum of damaged ranges that are remembered, and reported one by one. */
const MAX_RANGES = 1000;
/** Time after which rows on a disk that does not answer are given up, in ms: it may answer later. */
const PATIENCE = 60_000;
const NO_BYTES = new Uint8Array(0);
/** SQLITE_CORRUPT and SQLITE_IOERR: low byte of an error's number. */
const CORRUPT = 11;
const IO_ERROR = 10;

/** Owner of {@linkcode JournalRows}. */
export interface JournalRowsOwner {
  /** Highest sequence number so far. */
  last(): number;
  /** Reports rows that cannot be read; each range once. */
  damaged(error: JournalError): void;
}

/** A row, and the size of its body. */
export interface RowSize {
  /** Sequence number. */
  readonly seq: number;
  /** Size in bytes; 0 if it cannot be read. */
  readonly size: number;
  /** Age of the journal when it came, in ms. */
  readonly age: number;
  /** `true` if the rows up to `seq` cannot be read. */
  readonly damaged: boolean;
}

/**
 * Computes the checksum of a row: CRC-32 over all that a receiver gets. The digest in the row does not suffice: it may
 * cover more than the body, and a changed signature stops a receiver as a changed body does.
 *
 * @param bytes The body.
 * @param signature Its signature.
 * @param receivedAt Time of arrival, in ms.
 * @returns A number of 32 bits.
 */
export function checksumOf(bytes: Uint8Array, signature: string, receivedAt: number): number {
  return crc32(`${receivedAt} ${signature}`, crc32(bytes));
}

/**
 * Tells a damaged file from a disk that is full, busy or away.
 *
 * @param error The error of SQLite.
 * @returns `true` if the file is damaged.
 */
export function isDamage(error: unknown): boolean {
  return numberOf(error) === CORRUPT || (error as { code?: unknown }).code === "ERR_OUT_OF_RANGE";
}

function numberOf(error: unknown): number {
  return Number((error as { errcode?: unknown }).errcode) & 0xff;
}

/** Reader of the table of notifications. */
export class JournalRows {
  #owner: JournalRowsOwner;
  #clock: Clock;
  #from: StatementSync;
  #sizes: StatementSync;
  #sum: StatementSync;
  #age: StatementSync;
  #reported: SequenceRange[] = [];
  /** Ranges that cannot be read, since the file is damaged. */
  #unreadable: SequenceRange[] = [];
  /** By sequence number where the disk does not answer: the time since when, in ms. */
  #failing = new Map<number, number>();

  /**
   * Prepares to read.
   *
   * @param db The database.
   * @param owner The journal.
   * @param clock Time.
   */
  constructor(db: DatabaseSync, owner: JournalRowsOwner, clock: Clock) {
    this.#owner = owner;
    this.#clock = clock;
    const rest = "FROM notification WHERE seq >= ? AND raw IS NOT NULL ORDER BY seq LIMIT 1";
    this.#from = db.prepare(`SELECT seq, received_at, signature, raw, checksum ${rest}`);
    this.#sizes = db.prepare(`SELECT seq, length(raw) AS size, age_clock ${rest}`);
    this.#sum = db.prepare("SELECT sum(length(raw)) AS bytes FROM notification WHERE seq > ?");
    this.#age = db.prepare("SELECT age_clock FROM notification ORDER BY seq DESC LIMIT 1");
  }

  /**
   * Reads the next notification.
   *
   * @param after Sequence number before it.
   * @returns The notification, or the range that is lost in its stead; `undefined`: there are no more.
   */
  next(after: number): JournalEntry | undefined {
    const found = this.#find(this.#from, after);
    if (found.row === undefined) {
      return found.until === undefined ? undefined : this.#lose(after, found.until, describe(found.error));
    }
    // The unreadable range before it comes first; the next call finds the row again.
    if (found.until !== undefined) return this.#lose(after, found.until, describe(found.error));
    const { seq, received_at, signature, raw, checksum } = found.row;
    const fault = faultOf(received_at, signature, raw, checksum);
    if (fault !== undefined) return this.#lose(Number(seq) - 1, Number(seq), fault);
    return {
      seq: Number(seq),
      bytes: raw as Uint8Array,
      signature: signature as string,
      receivedAt: new Date(received_at as number),
    };
  }

  /**
   * Reads the size of the next row, in a transaction. Damage spoils a transaction of SQLite: unknown damage throws, see
   * {@linkcode JournalRows.findDamage}.
   *
   * @param after Sequence number before it.
   * @returns Its size, or the unreadable range before it; `undefined`: there are no more.
   */
  nextSize(after: number): RowSize | undefined {
    const range = this.#unreadable.find((one) => one.after <= after && one.until > after);
    if (range !== undefined) return { seq: range.until, size: 0, age: 0, damaged: true };
    const row = this.#sizes.get(after + 1);
    return row && { seq: Number(row.seq), size: Number(row.size), age: Number(row.age_clock), damaged: false };
  }

  /**
   * Sums up the sizes of the bodies.
   *
   * @param after Sequence number after which to begin.
   * @returns Size in bytes.
   */
  sumBytes(after: number): number {
    try {
      return Number(this.#sum.get(after)?.bytes ?? 0);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    let bytes = 0;
    for (let seq = after;;) {
      const { row, until } = this.#find(this.#sizes, seq);
      if (row === undefined && until === undefined) return bytes;
      bytes += Number(row?.size ?? 0);
      seq = Number(row?.seq ?? until);
    }
  }

  /**
   * Reads when the last row came.
   *
   * @returns Age of the journal, in ms; 0: there is no row, or it cannot be read.
   */
  lastAge(): number {
    try {
      return Number(this.#age.get()?.age_clock ?? 0);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return 0;
    }
  }

  /**
   * Looks for damage, outside of transactions.
   *
   * @param after Sequence number directly before it.
   * @returns `true` if damage was found that was not known.
   */
  findDamage(after: number): boolean {
    const before = this.#unreadable.length;
    this.#find(this.#sizes, after);
    return this.#unreadable.length > before;
  }

  /** Finds the next row; `until`: rows behind `after` up to it cannot be read. */
  #find(
    statement: StatementSync,
    after: number,
  ): { row?: Record<string, unknown> | undefined; until?: number | undefined; error?: unknown } {
    let first: unknown;
    const end = Math.min(this.#owner.last(), after + MAX_TRIES);
    for (let seq = after + 1;; seq++) {
      try {
        const row = statement.get(seq);
        if (this.#failing.size > 0) this.#failing.delete(seq);
        const until = seq > after + 1 ? seq - 1 : undefined;
        if (until !== undefined) note(this.#unreadable, after, until);
        return { row, until, error: first };
      } catch (error) {
        if (!isDamage(error) && !this.#isGivenUp(seq, error)) throw error;
        first ??= error;
        if (seq < end) continue;
        note(this.#unreadable, after, seq);
        return { until: seq, error: first };
      }
    }
  }

  /** Returns `true` if the disk has not answered for this row for long enough. */
  #isGivenUp(seq: number, error: unknown): boolean {
    if (numberOf(error) !== IO_ERROR) return false;
    const now = this.#clock.now();
    const since = this.#failing.get(seq) ?? now;
    if (this.#failing.size >= MAX_RANGES) this.#failing.clear();
    this.#failing.set(seq, since);
    return now - since >= PATIENCE;
  }

  #lose(after: number, until: number, why: string): JournalEntry {
    if (note(this.#reported, after, until)) this.#report(after, until, why);
    return { seq: until, bytes: NO_BYTES, signature: "", receivedAt: new Date(0), lostAfter: after };
  }

  #report(after: number, until: number, why: string): void {
    const which = until === after + 1 ? `notification ${until}` : `notifications ${after + 1} to ${until}`;
    const rest = this.#reported.length === MAX_RANGES ? "; further damage is not reported" : "";
    const message = `The journal is damaged: ${which} cannot be delivered: ${why}${rest}`;
    this.#owner.damaged(new JournalError("ERR_JOURNAL_DAMAGED", message));
  }
}

/** Adds a range, unless it is within a known one; returns `true` if it was added. */
function note(ranges: SequenceRange[], after: number, until: number): boolean {
  if (ranges.length >= MAX_RANGES) return false;
  if (ranges.some((one) => one.after <= after && one.until >= until)) return false;
  ranges.push({ after, until });
  return true;
}

function faultOf(receivedAt: unknown, signature: unknown, raw: unknown, checksum: unknown): string | undefined {
  if (
    !(raw instanceof Uint8Array) || typeof signature !== "string" ||
    Number.isNaN(new Date(Number(receivedAt)).getTime())
  ) {
    return "a column is of the wrong type";
  }
  // Rows of an earlier version have no checksum.
  if (checksum === null || checksum === checksumOf(raw, signature, Number(receivedAt))) return undefined;
  return "its bytes differ from those written";
}
