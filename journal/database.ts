/**
 * The SQLite file of a journal: opening, locking, schema, and the values in its table `meta`.
 *
 * @module
 */

import { closeSync, existsSync, openSync, realpathSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { describe, JournalError } from "../base/errors.ts";

/** "TACK": tells the files of journals from other SQLite files. */
const APPLICATION_ID = 0x5441434b;
const VERSION = 1;
/** Number of pages, of 4 KiB, after which the log is moved into the tables. */
const CHECKPOINT_PAGES = 2000;
/** Time to wait for a process that is about to end, in ms. */
const LOCK_PATIENCE = 1000;

/** Files that this process has open, by their databases. */
const open = new Map<DatabaseSync, string>();

const SCHEMA = `
CREATE TABLE IF NOT EXISTS notification (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at INTEGER NOT NULL, -- by the wall clock, in ms
  age_clock   INTEGER NOT NULL, -- age of the journal, in ms
  signature   TEXT NOT NULL,
  digest      BLOB NOT NULL,
  checksum    INTEGER,          -- of the delivered columns, see checksumOf; NULL: of a version that kept none
  digest_key  INTEGER NOT NULL, -- its first 6 bytes: an index of whole digests costs twice as much to write
  raw         BLOB              -- NULL: not to be delivered, or not any more
);
CREATE INDEX IF NOT EXISTS notification_digest ON notification (digest_key);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen ( -- age of the journal at the last connection of a receiver, roughly
  name      TEXT PRIMARY KEY,
  age_clock INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
`;

/**
 * Opens the database of a journal, or creates it, and uses it.
 *
 * @param path Path of the file.
 * @param use Makes the journal. If it throws, the database is closed.
 * @returns The result of `use`.
 * @throws {JournalError} If a process has the file open, it belongs to another program, or cannot be read.
 */
export async function openDatabase<Result>(path: string, use: (db: DatabaseSync) => Result): Promise<Result> {
  const { DatabaseSync } = await import("node:sqlite");
  let db: DatabaseSync | undefined;
  try {
    // Customers' messages are private, and SQLite gives the files beside this one the same mode. Only a new file is
    // opened here: closing an existing one would give up the locks that this process has on it (POSIX).
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    db = new DatabaseSync(path);
    lock(db, path);
    const result = use(db);
    open.set(db, realpathSync(path));
    return result;
  } catch (cause) {
    db?.close();
    if (cause instanceof JournalError) throw cause;
    const reason = describe(cause);
    const locked = reason.includes("locked");
    const why = locked ? `${isOpenHere(path) ? "this" : "another"} process has it open` : reason;
    const code = locked ? "ERR_JOURNAL_LOCKED" : "ERR_JOURNAL_OPEN";
    throw new JournalError(code, `Cannot open the journal "${path}": ${why}`, { cause });
  }
}

/**
 * Closes a database.
 *
 * @param db The database.
 */
export function closeDatabase(db: DatabaseSync): void {
  open.delete(db);
  db.close();
}

function isOpenHere(path: string): boolean {
  return [...open.values()].includes(realpathSync(path));
}

/** Locks the file for this process, and creates missing tables. */
function lock(db: DatabaseSync, path: string): void {
  db.exec(`PRAGMA busy_timeout = ${LOCK_PATIENCE}; PRAGMA locking_mode = EXCLUSIVE`);
  const found = Number(db.prepare("PRAGMA application_id").get()?.application_id);
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  const tables = Number(db.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.count);
  if (tables > 0 && found !== APPLICATION_ID) {
    throw new JournalError("ERR_JOURNAL_OPEN", `Cannot open the journal "${path}": it is a file of another program`);
  }
  if (tables > 0 && version !== VERSION) {
    const message = `Cannot open the journal "${path}": it has version ${version} instead of ${VERSION}`;
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

/**
 * Reads the table `meta`.
 *
 * @param db The database.
 * @returns Values by key.
 */
export function readMeta(db: DatabaseSync): Map<string, unknown> {
  return new Map(db.prepare("SELECT key, value FROM meta").all().map(({ key, value }) => [String(key), value]));
}

/** Writes a value of the table `meta`. */
export type MetaWriter = (key: "id" | "trimmed" | "age_clock", value: string | number) => void;

/**
 * Prepares writing to the table `meta`.
 *
 * @param db The database.
 * @returns Writes a value.
 */
export function metaWriter(db: DatabaseSync): MetaWriter {
  const put = db.prepare("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  return (key, value) => void put.run(key, value);
}
