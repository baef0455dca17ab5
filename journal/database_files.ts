/**
 * The files of a journal on disk: checks of their path, and checks that they were not replaced since the opening.
 *
 * @module
 */

import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { describe, JournalError, OptionError } from "../base/errors.ts";

/** Classes of journals in databases, by the schemes of URLs of the databases. */
const DATABASES: ReadonlyMap<string, "RedisJournal" | "PostgresJournal"> = new Map([
  ["redis", "RedisJournal"],
  ["rediss", "RedisJournal"],
  ["postgres", "PostgresJournal"],
  ["postgresql", "PostgresJournal"],
]);

/**
 * Finds the scheme of a URL that was given in place of a path: of any URL with `//`, and of a database without. A
 * single letter is a drive of Windows.
 *
 * @param path The path.
 * @returns The scheme in lower case; `undefined` if it is a path.
 */
export function schemeOf(path: string): string | undefined {
  const [, given, slashes] = /^\s*([a-z][a-z\d+.-]+):(\/\/)?/i.exec(path) ?? [];
  const scheme = given?.toLowerCase();
  return scheme !== undefined && (slashes !== undefined || DATABASES.has(scheme)) ? scheme : undefined;
}

/**
 * Checks the path of a journal. A path with another meaning to SQLite would make a journal that ends with the process,
 * and the URL of a database a file.
 *
 * @param path The path.
 * @throws {OptionError} If it is not a string, or empty, `":memory:"`, or a URL, which may hold a password and is not
 * quoted.
 */
export function assertJournalPath(path: unknown): asserts path is string {
  if (typeof path !== "string") {
    throw new OptionError(
      `The path of a journal is of type ${typeof path} instead of string; fileURLToPath makes one of a URL`,
    );
  }
  if (path === "") throw new OptionError("The path of a journal is empty; for a journal in memory, set it to null");
  if (path === ":memory:") {
    throw new OptionError(
      'The path of a journal is ":memory:"; for a journal in memory, set it to null or to a MemoryJournal, for a file of that name to "./:memory:"',
    );
  }
  if (path.slice(0, 5).toLowerCase() === "file:") {
    throw new OptionError(
      `The path of a journal is the URL "${path}"; fileURLToPath makes a path of it; a file of that name is "./${path}"`,
    );
  }
  const scheme = schemeOf(path);
  if (scheme === undefined) return;
  const journal = DATABASES.get(scheme);
  const instead = journal === undefined
    ? "give the path of a file, or a journal such as await RedisJournal.open(client)"
    : `give a journal of that database: await ${journal}.open(client)`;
  throw new OptionError(
    `The path of a journal is a URL that begins with "${scheme}:": ${instead}; a file of that name begins with "./"`,
  );
}

/** A file, and its identity, by which another file of the same name is recognised. */
interface Opened {
  path: string;
  identity: string;
  size: bigint;
}

/** Minimum interval between checks of the file names, in ms. */
const CHECK_INTERVAL = 10;

/**
 * The files of an open journal: database and log. SQLite continues to write to files that were deleted, replaced or cut
 * off, and all that is lost when they are closed. There is no third file, since SQLite keeps the index of the log in
 * memory if one process uses the file alone.
 */
export class JournalFiles {
  #clock: Clock;
  #opened: Opened[] = [];
  /** Time of the last successful check, by the clock. */
  #checkedAt = -Infinity;
  /** Path of a file that was cut off; never reset, since the file may grow again. */
  #cutOff = "";

  // The log
  #log: number | undefined;
  #logPath: string;
  #logSize = 0;
  /** Buffer for the bytes that a commit usually adds. */
  #added = new Uint8Array(65_536);

  /**
   * Remembers the files.
   *
   * @param path Path of the journal, which is open and has its log.
   * @param clock Time of the next check.
   */
  constructor(path: string, clock: Clock) {
    this.#clock = clock;
    const absolute = resolve(path);
    // SQLite resolves links before it names the log. On a file system without support for a log there is none.
    this.#logPath = `${realpathSync(absolute)}-wal`;
    for (const path of [absolute, this.#logPath]) {
      const file = statOf(path);
      if (file !== undefined) this.#opened.push({ path, ...file });
    }
    if (this.#opened.length > 1) this.#log = openSync(this.#logPath, "r");
  }

  /**
   * Checks that the files are still there: the length of the log each time, the names once in 10 ms. Notifications kept
   * within 10 ms of a deletion are in the deleted file, as are all before. A `stat` of the log after each sync would
   * add some 55 µs on Bun and 75 µs on Deno to a commit of one notification, most of it in the next write and its sync.
   *
   * @throws {JournalError} If a file is gone or has become shorter, or another file has its name.
   */
  assertThere(): void {
    // Checked each time: the next commit makes a shortened log long again, with a hole in it.
    if (this.#log !== undefined) this.#measureLog(this.#log);
    if (this.#cutOff === "" && this.#clock.now() - this.#checkedAt < CHECK_INTERVAL) return;
    this.assertThereNow();
  }

  /**
   * Checks the files at once, regardless of the interval.
   *
   * @throws {JournalError} If a file is gone or has become shorter, or another file has its name.
   */
  assertThereNow(): void {
    this.#checkedAt = -Infinity;
    const now = this.#clock.now();
    for (const opened of this.#opened) {
      const file = statOf(opened.path);
      if (file === undefined) throw goneError(opened.path, "is gone");
      if (file.identity !== opened.identity) throw goneError(opened.path, "is not the file that was opened");
      if (file.size < opened.size) this.#cutOff ||= opened.path;
      opened.size = file.size;
    }
    if (this.#cutOff !== "") throw goneError(this.#cutOff, "was cut off", "the server is started again");
    this.#checkedAt = now;
  }

  /** Closes the log. */
  close(): void {
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = undefined;
  }

  /** Reads from the last byte known before the last commit: if that byte is missing, the log was cut off. */
  #measureLog(log: number): void {
    let count: number;
    do {
      const last = Math.max(this.#logSize - 1, 0);
      count = this.#read(log, last);
      if (count === 0 && this.#logSize > 0) this.#cutOff ||= this.#logPath;
      else this.#logSize = last + count;
    } while (count === this.#added.length);
  }

  #read(log: number, at: number): number {
    try {
      return readSync(log, this.#added, 0, this.#added.length, at);
    } catch (cause) {
      throw goneError(this.#logPath, `cannot be read (${describe(cause)})`, "it can be");
    }
  }
}

function statOf(path: string): { identity: string; size: bigint } | undefined {
  try {
    const { dev, ino, size } = statSync(path, { bigint: true });
    return { identity: `${dev}:${ino}`, size };
  } catch {
    return undefined;
  }
}

function goneError(path: string, what: string, until = "it is back, or the server is started again"): JournalError {
  const message = `"${path}" ${what}: nothing is kept until ${until}`;
  return new JournalError("ERR_JOURNAL_GONE", `Cannot write the journal: ${message}`);
}
