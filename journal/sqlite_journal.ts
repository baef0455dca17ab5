/**
 * The durable log of notifications on `node:sqlite`.
 *
 * A notification is on disk before `append` resolves. Appends that come while the disk is busy share the next commit, so that the rate
 * is not bound by how often a disk can sync. Rows that were committed survive the end of the process at any moment.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { describe, JournalError } from "../base/errors.ts";
import { assertJournalPath, JournalFiles } from "./database_files.ts";
import { checksumOf, isDamage, JournalRows, type RowSize } from "./rows.ts";
import { expiredError, ReceiverNames, tooManyError, trimmedError } from "./receiver_names.ts";
import {
  type Appended,
  checkRetention,
  DIGEST_AGE,
  type Journal,
  type JournalEntry,
  type JournalListener,
  type JournalRetention,
  type NewEntry,
  tellAppended,
} from "./journal.ts";

const MIB = 1024 * 1024;
/** "TACK": tells our files from those of others. */
const APPLICATION_ID = 0x5441434b;
const VERSION = 1;
/** Retention by age runs so often, in ms. */
const TRIM_INTERVAL = 600_000;
/** Cursors are written so long after they moved, in ms, unless a notification is written before. */
const CURSOR_DELAY = 100;
/** When a receiver was connected last is written once it is wrong by this part of `maxReceiverAge`. */
const SEEN_SLACK = 0.01;
/** They join the commit of notifications at most once in so many ms: each receiver takes a statement, and all of them another page. */
const CURSOR_REST = 20;
/** At most so much goes into one transaction, so that the first does not wait long for the last. */
const GROUP_ENTRIES = 512;
const GROUP_BYTES = 8 * MIB;
/**
 * A commit waits for the next turn as long as each brings so many notifications, and there are fewer than that: a sync takes as long as
 * several requests (`bench/README.md`).
 */
