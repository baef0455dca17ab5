/**
 * Receivers of one node of the journal in PostgreSQL: their cursors and names, and those that they share.
 *
 * @module
 */

import type { JournalError } from "../base/errors.ts";
import type { AgeClock } from "../journal/age_clock.ts";
import type { SharedCursor } from "../journal/journal.ts";
import type { ReceiverLimits } from "../journal/receiver_names.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { SharedParts } from "../journal/shared_parts.ts";
import { PostgresCursors } from "./cursors.ts";
import { writeError } from "./journal_errors.ts";
import type { StatementRunner } from "./runner.ts";
import { PostgresSharedStore } from "./shared_cursor.ts";

/** Owner of {@linkcode PostgresReceivers}. */
export interface PostgresReceiversOwner {
  /** Takes the progress of retention, and losses: "after until …". */
  learn(trimmed: number, lost: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
  /** Reports an error to the listener. */
  report(error: JournalError): void;
  /** Keeps the journal open until a write has ended. */
  track(writing: Promise<unknown>): void;
}

/** Receivers of one node. */
export class PostgresReceivers {
  /** Their cursors and names. */
  readonly cursors: PostgresCursors;
  #node: string;
  #runner: StatementRunner;
  #owner: PostgresReceiversOwner;
  #shared = new SharedParts();
  #sharedCount = 0;

  /**
   * Begins without receivers.
   *
   * @param node ID of the node.
   * @param runner Runs statements.
   * @param limits Maximum of names, and of their age.
   * @param clock Age of the journal.
   * @param owner The journal.
   */
  constructor(
    node: string,
    runner: StatementRunner,
    limits: ReceiverLimits,
    clock: AgeClock,
    owner: PostgresReceiversOwner,
  ) {
    this.#node = node;
    this.#runner = runner;
    this.#owner = owner;
    this.cursors = new PostgresCursors(node, runner, limits, clock, owner);
  }

  /**
   * Joins a cursor that the receivers of a name share, on all nodes.
   *
   * @param name The name.
   * @param start Sequence number to begin after, if the cursor is new.
   * @param wanted Filters of the receivers.
   * @param wake Called when there may be notifications to take.
   * @returns The part of this node in the cursor.
   */
  share(name: string, start: number, wanted: string, wake: () => void): SharedCursor {
    const consumer = `${this.#node}.${this.#sharedCount++}`;
    const store = new PostgresSharedStore(this.#node, { name, start, wanted, consumer }, this.#runner, {
      learn: (trimmed, lost) => this.#owner.learn(trimmed, lost),
      lost: () => this.#owner.lost(),
      failed: (error) => this.#owner.report(writeError(error)),
    });
    return this.#shared.add(store, wake);
  }

  /** Writes now what is not written yet; without a connection, the next one writes. */
  flush(): void {
    this.cursors.flush();
    this.#shared.flush();
  }

  /** Begins to end: writes all that is not written yet, and takes no more. */
  beginClose(): void {
    this.cursors.flush();
    this.#shared.leave();
    this.cursors.close();
  }

  /** Waits until everything is written, or cannot be. */
  closed(): Promise<void> {
    return this.#shared.ended();
  }
}
