/**
 * Errors of the journal in Redis.
 *
 * @module
 */

import { describe, JournalError } from "../base/errors.ts";
import type { EvictionSettings } from "./server_config.ts";

/** Reason why a journal is not used again once Redis has another one in its place. */
export const REPLACED = "Redis has another journal now; start the server again to use it";

/**
 * Makes the error of a failed write.
 *
 * @param cause Reason of the failure.
 * @returns `cause` itself if it is a {@linkcode JournalError}.
 */
export function writeError(cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const why = describe(cause);
  const replaced = why.includes("REPLACED") || why.includes(REPLACED);
  const message = `Cannot write the journal in Redis: ${replaced ? REPLACED : why}`;
  return new JournalError(replaced ? "ERR_JOURNAL_REPLACED" : "ERR_JOURNAL_WRITE", message, { cause });
}

/**
 * Makes the error of a failed read.
 *
 * @param cause Reason of the failure.
 * @returns The error.
 */
export function readError(cause: unknown): JournalError {
  return new JournalError("ERR_JOURNAL_READ", `Cannot read the journal in Redis: ${describe(cause)}`, { cause });
}

/**
 * Makes the error for a Redis that evicts keys.
 *
 * @param settings Its settings.
 * @returns The error.
 */
export function evictionError({ maxMemory, policy }: EvictionSettings): JournalError {
  const message =
    `Redis evicts keys when its memory is full ("maxmemory" is ${maxMemory}, "maxmemory-policy" is ${policy}), ` +
    `and notifications with them: set "maxmemory-policy" to noeviction`;
  return new JournalError("ERR_JOURNAL_EVICTION", message);
}
