/**
 * The table of notifications of a journal on SQLite: writing, retention, and transactions that survive damage of the
 * file.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock } from "../base/clock.ts";
import type { JournalError } from "../base/errors.ts";
import type { MetaWriter } from "./database.ts";
import type { Appended, JournalEntry, NewEntry } from "./journal.ts";
import { DIGEST_AGE } from "./retention.ts";
import { checksumOf, isDamage, JournalRows, type RowSize } from "./rows.ts";

/** Maximum of bytes in one read, which one notification may exceed. */
const READ_BYTES = 4 * 1024 * 1024;

/** Notifications of one journal. */
export class NotificationTable {
  #db: DatabaseSync;
  #putMeta: MetaWriter;
  #rows: JournalRows;
  #insert: StatementSync;
  #find: StatementSync;
  #clear: StatementSync;

  // State that a failed transaction restores
  #last = 0;
  #trimmed: number;
  #bytes: number;

  // Damage
  /** Rows that cannot be cleared, since the file is damaged. */
  #stuck = new Set<number>();
  /** Sequence number behind which a transaction found damage. */
  #damagedAt: number | undefined;

  /**
   * Prepares the table.
   *
   * @param db The database.
   * @param putMeta Writes to the table `meta`.
   * @param trimmed Sequence number up to which retention has removed notifications.
   * @param clock Time.
   * @param damaged Reports rows that cannot be read.
   */
  constructor(
    db: DatabaseSync,
    putMeta: MetaWriter,
    trimmed: number,
    clock: Clock,
    damaged: (error: JournalError) => void,
  ) {
    this.#db = db;
    this.#putMeta = putMeta;
    this.#trimmed = trimmed;
    this.#insert = db.prepare(
      "INSERT INTO notification (received_at, age_clock, signature, digest, digest_key, raw, checksum) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq",
    );
    this.#find = db.prepare("SELECT seq FROM notification WHERE digest_key = ? AND digest = ?");
    this.#clear = db.prepare("UPDATE notification SET raw = NULL WHERE seq = ?");
    this.#rows = new JournalRows(db, { last: () => this.#last, damaged }, clock);
    const sequence = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'notification'").get();
    this.#last = Number(sequence?.seq ?? 0);
    this.#bytes = this.#rows.sumBytes(trimmed);
  }

  /** Highest sequence number so far. */
  get last(): number {
    return this.#last;
  }

  /** Sequence number up to which retention has removed notifications. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /** Age of the journal when the last notification came, in ms; 0 if unknown. */
  get lastAge(): number {
    return this.#rows.lastAge();
  }

  /**
   * Recognises a retry.
   *
   * @param digest SHA-256 digest of a body.
   * @returns `true` if the same body is in the table.
   */
  has(digest: Uint8Array): boolean {
    return this.#find.get(keyOf(digest), digest) !== undefined;
  }

  /**
   * Reads notifications to deliver.
   *
   * @param after Sequence number after which to begin.
   * @param count Maximum of entries.
   * @returns Entries in the order of `seq`.
   */
  read(after: number, count: number): JournalEntry[] {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    let seq = Math.max(after, this.#trimmed);
    while (entries.length < count && bytes < READ_BYTES) {
      const entry = this.#rows.next(seq);
      if (entry === undefined) break;
      seq = entry.seq;
      bytes += entry.bytes.length;
      entries.push(entry);
    }
    return entries;
  }

  /**
   * Inserts a notification, in a transaction.
   *
   * @param entry The notification.
   * @param age Age of the journal, in ms.
   * @returns Its sequence number, or the one of the first notification with the same body.
   */
  insert({ bytes, signature, receivedAt, digest, forward }: NewEntry, age: number): Appended {
    const key = keyOf(digest);
    const first = this.#find.get(key, digest);
    if (first !== undefined) return { seq: Number(first.seq), duplicate: true };
    const raw = forward ? bytes : null;
    const time = receivedAt.getTime();
    const checksum = forward ? checksumOf(bytes, signature, time) : null;
    const row = this.#insert.get(time, age, signature, digest, key, raw, checksum);
    if (forward) this.#bytes += bytes.length;
    this.#last = Number(row?.seq);
    return { seq: this.#last, duplicate: false };
  }

  /**
   * Runs an action in a transaction. It is repeated if it fails because of damage that was unknown before.
   *
   * @param action The action.
   * @returns Its result, when it is committed.
   */
  transaction<Result>(action: () => Result): Result {
    for (;;) {
      const { size } = this.#stuck;
      const [last, bytes, trimmed] = [this.#last, this.#bytes, this.#trimmed];
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = action();
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        try {
          this.#db.exec("ROLLBACK");
        } catch {
          // Ignored on purpose: SQLite has rolled back already, as it does when the disk is full.
        }
        [this.#last, this.#bytes, this.#trimmed] = [last, bytes, trimmed];
        if (this.#stuck.size === size && !this.#findsDamage()) throw error;
      }
    }
  }

  /** Returns `true` if the failed transaction met damage that is known by now, and can pass it. */
  #findsDamage(): boolean {
    const after = this.#damagedAt;
    this.#damagedAt = undefined;
    return after !== undefined && this.#rows.findDamage(after);
  }

  // ---- Retention -----------------------------------------------------------------------------------------------

  /**
   * Removes the oldest notifications above a size, in a transaction.
   *
   * @param maxBytes Maximum of bytes; 0: no limit.
   */
  trimToSize(maxBytes: number): void {
    if (maxBytes > 0 && this.#bytes > maxBytes) this.#trimWhile(() => this.#bytes > maxBytes);
  }

  /**
   * Removes old notifications and digests, in a transaction.
   *
   * @param age Age of the journal, in ms.
   * @param maxAge Maximum age of notifications, in ms; 0: no limit.
   */
  trimByAge(age: number, maxAge: number): void {
    if (maxAge === 0) return;
    const until = this.#lastOlder(age - maxAge, this.#trimmed);
    if (until > this.#trimmed) {
      const range = "FROM notification WHERE seq > ? AND seq <= ?";
      const freed = this.#db.prepare(`SELECT sum(length(raw)) AS bytes ${range}`).get(this.#trimmed, until);
      this.#db.prepare("UPDATE notification SET raw = NULL WHERE seq > ? AND seq <= ?").run(this.#trimmed, until);
      this.#bytes -= Number(freed?.bytes ?? 0);
      this.#advanceTrimmed(until);
    }
    // Digests outlive the bodies, so that retries are recognised.
    this.#db.prepare("DELETE FROM notification WHERE seq <= ?").run(
      this.#lastOlder(age - Math.max(maxAge, DIGEST_AGE), 0),
    );
  }

  /**
   * Removes old notifications one by one, in a transaction, around those that cannot be read; their digests stay.
   *
   * @param limit Age of the journal before which a notification is old, in ms.
   */
  trimAroundDamage(limit: number): void {
    this.#trimWhile(({ age }) => age < limit);
  }

  /** Finds the last row of an unbroken run of rows behind `after` that are older than `limit`. */
  #lastOlder(limit: number, after: number): number {
    const young = this.#db.prepare(
      "SELECT seq FROM notification WHERE seq > ? AND age_clock >= ? ORDER BY seq LIMIT 1",
    ).get(after, limit);
    return young === undefined ? this.#last : Number(young.seq) - 1;
  }

  #trimWhile(mayTrim: (row: RowSize) => boolean): void {
    for (;;) {
      const row = this.#nextSize();
      if (row === undefined || !mayTrim(row)) return;
      if (!row.damaged && !this.#stuck.has(row.seq)) this.#clearRow(row.seq);
      this.#bytes -= row.size;
      this.#advanceTrimmed(row.seq);
    }
  }

  #nextSize(): RowSize | undefined {
    try {
      return this.#rows.nextSize(this.#trimmed);
    } catch (error) {
      if (isDamage(error)) this.#damagedAt = this.#trimmed;
      throw error;
    }
  }

  #clearRow(seq: number): void {
    try {
      this.#clear.run(seq);
    } catch (error) {
      // The transaction is repeated without this row: it stays in the file, but blocks no receiver.
      if (isDamage(error)) this.#stuck.add(seq);
      throw error;
    }
  }

  #advanceTrimmed(seq: number): void {
    if (seq <= this.#trimmed) return;
    this.#trimmed = seq;
    this.#putMeta("trimmed", seq);
  }
}

/** Returns the first 6 bytes as a number, which is exact. */
function keyOf(digest: Uint8Array): number {
  let key = 0;
  for (let at = 0; at < 6; at++) key = key * 256 + digest[at]!;
  return key;
}
