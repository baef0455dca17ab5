/**
 * Claims of journals by servers: a journal has one listener, and so can serve only one server.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";
import type { Journal } from "./journal.ts";

/** Journals that servers use. */
const claimed = new WeakSet<Journal>();

/**
 * Claims a journal for one server, until {@linkcode releaseJournal}.
 *
 * @param journal The journal.
 * @throws {StateError} If another server uses it.
 */
export function claimJournal(journal: Journal): void {
  if (claimed.has(journal)) throw new StateError("ERR_RUNNING", "Cannot start: another server uses the journal");
  claimed.add(journal);
}

/**
 * Releases a journal for other servers.
 *
 * @param journal The journal.
 */
export function releaseJournal(journal: Journal): void {
  claimed.delete(journal);
}
