/**
 * Group commit: appends that come while the disk is busy share the next transaction, so that their rate is not bound by
 * the rate of syncs.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Appended, NewEntry } from "./journal.ts";

const MIB = 1024 * 1024;
/**
 * Maximum of notifications and of their bytes in one transaction, so that the first does not wait long for the last.
 */
const GROUP_ENTRIES = 512;
const GROUP_BYTES = 8 * MIB;
/**
 * A commit waits for the next turn of the event loop while each turn brings at least this many notifications, and fewer
 * than the maximum wait: a sync takes as long as several requests (`bench/README.md`).
 */
const MIN_BROUGHT = 2;
const MAX_GATHERED = 64;

/** An append that waits for its commit. */
export interface WaitingAppend {
  /** The notification. */
  readonly entry: NewEntry;
  /** Called when it is on disk. */
  resolve(appended: Appended): void;
  /** Called when it cannot be written. */
  reject(error: unknown): void;
}

/** Gathers appends, and commits them in groups. */
export class GroupCommit {
  #commit: (group: WaitingAppend[]) => void;
  #waiting: WaitingAppend[] = [];
  #scheduled = false;
  #stopped = false;
  /** Number of appends that waited when the last turn ended. */
  #gathered = 0;

  /**
   * Makes a group commit with nothing to do.
   *
   * @param commit Writes a group in one transaction, and settles its appends; it must not throw.
   */
  constructor(commit: (group: WaitingAppend[]) => void) {
    this.#commit = commit;
  }

  /**
   * Adds an append to the next commit.
   *
   * @param append The append.
   */
  add(append: WaitingAppend): void {
    this.#waiting.push(append);
    this.schedule();
  }

  /**
   * Schedules a commit, even of an empty group. Appends of the same turn share it, and as long as turns bring several
   * more, so do those of the next turn. No timer is used: longer pauses between commits gave no higher rate, and later
   * answers.
   */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#gathered = 0;
    setImmediate(this.#commitOrWait);
  }

  readonly #commitOrWait = (): void => {
    const brought = this.#waiting.length - this.#gathered;
    this.#gathered = this.#waiting.length;
    if (brought >= MIN_BROUGHT && this.#gathered < MAX_GATHERED) return void setImmediate(this.#commitOrWait);
    this.#scheduled = false;
    if (!this.#stopped) this.commit();
    if (this.#waiting.length > 0) this.schedule();
  };

  /** Number of appends that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Commits the next group now. */
  commit(): void {
    this.#commit(this.#take());
  }

  #take(): WaitingAppend[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < GROUP_ENTRIES && bytes < GROUP_BYTES) {
      bytes += this.#waiting[count++]!.entry.bytes.length;
    }
    return this.#waiting.splice(0, count);
  }

  /** Stops committing. */
  stop(): void {
    this.#stopped = true;
  }
}
