/**
 * Which journals are in use: one can tell only one server what is appended to it.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";
import type { Journal } from "./journal.ts";

/** The journals that servers use. */
const inUse = new WeakSet<Journal>();

/**
 * Takes a journal for one server, until {@linkcode releaseJournal}.
 *
 * @param journal The journal.
 * @throws {StateError} If another server uses it.
 */
export function claimJournal(journal: Journal): void {
  if (inUse.has(journal)) throw new StateError("ERR_RUNNING", "Cannot start: another server uses the journal");
  inUse.add(journal);
}

/**
 * Lets another server use a journal.
 *
 * @param journal The journal.
 */
export function releaseJournal(journal: Journal): void {
  inUse.delete(journal);
}
