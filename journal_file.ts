/**
 * The files of a journal on disk: what may be a path, and whether the files are still those that were opened.
 *
 * @module
 */

import { OptionError } from "./errors.ts";

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
