/**
 * The durable log of notifications on `node:sqlite`.
 *
 * A notification is on disk before `append` resolves, and committed rows survive the end of the process at any moment.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { describe, JournalError, OptionError } from "../base/errors.ts";
import { AgeClock } from "./age_clock.ts";
import { closeDatabase, type MetaWriter, metaWriter, openDatabase, readMeta } from "./database.ts";
import { assertJournalPath, JournalFiles } from "./database_files.ts";
import { GroupCommit, type WaitingAppend } from "./group_commit.ts";
import type { Appended, Journal, JournalEntry, JournalListener, JournalRetention, NewEntry } from "./journal.ts";
import { NotificationTable } from "./notification_table.ts";
import { notifyAppended } from "./notify.ts";
import { expiredError, tooManyError, trimmedError } from "./receiver_names.ts";
import { checkRetention, type RetentionSettings } from "./retention.ts";
import { isDamage } from "./rows.ts";
import { SqliteCursors } from "./sqlite_cursors.ts";

/** Default of `maxBytes`. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** Interval between runs of retention by age, in ms. */
const TRIM_INTERVAL = 600_000;
/** Delay between a move of a cursor and its write, in ms, unless a notification is written before. */
const CURSOR_DELAY = 100;

/**
 * A journal in a SQLite file, which one process at a time may have open.
 *
 * @example
 * ```ts
 * import { SqliteJournal, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * export const server = new WhatsAppServer({ journal: "notifications.db" });
 *
 * export async function startOther() {
 *   const journal = await SqliteJournal.open("other.db", { maxAge: 7 * 24 * 3600 * 1000 });
 *   await new WhatsAppServer({ journal }).start();
 * }
 * ```
 */
export class SqliteJournal implements Journal {
  /** `true`: the content outlives the process. */
  readonly durable = true;
  #path: string;
  #db: DatabaseSync;
  #retention: RetentionSettings;
  #listener: JournalListener | undefined;
  #id: string;
  #closed = false;

  // Parts
  #putMeta: MetaWriter;
  #files: JournalFiles;
  #age: AgeClock;
  #table: NotificationTable;
  #cursors: SqliteCursors;
  #appends: GroupCommit;

  // Timers
  #cancelTrim: (() => void) | undefined;
  #cancelCursors: (() => void) | undefined;
  /** `true` once a failed write of cursors was reported, until one succeeds. */
  #cursorsFail = false;

  /**
   * Opens a journal, or creates it.
   *
   * @param path Path of the file.
   * @param retention Limits of what it keeps.
   * @returns The journal.
   * @throws {OptionError} If a value is out of range, or the path has another meaning to SQLite: `":memory:"`,
   * `"file:…"`, `""`.
   * @throws {JournalError} If a process has the file open, or it is no journal, or it cannot be read.
   */
  static async open(path: string, retention: JournalRetention = {}): Promise<SqliteJournal> {
    assertJournalPath(path);
    const checked = checkRetention(retention, MAX_BYTES);
    return await openDatabase(path, (db) => new SqliteJournal(path, db, checked));
  }

  /** @ignore */
  private constructor(path: string, db: DatabaseSync, retention: RetentionSettings) {
    if ((db as DatabaseSync | undefined) === undefined) {
      throw new OptionError("A SqliteJournal is not made with new: use await SqliteJournal.open(path)");
    }
    const { clock } = retention;
    this.#path = path;
    this.#db = db;
    this.#retention = retention;
    this.#putMeta = metaWriter(db);
    const meta = readMeta(db);
    this.#id = String(meta.get("id") ?? randomUUID());
    if (!meta.has("id")) this.#putMeta("id", this.#id);
    const trimmed = Number(meta.get("trimmed") ?? 0);
    this.#table = new NotificationTable(db, this.#putMeta, trimmed, clock, (error) => this.#listener?.error(error));
    this.#age = new AgeClock(clock);
    this.#age.raise(Math.max(Number(meta.get("age_clock") ?? 0), this.#table.lastAge));
    this.#cursors = new SqliteCursors(db, retention, trimmed, this.#age.age);
    this.#appends = new GroupCommit((group) => this.#commit(group));
    this.#files = new JournalFiles(path, clock);
    this.#trim();
  }

