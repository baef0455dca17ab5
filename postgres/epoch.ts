/**
 * The epoch of the journal in PostgreSQL: which journal it is, from which base its numbers grow, and which numbers this
 * node knows.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { GivenNumbers } from "../journal/sequence_ranges.ts";
import type { PostgresLink } from "./link.ts";
import { OPEN } from "./log_statements.ts";
import type { StatementRunner } from "./runner.ts";

/** Answer to the opening of the journal. */
export interface Opened {
  /** ID of the journal. */
  readonly id: string;
  /** Last number given. */
  readonly last: number;
  /** Number up to which retention has removed notifications. */
  readonly trimmed: number;
  /** Age of the journal, in ms. */
  readonly age: number;
  /** Numbers of the epoch are greater. */
  readonly base: number;
  /** Epochs: "base last …". */
  readonly eras: string;
  /** Losses: "after until …". */
  readonly lost: string;
}

/** The present epoch, as this node knows it. */
export class JournalEpoch {
  /** Numbers that this node knows, also of entries that it could not read. */
  readonly given: GivenNumbers = new GivenNumbers();
  #runner: StatementRunner;
  #id = "";
  /** ID of the journal if this node creates it. */
  readonly #newId: string = randomUUID();
  #base = 0;

  /**
   * Makes an epoch of a journal that is not open.
   *
   * @param runner Runs statements.
   */
  constructor(runner: StatementRunner) {
    this.#runner = runner;
  }

  /** Permanent ID of the journal; empty until it is open. */
  get id(): string {
    return this.#id;
  }

  /** Numbers of the epoch are greater than this one. */
  get base(): number {
    return this.#base;
  }

  /**
   * Opens the journal on a connection.
   *
   * @param link The connection.
   * @returns The answer; `undefined` if PostgreSQL has another journal by now.
   */
  async open(link: PostgresLink): Promise<Opened | undefined> {
    const [row] = await this.#runner.run(OPEN, [this.#id, this.#newId, this.given.pairs.join(" ")], link);
    const [id = "", last, trimmed, age, base, eras = "", lost = ""] = String(row![0]).split("|");
    if (this.#id !== "" && id !== this.#id) return undefined;
    return { id, last: Number(last), trimmed: Number(trimmed), age: Number(age), base: Number(base), eras, lost };
  }

  /**
   * Continues in the epoch of an answer.
   *
   * @param opened The answer.
   */
  adopt({ id, last, base, eras }: Opened): void {
    this.#id ||= id;
    this.#base = base;
    this.given.reset(eras, last);
  }
}
