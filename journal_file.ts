/**
 * The files of a journal on disk: what may be a path, and whether the files are still those that were opened.
 *
 * @module
 */

import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { JournalError, OptionError } from "./errors.ts";

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
  identity: string | undefined;
}

/**
 * The files of a journal that is open. SQLite goes on in files that are deleted or replaced, and what it writes there is gone when they are
 * closed. There is no third file beside these two: a journal that one process has for itself keeps the index of its log in memory.
 */
export class JournalFiles {
  #opened: Opened[];

  /**
   * Remembers which files they are.
   *
   * @param path The path of the journal, which is open and has its log.
   */
  constructor(path: string) {
    const absolute = resolve(path);
    // SQLite follows links before it names the log.
    const paths = [absolute, `${realpathSync(absolute)}-wal`];
    const opened = paths.map((path) => ({ path, identity: identityOf(path) }));
    // Where a file system has no room for a log, there is none.
    this.#opened = opened.filter(({ identity }) => identity !== undefined);
  }

  /**
   * Checks that they are still there: two calls of the system, some 40 µs on Bun and 75 µs on Deno for a commit that is alone, of 0.4 ms;
   * where commits are shared it cannot be measured.
   *
   * @throws {JournalError} If one is gone, or another one has its name.
   */
  assertThere(): void {
    for (const { path, identity } of this.#opened) {
      const found = identityOf(path);
      if (found === identity) continue;
      const what = found === undefined ? "is gone" : "is not the file that was opened";
      const message = `"${path}" ${what}: nothing is taken until it is back, or the server is started again`;
      throw new JournalError("ERR_JOURNAL_GONE", `Cannot write the journal: ${message}`);
    }
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