  /** Permanent ID of the journal. */
  get id(): string {
    return this.#id;
  }

  /** Highest sequence number so far. */
  get last(): number {
    return this.#table.last;
  }

  /** Sequence number up to which retention has removed notifications. */
  get trimmed(): number {
    return this.#table.trimmed;
  }

  /**
   * Sets the listener.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
  }

  // ---- Notifications -------------------------------------------------------------------------------------------

  /**
   * Recognises a retry.
   *
   * @param digest SHA-256 digest of a body.
   * @returns `true` if the same body is in the journal.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async has(digest: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    // Meta does not send a notification again once it is reported as kept.
    this.#files.assertThere();
    return this.#reading(() => this.#table.has(digest));
  }

  /**
   * Keeps a notification.
   *
   * @param entry The notification.
   * @returns Resolves when it is on disk.
   */
  append(entry: NewEntry): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#assertOpen();
      this.#appends.add({ entry, resolve, reject });
    });
  }

  /** Writes appends, new names and cursors in one transaction. */
  #commit(group: WaitingAppend[]): void {
    const now = this.#retention.clock.now();
    const arriving = this.#cursors.takeArriving();
    const withCursors = group.length === 0 || this.#cursors.isDue(now);
    let results: Appended[];
    try {
      results = this.#table.transaction(() => {
        const inserted = group.map(({ entry }) => this.#table.insert(entry, this.#age.age));
        this.#table.trimToSize(this.#retention.maxBytes);
        arriving.write(this.#age.age);
        if (withCursors) this.#cursors.write();
        // Checked last, so that no append resolves whose files are gone.
        this.#files.assertThere();
        return inserted;
      });
    } catch (cause) {
      const error = this.#whyNotWritten(cause);
      for (const { reject } of group) reject(error);
      arriving.reject(error);
      if (group.length === 0 && arriving.size === 0 && !this.#cursorsFail) {
        this.#cursorsFail = true;
        this.#listener?.error(error);
      }
      return;
    }
    if (withCursors) {
      this.#cursorsFail = false;
      this.#cursors.wrote(now);
    }
    arriving.resolve(this.#age.age);
    this.#reportOvertaken();
    for (let index = 0; index < group.length; index++) this.#finish(group[index]!, results[index]!);
  }

  #finish({ entry, resolve }: WaitingAppend, appended: Appended): void {
    if (!appended.duplicate && entry.forward) {
      const { bytes, signature, receivedAt } = entry;
      notifyAppended(this.#listener, { seq: appended.seq, bytes, signature, receivedAt });
    }
    resolve(appended);
  }

  /**
   * Reads notifications to deliver.
   *
   * @param after Sequence number after which to begin.
   * @param count Maximum of entries.
   * @returns Entries in the order of `seq`.
   */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async read(after: number, count: number): Promise<JournalEntry[]> {
    this.#assertOpen();
    return this.#reading(() => this.#table.read(after, count));
  }

  #reading<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (cause) {
      throw new JournalError("ERR_JOURNAL_READ", `Cannot read the journal "${this.#path}": ${describe(cause)}`, {
        cause,
      });
    }
  }

  /** Finds the reason of a failed write: missing files come first, since SQLite may report another failure for them. */
  #whyNotWritten(cause: unknown): JournalError {
    try {
      this.#files.assertThereNow();
      return this.#writeError(cause);
    } catch (gone) {
      return this.#writeError(gone);
    }
  }

  #writeError(cause: unknown): JournalError {
    if (cause instanceof JournalError) return cause;
    return new JournalError("ERR_JOURNAL_WRITE", `Cannot write the journal "${this.#path}": ${describe(cause)}`, {
      cause,
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new JournalError("ERR_JOURNAL_CLOSED", `The journal "${this.#path}" is closed`);
  }

  // ---- Cursors -------------------------------------------------------------------------------------------------

  /**
   * Reads the cursor of a receiver.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined` if the name is unknown.
   */
  cursor(name: string): Promise<number | undefined> {
    return Promise.resolve(this.#cursors.get(name));
  }

  /**
   * Admits a receiver under a name; a new name is on disk before this resolves.
   *
   * @param name Its name.
   * @param start Cursor of a new name.
   * @returns Sequence number up to which it has acknowledged all notifications.
   */
  async admit(name: string, start: number): Promise<number> {
    this.#assertOpen();
    if (this.#cursors.get(name) !== undefined) return this.#cursors.connect(name, this.#age.age);
    const arrival = this.#cursors.arrival(name);
    if (arrival !== undefined) return await arrival;
    if (this.#cursors.isFull) this.#expire();
    if (this.#cursors.isFull) throw tooManyError(this.#retention.maxReceivers);
    const admitted = this.#cursors.arrive(name, start);
    this.#appends.schedule();
    return await admitted;
  }

  /**
   * Releases a receiver whose last connection has ended.
   *
   * @param name Its name.
   */
  release(name: string): void {
    this.#cursors.disconnect(name, this.#age.age);
  }

  /**
   * Moves the cursor of a receiver; it is written soon.
   *
   * @param name Its name.
   * @param seq Sequence number up to which it has acknowledged all notifications.
   */
  saveCursor(name: string, seq: number): void {
    if (this.#closed || !this.#cursors.move(name, seq, this.#age.age)) return;
    this.#cancelCursors ??= this.#retention.clock.after(CURSOR_DELAY, () => {
      this.#cancelCursors = undefined;
      this.#cursors.makeDue();
      if (this.#cursors.hasMoved) this.#appends.schedule();
    });
  }

  // ---- Retention -----------------------------------------------------------------------------------------------

  /** Removes old notifications and names now, and from then on at an interval. */
  #trim(): void {
    this.#cancelTrim = this.#retention.clock.after(TRIM_INTERVAL, () => this.#trim());
    try {
      this.#table.transaction(() => {
        const { age } = this.#age;
        this.#putMeta("age_clock", age);
        this.#table.trimByAge(age, this.#retention.maxAge);
      });
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      if (!isDamage(error) || !this.#trimAroundDamage()) return;
    }
    this.#reportOvertaken();
    this.#expire();
  }

  #trimAroundDamage(): boolean {
    const { maxAge } = this.#retention;
    if (maxAge === 0) return false;
    const limit = this.#age.age - maxAge;
    try {
      this.#table.transaction(() => this.#table.trimAroundDamage(limit));
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      return false;
    }
    return true;
  }

  /** Forgets the names without a connection for too long, and writes when other names were connected last. */
  #expire(): void {
    // While the journal opens there is no listener to notify of expired names.
    const changes = this.#cursors.changes(this.#age.age, this.#listener !== undefined);
    if (changes.expired.length === 0 && changes.seen.length === 0) return;
    try {
      this.#table.transaction(() => this.#cursors.writeChanges(changes));
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      return;
    }
    this.#cursors.wroteChanges(changes);
    if (changes.expired.length === 0) return;
    this.#listener?.error(expiredError(changes.expired, this.#retention.maxReceiverAge));
  }

  #reportOvertaken(): void {
    const overtaken = this.#cursors.overtaken(this.#table.trimmed);
    if (overtaken.length > 0) this.#listener?.error(trimmedError(overtaken));
  }

  /** Writes all that is not written yet, and closes the file. */
  // deno-lint-ignore require-await -- an exception becomes a rejection
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#cancelTrim?.();
    this.#cancelCursors?.();
    while (this.#appends.size > 0 || this.#cursors.arrivingCount > 0) this.#appends.commit();
    if (this.#cursors.hasMoved) this.#appends.commit();
    try {
      const { age } = this.#age;
      this.#putMeta("age_clock", age);
      const changes = this.#cursors.allSeen(age);
      if (changes.seen.length > 0) this.#table.transaction(() => this.#cursors.writeChanges(changes));
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
    }
    this.#closed = true;
    this.#appends.stop();
    this.#files.close();
    closeDatabase(this.#db);
  }
}