const MIN_BROUGHT = 2;
const MAX_GATHERED = 64;
/** The log is moved into the table when it has so many pages, of 4 KiB. */
const CHECKPOINT_PAGES = 2000;
/** At most so many bytes are read at once. */
const READ_BYTES = 4 * MIB;
/** How long to wait for a process that is about to end, in ms. */
const LOCK_PATIENCE = 1000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS notification (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at INTEGER NOT NULL, -- by the clock on the wall, in ms
  age_clock   INTEGER NOT NULL, -- how long the journal had been open, in ms
  signature   TEXT NOT NULL,
  digest      BLOB NOT NULL,
  checksum    INTEGER,          -- of what is delivered, see checksumOf; NULL: of a version that kept none
  digest_key  INTEGER NOT NULL, -- its first 6 bytes: an index of whole digests costs twice as much to write
  raw         BLOB              -- NULL: not to be delivered, or not any more
);
CREATE INDEX IF NOT EXISTS notification_digest ON notification (digest_key);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen ( -- when the receivers in the table cursor were connected last, roughly
  name      TEXT PRIMARY KEY,
  age_clock INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
`;

interface Waiting {
  entry: NewEntry;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

/** A receiver with a new name. */
interface Arriving extends PromiseWithResolvers<number> {
  start: number;
}

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
  /** What is in it outlives the process. */
  readonly durable = true;
  #path: string;
  #db: DatabaseSync;
  #retention: Required<JournalRetention>;
  #listener: JournalListener | undefined;
  #id: string;
  #closed = false;

  // Statements
  #insert: StatementSync;
  #find: StatementSync;
  #rows: JournalRows;
  #forget: StatementSync;
  #putCursor: StatementSync;
  #putSeen: StatementSync;
  #putMeta: StatementSync;

  // What is to be written
  #waiting: Waiting[] = [];
  #writeScheduled = false;
  /** How many waited when the last turn ended. */
  #gathered = 0;
  #movedCursors = new Set<string>();
  #arriving = new Map<string, Arriving>();
  /** When cursors were written last. */
  #cursorsAt = -Infinity;
  #cancelCursors: (() => void) | undefined;

  // What is there
  #last = 0;
  #trimmed = 0;
  #bytes = 0;
  #names: ReceiverNames;
  #files: JournalFiles;
  /** Whether it was told that cursors cannot be written. */
  #cursorsFail = false;
  /** `now()` of the clock when the age clock stood at 0. */
  #epoch = 0;
  #cancelTrim: (() => void) | undefined;
  /** Rows that cannot be freed, since the file is damaged. */
  #stuck = new Set<number>();
  /** Behind this sequence number a transaction found that the file is damaged. */
  #damagedAt: number | undefined;

  /**
   * Opens a journal; the file is made if it is not there.
   *
   * @param path Where.
   * @param retention How long to keep what.
   * @returns The journal.
   * @throws {OptionError} If a value is out of range, or the path means something else to SQLite: `":memory:"`, `"file:…"`, `""`.
   * @throws {JournalError} If another process has it open, or it is no journal, or it cannot be read.
   */
  static async open(path: string, retention: JournalRetention = {}): Promise<SqliteJournal> {
    assertJournalPath(path);
    const checked = checkRetention(retention, 1024 * MIB);
    const { DatabaseSync } = await import("node:sqlite");
    let db: DatabaseSync | undefined;
    try {
      // What customers write is nobody else's business; the files beside it get the same mode. Only a file that is new: to close one
      // gives up the locks that this process has on it (POSIX).
      if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
      db = new DatabaseSync(path);
      return new SqliteJournal(path, db, checked);
    } catch (cause) {
      db?.close();
      if (cause instanceof JournalError) throw cause;
      const reason = describe(cause);
      const locked = reason.includes("locked");
      const why = locked ? "another process has it open" : reason;
      const code = locked ? "ERR_JOURNAL_LOCKED" : "ERR_JOURNAL_OPEN";
      throw new JournalError(code, `Cannot open the journal "${path}": ${why}`, { cause });
    }
  }

  private constructor(path: string, db: DatabaseSync, retention: Required<JournalRetention>) {
    this.#path = path;
    this.#db = db;
    this.#retention = retention;
    this.#lock();
    this.#insert = db.prepare(
      "INSERT INTO notification (received_at, age_clock, signature, digest, digest_key, raw, checksum) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq",
    );
    this.#find = db.prepare("SELECT seq FROM notification WHERE digest_key = ? AND digest = ?");
    const damaged = (error: JournalError): void => this.#listener?.error(error);
    this.#rows = new JournalRows(db, { last: () => this.#last, damaged }, retention.clock);
    this.#forget = db.prepare("UPDATE notification SET raw = NULL WHERE seq = ?");
    this.#putCursor = db.prepare(
      "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
    );
    this.#putSeen = db.prepare(
      "INSERT INTO seen VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET age_clock = excluded.age_clock",
    );
    this.#putMeta = db.prepare(
      "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    this.#id = this.#load();
    this.#names = this.#loadNames();
    this.#files = new JournalFiles(path, this.#retention.clock);
    this.#trim();
  }

  /** Takes the file for this process alone, and makes what is not there yet. */
  #lock(): void {
    const db = this.#db;
    db.exec(`PRAGMA busy_timeout = ${LOCK_PATIENCE}; PRAGMA locking_mode = EXCLUSIVE`);
    const found = Number(db.prepare("PRAGMA application_id").get()?.application_id);
    const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
    const tables = Number(db.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.count);
    if (tables > 0 && found !== APPLICATION_ID) {
      throw new JournalError(
        "ERR_JOURNAL_OPEN",
        `Cannot open the journal "${this.#path}": the file belongs to something else`,
      );
    }
    if (tables > 0 && version !== VERSION) {
      const message = `Cannot open the journal "${this.#path}": it has version ${version} instead of ${VERSION}`;
      throw new JournalError("ERR_JOURNAL_OPEN", message);
    }
    // FULL: each commit is synced, also in a write-ahead log.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF");
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.exec(
      `BEGIN EXCLUSIVE; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION}; ${SCHEMA} COMMIT`,
    );
    const columns = db.prepare("SELECT name FROM pragma_table_info('notification')").all();
    if (columns.some(({ name }) => name === "checksum")) return;
    db.exec("ALTER TABLE notification ADD COLUMN checksum INTEGER");
  }

  #load(): string {
    const db = this.#db;
    const meta = new Map(db.prepare("SELECT key, value FROM meta").all().map(({ key, value }) => [key, value]));
    const id = String(meta.get("id") ?? randomUUID());
    if (!meta.has("id")) this.#putMeta.run("id", id);
    this.#trimmed = Number(meta.get("trimmed") ?? 0);
    const sequence = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'notification'").get();
    this.#last = Number(sequence?.seq ?? 0);
    this.#bytes = this.#rows.sumBytes(this.#trimmed);
    const age = Math.max(Number(meta.get("age_clock") ?? 0), this.#rows.lastAge());
    this.#epoch = this.#retention.clock.now() - age;
    return id;
  }

  #loadNames(): ReceiverNames {
    const loaded = new ReceiverNames(this.#retention, this.#trimmed);
    // A name without a time is of a version that kept none.
    const names = this.#db.prepare("SELECT name, seq, age_clock FROM cursor LEFT JOIN seen USING (name)").all();
    for (const { name, seq, age_clock } of names) {
      loaded.move(String(name), Number(seq), Number(age_clock ?? this.#age));
    }
    return loaded;
  }

  /** Names this journal for ever. */
  get id(): string {
    return this.#id;
  }

  /** The highest sequence number so far. */
  get last(): number {
    return this.#last;
  }

  /** Up to here retention has taken notifications away. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /** How long the journal has been open, in ms, all its openings together. */
  get #age(): number {
    return Math.round(this.#retention.clock.now() - this.#epoch);
  }

  /**
   * Sets who is told.
   *
   * @param listener The owner.
   */
  listen(listener: JournalListener | undefined): void {
    this.#listener = listener;
  }

  // ---- Notifications -------------------------------------------------------------------------------------------

  /**
   * Whether a body is there already.
   *
   * @param digest Its SHA-256 digest.
   * @returns `true` for a retry.
   */
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async has(digest: Uint8Array): Promise<boolean> {
    this.#assertOpen();
    // Meta does not send again what is said to be there.
    this.#files.assertThere();
    return this.#reading(() => this.#find.get(keyOf(digest), digest) !== undefined);
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
      this.#waiting.push({ entry, resolve, reject });
      this.#scheduleWrite();
    });
  }

  /**
   * Not at once: what comes in the same turn shares the commit, and as long as turns bring several more, the next turn's do too. Nothing
   * waits for a clock. (Longer rests between commits were tried: no more a second, and later answers.)
   */
  #scheduleWrite(): void {
    if (this.#writeScheduled) return;
    this.#writeScheduled = true;
    this.#gathered = 0;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    const brought = this.#waiting.length - this.#gathered;
    this.#gathered = this.#waiting.length;
    if (brought >= MIN_BROUGHT && this.#gathered < MAX_GATHERED) return void setImmediate(this.#onTurn);
    this.#writeScheduled = false;
    if (!this.#closed) this.#writeGroup();
    if (this.#waiting.length > 0) this.#scheduleWrite();
  };

  #writeGroup(): void {
    const group = this.#takeGroup();
    const now = this.#retention.clock.now();
    const arriving = this.#arriving;
    this.#arriving = new Map();
    const withCursors = group.length === 0 || now - this.#cursorsAt >= CURSOR_REST;
    let results: Appended[];
    try {
      results = this.#transaction(() => {
        const inserted = group.map(({ entry }) => this.#keep(entry));
        this.#trimToSize();
        for (const [name, { start }] of arriving) this.#writeName(name, start);
        if (withCursors) this.#writeCursors();
        // At the end, so that nothing is said to be kept that goes into files which are gone.
        this.#files.assertThere();
        return inserted;
      });
    } catch (cause) {
      const error = this.#whyNotWritten(cause);
      for (const { reject } of [...group, ...arriving.values()]) reject(error);
      if (group.length === 0 && arriving.size === 0 && !this.#cursorsFail) {
        this.#cursorsFail = true;
        this.#listener?.error(error);
      }
      return;
    }
    if (withCursors) {
      this.#cursorsFail = false;
      this.#movedCursors.clear();
      this.#cursorsAt = now;
    }
    for (const [name, { start, resolve }] of arriving) resolve(this.#enter(name, start));
    this.#reportTrimmed();
    group.forEach(({ entry, resolve }, index) => {
      const appended = results[index];
      if (!appended.duplicate && entry.forward) {
        const { bytes, signature, receivedAt } = entry;
        tellAppended(this.#listener, { seq: appended.seq, bytes, signature, receivedAt });
      }
      resolve(appended);
    });
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < GROUP_ENTRIES && bytes < GROUP_BYTES) {
      bytes += this.#waiting[count++].entry.bytes.length;
    }
    return this.#waiting.splice(0, count);
  }

  #keep({ bytes, signature, receivedAt, digest, forward }: NewEntry): Appended {
    const key = keyOf(digest);
    const first = this.#find.get(key, digest);
    if (first !== undefined) return { seq: Number(first.seq), duplicate: true };
    const raw = forward ? bytes : null;
    const time = receivedAt.getTime();
    const checksum = forward ? checksumOf(bytes, signature, time) : null;
    const row = this.#insert.get(time, this.#age, signature, digest, key, raw, checksum);
    if (forward) this.#bytes += bytes.length;
    this.#last = Number(row?.seq);
    return { seq: this.#last, duplicate: false };
  }

  #transaction<Result>(action: () => Result): Result {
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
          // SQLite has done that already, as when the disk is full.
        }
        // As if nothing of it had happened.
        [this.#last, this.#bytes, this.#trimmed] = [last, bytes, trimmed];
        if (this.#stuck.size === size && !this.#findsDamage()) throw error;
      }
    }
  }

  /**
   * Reads what is to be delivered.
   *
   * @param after Only what comes behind this sequence number.
   * @param count The most entries.
   * @returns In the order of `seq`.
   */
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async read(after: number, count: number): Promise<JournalEntry[]> {
    this.#assertOpen();
    return this.#reading(() => {
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
    });
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

  /** Reason of a failed write: files that are gone come first, since SQLite may report something else. */
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
   * How far a receiver has come.
   *
   * @param name Its name.
   * @returns The sequence number; `undefined`: it never came.
   */
  cursor(name: string): Promise<number | undefined> {
    return Promise.resolve(this.#names.cursor(name));
  }

  /**
   * Lets a receiver in under a name; one that is new is on disk before this resolves.
   *
   * @param name Its name.
   * @param start Where it begins, if the name is new.
   * @returns The sequence number up to which it has acknowledged everything.
   */
  async admit(name: string, start: number): Promise<number> {
    this.#assertOpen();
    if (this.#names.cursor(name) !== undefined) return this.#names.connect(name, this.#age);
    let arriving = this.#arriving.get(name);
    if (arriving === undefined) {
      if (this.#names.isFull(this.#arriving.size)) this.#expire();
      if (this.#names.isFull(this.#arriving.size)) throw tooManyError(this.#retention.maxReceivers);
      arriving = { start, ...Promise.withResolvers<number>() };
      this.#arriving.set(name, arriving);
      this.#scheduleWrite();
    }
    return await arriving.promise;
  }

  #enter(name: string, start: number): number {
    this.#names.move(name, start, this.#age);
    return this.#names.connect(name, this.#age);
  }

  #writeName(name: string, start: number): void {
    this.#putCursor.run(name, start);
    this.#putSeen.run(name, this.#age);
  }

  /**
   * No connection of a receiver is here any more.
   *
   * @param name Its name.
   */
  release(name: string): void {
    this.#names.disconnect(name, this.#age);
  }

  /**
   * Keeps how far a receiver has come, soon.
   *
   * @param name Its name.
   * @param seq The sequence number up to which it has acknowledged everything.
   */
  saveCursor(name: string, seq: number): void {
    if (this.#closed || !this.#names.move(name, seq, this.#age)) return;
    this.#movedCursors.add(name);
    this.#cancelCursors ??= this.#retention.clock.after(CURSOR_DELAY, () => {
      this.#cancelCursors = undefined;
      this.#cursorsAt = -Infinity;
      if (this.#movedCursors.size > 0) this.#scheduleWrite();
    });
  }

  #writeCursors(): void {
    for (const name of this.#movedCursors) this.#putCursor.run(name, this.#names.cursor(name)!);
  }

  // ---- Retention -----------------------------------------------------------------------------------------------

  /** Takes away what is too old, and looks again later. */
  #trim(): void {
    this.#cancelTrim = this.#retention.clock.after(TRIM_INTERVAL, () => this.#trim());
    try {
      this.#transaction(() => this.#trimByAge());
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      if (!isDamage(error) || !this.#trimDamaged()) return;
    }
    this.#reportTrimmed();
    this.#expire();
  }

  /** Forgets the names that had no connection for too long, and writes when the others were connected last. */
  #expire(): void {
    const age = this.#age;
    const { maxReceiverAge } = this.#retention;
    // While the journal opens there is no listener yet.
    const names = this.#listener === undefined ? [] : this.#names.expired(age);
    const seen = this.#names.unwritten(age, maxReceiverAge * SEEN_SLACK);
    if (names.length === 0 && seen.length === 0) return;
    const forget = ["cursor", "seen"].map((table) => this.#db.prepare(`DELETE FROM ${table} WHERE name = ?`));
    try {
      this.#transaction(() => {
        for (const entry of seen) this.#putSeen.run(...entry);
        for (const name of names) for (const statement of forget) statement.run(name);
      });
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      return;
    }
    this.#names.wrote(seen);
    this.#names.forget(names);
    for (const name of names) this.#movedCursors.delete(name);
    if (names.length > 0) this.#listener?.error(expiredError(names, maxReceiverAge));
  }

  #trimByAge(): void {
    const age = this.#age;
    this.#putMeta.run("age_clock", age);
    const { maxAge } = this.#retention;
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

  /** The last of those behind `after` that are older, before one that is not. */
  #lastOlder(clock: number, after: number): number {
    const young = this.#db.prepare(
      "SELECT seq FROM notification WHERE seq > ? AND age_clock >= ? ORDER BY seq LIMIT 1",
    ).get(after, clock);
    return young === undefined ? this.#last : Number(young.seq) - 1;
  }

  #trimToSize(): void {
    const { maxBytes } = this.#retention;
    if (maxBytes > 0 && this.#bytes > maxBytes) this.#trimWhile(() => this.#bytes > maxBytes);
  }

  /** Trims rows one by one, around those that cannot be read; retries of such old ones are still recognised. */
  #trimDamaged(): boolean {
    const { maxAge } = this.#retention;
    if (maxAge === 0) return false;
    const limit = this.#age - maxAge;
    try {
      this.#transaction(() => this.#trimWhile(({ age }) => age < limit));
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
      return false;
    }
    return true;
  }

  #trimWhile(goesOn: (row: RowSize) => boolean): void {
    for (;;) {
      const row = this.#nextSize();
      if (row === undefined || !goesOn(row)) return;
      if (!row.damaged && !this.#stuck.has(row.seq)) this.#free(row.seq);
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

  /** Whether the transaction that has failed may pass where it failed, since it is known now what cannot be read there. */
  #findsDamage(): boolean {
    const after = this.#damagedAt;
    this.#damagedAt = undefined;
    return after !== undefined && this.#rows.findDamage(after);
  }

  #free(seq: number): void {
    try {
      this.#forget.run(seq);
    } catch (error) {
      // The transaction is begun again without it: what is damaged stays in the file, but holds up no receiver.
      if (isDamage(error)) this.#stuck.add(seq);
      throw error;
    }
  }

  #advanceTrimmed(seq: number): void {
    if (seq <= this.#trimmed) return;
    this.#trimmed = seq;
    this.#putMeta.run("trimmed", seq);
  }

  #reportTrimmed(): void {
    const lost = this.#names.lost(this.#trimmed);
    if (lost.length > 0) this.#listener?.error(trimmedError(lost));
  }

  /** Writes what is not written yet, and ends. */
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#cancelTrim?.();
    this.#cancelCursors?.();
    while (this.#waiting.length > 0 || this.#arriving.size > 0) this.#writeGroup();
    if (this.#movedCursors.size > 0) this.#writeGroup();
    try {
      this.#putMeta.run("age_clock", this.#age);
      const seen = this.#names.unwritten(this.#age, 0);
      if (seen.length > 0) this.#transaction(() => seen.forEach((entry) => this.#putSeen.run(...entry)));
    } catch (error) {
      this.#listener?.error(this.#writeError(error));
    }
    this.#closed = true;
    this.#files.close();
    this.#db.close();
  }
}

/** The first 6 bytes as a number, which is exact. */
function keyOf(digest: Uint8Array): number {
  let key = 0;
  for (let at = 0; at < 6; at++) key = key * 256 + digest[at];
  return key;
}
