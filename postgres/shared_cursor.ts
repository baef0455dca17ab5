/**
 * The cursor that receivers of several servers share in the journal in PostgreSQL, with one consumer for each server.
 *
 * @module
 */

import { JournalError } from "../base/errors.ts";
import type { SequenceRange } from "../journal/sequence_ranges.ts";
import { type SharedAnswer, type SharedPlace, type SharedStore, TAKE_BYTES } from "../journal/shared_part.ts";
import { decodeEntry } from "./entry.ts";
import { readError } from "./journal_errors.ts";
import type { SqlColumn, SqlValue } from "./link.ts";
import type { StatementRunner } from "./runner.ts";
import { ACKNOWLEDGE, LEAVE, TAKE } from "./shared_statements.ts";

/** Owner of a {@linkcode PostgresSharedStore}. */
export interface PostgresSharedStoreOwner {
  /** Takes the progress of retention, and losses: "after until …". */
  learn(trimmed: number, lost: string): void;
  /** Ranges that the journal is known to have lost. */
  lost(): readonly SequenceRange[];
  /** Reports acknowledgements that could not be written; they are written again later. */
  failed(error: unknown): void;
}

/** A shared cursor in PostgreSQL. */
export class PostgresSharedStore implements SharedStore {
  #node: string;
  #place: SharedPlace;
  #runner: StatementRunner;
  #owner: PostgresSharedStoreOwner;

  /**
   * Makes a store; the cursor is joined when notifications are taken first.
   *
   * @param node ID of this node.
   * @param place Part of this server.
   * @param runner Runs statements.
   * @param owner The journal.
   */
  constructor(node: string, place: SharedPlace, runner: StatementRunner, owner: PostgresSharedStoreOwner) {
    this.#node = node;
    this.#place = place;
    this.#runner = runner;
    this.#owner = owner;
  }

  /** `true` while there is a connection. */
  get isConnected(): boolean {
    return this.#runner.link !== undefined;
  }

  /** Ranges that the journal is known to have lost. */
  get lost(): readonly SequenceRange[] {
    return this.#owner.lost();
  }

  // deno-lint-ignore require-await -- without a connection it rejects
  async #run(text: string, values: SqlValue[]): Promise<readonly (readonly SqlColumn[])[]> {
    return this.#runner.run(text, values);
  }

  /**
   * Takes notifications for this server.
   *
   * @param count Maximum of notifications.
   * @returns The answer.
   */
  async take(count: number): Promise<SharedAnswer> {
    const { name, start, wanted, consumer } = this.#place;
    let rows;
    try {
      rows = await this.#run(TAKE, [name, start, wanted, this.#node, consumer, count, TAKE_BYTES]);
    } catch (cause) {
      throw readError(cause);
    }
    const of = (wantedKind: string): (readonly SqlColumn[])[] => rows.filter(([kind]) => kind === wantedKind);
    const [state] = of("state");
    if (state === undefined) {
      const message = `The receivers named "${name}" on another server have other filters`;
      throw new JournalError("ERR_JOURNAL_CONFLICT", message);
    }
    const [trimmed, until, lost = ""] = String(state[4]).split("|");
    this.#owner.learn(Number(trimmed), lost);
    const entriesOf = (kind: string) => of(kind).map(([, ...columns]) => decodeEntry(columns));
    return {
      trimmed: Number(trimmed),
      last: Number(state[1]),
      until: Number(until),
      again: entriesOf("again"),
      new: entriesOf("new"),
    };
  }

  /**
   * Acknowledges notifications.
   *
   * @param seqs Their sequence numbers.
   */
  acknowledge(seqs: readonly number[]): Promise<unknown> {
    return this.#run(ACKNOWLEDGE, [this.#place.name, this.#place.consumer, seqs.join(" ")]);
  }

  /** Removes the consumer. */
  leave(): Promise<unknown> {
    return this.#run(LEAVE, [this.#place.name, this.#node, this.#place.consumer]);
  }

  /** Reports acknowledgements that could not be written. */
  failed(error: unknown): void {
    this.#owner.failed(error);
  }
}
