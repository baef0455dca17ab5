/**
 * The files of a journal on disk: what may be a path, and whether the files are still those that were opened.
 *
 * @module
 */

import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { describe, JournalError, OptionError } from "../base/errors.ts";

/**
 * Checks the path of a journal. What SQLite takes for something else than a file would be gone with the process.
 *
 * @param path The path.
 * @throws {OptionError} If it is no text, empty, `":memory:"`, or a URL.
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
}

/** A file, and what tells it from another one that has its name by now. */
interface Opened {
  path: string;
  identity: string;
  size: bigint;
}

/** Interval between looks at the names of the files, in ms. */
const LOOK_INTERVAL = 10;

/**
 * The files of a journal that is open. SQLite goes on in files that are deleted, replaced or cut off, and what it writes there is gone when
 * they are closed. There is no third file beside these two: a journal that one process has for itself keeps the index of its log in memory.
 */
export class JournalFiles {
  #clock: Clock;
  #opened: Opened[] = [];
  /** When all was as it should be last, by the clock. */
  #lookedAt = -Infinity;
  /** Set for good once a file was cut off: it may grow again. */
  #cutOff = "";

  // The log
  #log: number | undefined;
  #logPath: string;
  #logSize = 0;
  /** Room for what a commit usually adds. */
  #added = new Uint8Array(65_536);

  /**
   * Remembers which files they are.
   *
   * @param path The path of the journal, which is open and has its log.
   * @param clock Tells when to look again.
   */
  constructor(path: string, clock: Clock) {
    this.#clock = clock;
    const absolute = resolve(path);
    // SQLite follows links before it names the log. Where a file system has no room for a log, there is none.
    this.#logPath = `${realpathSync(absolute)}-wal`;
    for (const path of [absolute, this.#logPath]) {
      const file = look(path);
      if (file !== undefined) this.#opened.push({ path, ...file });
    }
    if (this.#opened.length > 1) this.#log = openSync(this.#logPath, "r");
  }

  /**
   * Checks that they are still there: the length of the log each time, the names once in 10 ms. What is kept within 10 ms of a deletion is in
   * the deleted file, as is all that was kept before. A `stat` of the log after each sync cost some 55 µs on Bun and 75 µs on Deno of a commit
   * that is alone, most of it in the next write and its sync.
   *
   * @throws {JournalError} If one is gone or has become shorter, or another one has its name.
   */
  assertThere(): void {
    // Each time: with the next commit it is long again, with a hole in it.
    if (this.#log !== undefined) this.#measureLog(this.#log);
    if (this.#cutOff === "" && this.#clock.now() - this.#lookedAt < LOOK_INTERVAL) return;
    this.assertThereNow();
  }

  /**
   * Checks all of it, whenever that was done last.
   *
   * @throws {JournalError} If one is gone or has become shorter, or another one has its name.
   */
  assertThereNow(): void {
    this.#lookedAt = -Infinity;
    const now = this.#clock.now();
    for (const opened of this.#opened) {
      const file = look(opened.path);
      if (file === undefined) throw goneError(opened.path, "is gone");
      if (file.identity !== opened.identity) throw goneError(opened.path, "is not the file that was opened");
      if (file.size < opened.size) this.#cutOff ||= opened.path;
      opened.size = file.size;
    }
    if (this.#cutOff !== "") throw goneError(this.#cutOff, "was cut off", "the server is started again");
    this.#lookedAt = now;
  }

  /** Lets go of the files. */
  close(): void {
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = undefined;
  }

  /** Reads on from the last byte that was there, before the last commit: without that byte the log was cut off. */
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

function look(path: string): { identity: string; size: bigint } | undefined {
  try {
    const { dev, ino, size } = statSync(path, { bigint: true });
    return { identity: `${dev}:${ino}`, size };
  } catch {
    return undefined;
  }
}

function goneError(path: string, what: string, until = "it is back, or the server is started again"): JournalError {
  const message = `"${path}" ${what}: nothing is taken until ${until}`;
  return new JournalError("ERR_JOURNAL_GONE", `Cannot write the journal: ${message}`);
}
