/**
 * Receivers of one node of the journal in Redis: their cursors and names, and those that they share.
 *
 * @module
 */

import type { AgeClock } from "../journal/age_clock.ts";
import type { SharedCursor } from "../journal/journal.ts";
import type { ReceiverLimits } from "../journal/receiver_names.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { SharedParts } from "../journal/shared_parts.ts";
import type { AnswerSize } from "./answer_size.ts";
import { RedisCursors, type RedisCursorsOwner } from "./cursors.ts";
import { writeError } from "./journal_errors.ts";
import type { ScriptRunner } from "./script_runner.ts";
import { RedisSharedStore } from "./shared_cursor.ts";

/** Owner of {@linkcode RedisReceivers}. */
export interface RedisReceiversOwner extends RedisCursorsOwner {
  /** Takes the progress of retention, and news for all nodes. */
  learn(trimmed: number, news: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
}

/** Receivers of one node. */
export class RedisReceivers {
  /** Their cursors and names. */
  readonly cursors: RedisCursors;
  #node: string;
  #runner: ScriptRunner;
  #answerSize: AnswerSize;
  #owner: RedisReceiversOwner;
  #shared = new SharedParts();
  #sharedCount = 0;

  /**
   * Begins without receivers.
   *
   * @param node ID of the node.
   * @param runner Runs scripts.
   * @param answerSize Size of answers that the connection carries.
   * @param limits Maximum of names, and of their age.
   * @param clock Age of the journal.
   * @param owner The journal.
   */
  constructor(
    node: string,
    runner: ScriptRunner,
    answerSize: AnswerSize,
    limits: ReceiverLimits,
    clock: AgeClock,
    owner: RedisReceiversOwner,
  ) {
    this.#node = node;
    this.#runner = runner;
    this.#answerSize = answerSize;
    this.#owner = owner;
    this.cursors = new RedisCursors(node, runner, limits, clock, owner);
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
    const store = new RedisSharedStore({ name, start, wanted, consumer }, this.#answerSize, this.#runner, {
      learn: (trimmed, news) => this.#owner.learn(trimmed, news),
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

  /** Waits until the shared cursors are written, or cannot be. */
  closed(): Promise<void> {
    return this.#shared.ended();
  }
}
