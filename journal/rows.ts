/**
 * Reading the table of notifications, also where the file is damaged: what cannot be read, or is not what was written, is skipped.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import type { JournalEntry } from "./journal.ts";

/** Sequence numbers that are tried in one call behind a place that cannot be read: each costs some 20 µs. */
const MAX_TRIES = 1000;
/** Damaged places that are remembered, and reported one by one. */
const MAX_PLACES = 1000;
/** A disk that does not answer may do so later: for so long what it holds is not given up, in ms. */
const PATIENCE = 60_000;
const NO_BYTES = new Uint8Array(0);
/** SQLITE_CORRUPT and SQLITE_IOERR: the low byte of an error's number. */
const CORRUPT = 11;
const IO_ERROR = 10;

/** The journal behind {@linkcode JournalRows}. */
export interface JournalRowsOwner {
  /** The highest sequence number so far. */
  last(): number;
  /** Something cannot be read any more; each place is told once. */
  damaged(error: JournalError): void;
}

/** The range behind one sequence number, up to another one. */
interface Place {
  after: number;
  until: number;
}

/** A row, and how many bytes its body has. */
export interface RowSize {
  /** Its place in the journal. */
  readonly seq: number;
  /** Bytes; 0 if it cannot be read. */
  readonly size: number;
  /** How long the journal had been open when it came, in ms. */
  readonly age: number;
  /** Whether the rows up to `seq` cannot be read. */
  readonly damaged: boolean;
}

/**
 * Checksum of a row, to tell whether it is as it was written: CRC-32 over all that a receiver gets. The digest in the row will not do: it
 * may be over more than the body, and a signature that has changed stops a receiver as a body does.
 *
 * @param bytes The body.
 * @param signature Its signature.
 * @param receivedAt When it came, in ms.
 * @returns A number of 32 bits.
 */
export function checksumOf(bytes: Uint8Array, signature: string, receivedAt: number): number {
  return crc32(`${receivedAt} ${signature}`, crc32(bytes));
}

/**
 * Whether the file is damaged, as opposed to a disk that is full, busy or away.
 *
 * @param error What SQLite threw.
 * @returns `true` if it is damaged.
 */
export function isDamage(error: unknown): boolean {
  return numberOf(error) === CORRUPT || (error as { code?: unknown }).code === "ERR_OUT_OF_RANGE";
}

function numberOf(error: unknown): number {
  return Number((error as { errcode?: unknown }).errcode) & 0xff;
}

/** The table of notifications, for reading. */
export class JournalRows {
  #owner: JournalRowsOwner;
  #clock: Clock;
  #from: StatementSync;
  #sizes: StatementSync;
  #sum: StatementSync;
  #age: StatementSync;
  #reported: Place[] = [];
  /** Ranges that cannot be read, since the file is damaged. */
  #unreadable: Place[] = [];
  /** Places where the disk does not answer, and since when, in ms. */
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
   * The next notification.
   *
   * @param after It comes behind this sequence number.
   * @returns The notification, or what is lost in its place; `undefined`: there are no more.
   */
  next(after: number): JournalEntry | undefined {
    const found = this.#find(this.#from, after);
    if (found.row === undefined) {
      return found.until === undefined ? undefined : this.#lose(after, found.until, describe(found.error));
    }
    // What could not be read before it is told first; then it is looked for again.
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
   * The next row, to be freed. In a transaction, which SQLite spoils where it finds damage: what is not known yet to be damaged throws, see
   * {@linkcode JournalRows.findDamage}.
   *
   * @param after It comes behind this sequence number.
   * @returns Its size, or what stands before it and cannot be read; `undefined`: there are no more.
   */
  nextSize(after: number): RowSize | undefined {
    const place = this.#unreadable.find((one) => one.after <= after && one.until > after);
    if (place !== undefined) return { seq: place.until, size: 0, age: 0, damaged: true };
    const row = this.#sizes.get(after + 1);
    return row && { seq: Number(row.seq), size: Number(row.size), age: Number(row.age_clock), damaged: false };
  }

  /**
   * How many bytes the bodies have.
   *
   * @param after Of those behind this sequence number.
   * @returns Bytes.
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
   * When the last row came.
   *
   * @returns How long the journal had been open, in ms; 0: there is none, or it cannot be read.
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
   * Looks for what cannot be read, outside of transactions.
   *
   * @param after Behind this sequence number, at once.
   * @returns Whether something was found that was not known.
   */
  findDamage(after: number): boolean {
    const known = this.#unreadable.length;
    this.#find(this.#sizes, after);
    return this.#unreadable.length > known;
  }

  /** @returns `until`: what is behind `after` up to it cannot be read. */
  #find(
    statement: StatementSync,
    after: number,
  ): { row?: Record<string, unknown>; until?: number; error?: unknown } {
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

  /** Whether the disk has not answered at this place for long enough. */
  #isGivenUp(seq: number, error: unknown): boolean {
    if (numberOf(error) !== IO_ERROR) return false;
    const now = this.#clock.now();
    const since = this.#failing.get(seq) ?? now;
    if (this.#failing.size >= MAX_PLACES) this.#failing.clear();
    this.#failing.set(seq, since);
    return now - since >= PATIENCE;
  }

  #lose(after: number, until: number, why: string): JournalEntry {
    if (note(this.#reported, after, until)) this.#report(after, until, why);
    return { seq: until, bytes: NO_BYTES, signature: "", receivedAt: new Date(0), lostAfter: after };
  }

  #report(after: number, until: number, why: string): void {
    const which = until === after + 1 ? `notification ${until}` : `notifications ${after + 1} to ${until}`;
    const rest = this.#reported.length === MAX_PLACES ? "; what else is damaged is not reported any more" : "";
    const message = `The journal is damaged: ${which} cannot be delivered: ${why}${rest}`;
    this.#owner.damaged(new JournalError("ERR_JOURNAL_DAMAGED", message));
  }
}

/** Adds a place to those that are known, unless it is in one of them. */
function note(places: Place[], after: number, until: number): boolean {
  if (places.length >= MAX_PLACES) return false;
  if (places.some((one) => one.after <= after && one.until >= until)) return false;
  places.push({ after, until });
  return true;
}

function faultOf(receivedAt: unknown, signature: unknown, raw: unknown, checksum: unknown): string | undefined {
  if (
    !(raw instanceof Uint8Array) || typeof signature !== "string" ||
    Number.isNaN(new Date(Number(receivedAt)).getTime())
  ) {
    return "a column is of the wrong type";
  }
  // A row of a version that kept no checksum has none.
  if (checksum === null || checksum === checksumOf(raw, signature, Number(receivedAt))) return undefined;
  return "its bytes are not those that were written";
}
