/**
 * Errors of the journal in PostgreSQL.
 *
 * @module
 */

import { describe, JournalError } from "../base/errors.ts";

/** Reason why a journal is not used again once PostgreSQL has another one in its place. */
export const REPLACED = "PostgreSQL has another journal now; start the server again to use it";

/**
 * Reads the SQLSTATE of an error of PostgreSQL.
 *
 * @param error The error.
 * @returns Five characters; "" for other errors.
 */
export function stateOf(error: unknown): string {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  // The client of Bun has a name of its own in `code`, and the state in `errno`.
  for (const state of [code, errno]) if (typeof state === "string" && /^[0-9A-Z]{5}$/.test(state)) return state;
  return "";
}

/**
 * Makes the error of a failed write.
 *
 * @param cause Reason of the failure.
 * @returns `cause` itself if it is a {@linkcode JournalError}.
 */
export function writeError(cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const why = describe(cause);
  const code = why === REPLACED ? "ERR_JOURNAL_REPLACED" : "ERR_JOURNAL_WRITE";
  return new JournalError(code, `Cannot write the journal in PostgreSQL: ${why}`, { cause });
}

/**
 * Makes the error of a failed read.
 *
 * @param cause Reason of the failure.
 * @returns `cause` itself if it is a {@linkcode JournalError}.
 */
export function readError(cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  return new JournalError("ERR_JOURNAL_READ", `Cannot read the journal in PostgreSQL: ${describe(cause)}`, { cause });
}
