/**
 * Retention of the journal in PostgreSQL: removals by age, and the deletion of what was removed.
 *
 * @module
 */

import type { AgeClock } from "../journal/age_clock.ts";
import { DIGEST_AGE } from "../journal/retention.ts";
import type { Removal } from "../journal/trimmer.ts";
import { SWEEP, TRIM } from "./retention_statements.ts";
import type { StatementRunner } from "./runner.ts";

/** Removes notifications and digests, in portions. */
export class PostgresRetention {
  #runner: StatementRunner;
  #clock: AgeClock;
  #maxAge: number;
  /** Number up to which this node has deleted rows. */
  #swept = 0;
  #sweeping: Promise<void> | undefined;
  #stopped = false;

  /**
   * Makes a retention that does not run yet.
   *
   * @param runner Runs statements.
   * @param clock Age of the journal.
   * @param maxAge Maximum age of notifications, in ms; 0: no limit.
   */
  constructor(runner: StatementRunner, clock: AgeClock, maxAge: number) {
    this.#runner = runner;
    this.#clock = clock;
    this.#maxAge = maxAge;
  }

  /**
   * Removes old notifications for all readers, whose rows {@linkcode PostgresRetention.sweep} deletes; and old digests.
   *
   * @returns The removals.
   */
  async trim(): Promise<Removal> {
    let before: number | undefined;
    const ages = [this.#maxAge, Math.max(this.#maxAge, DIGEST_AGE)];
    for (;;) {
      const [row] = await this.#runner.run(TRIM, [this.#clock.age, ...ages]);
      const [was = 0, trimmed = 0, age = 0, more] = String(row![0]).split("|").map(Number);
      this.#clock.raise(age);
      before ??= was;
      // Others may have restored rows, or left some.
      this.#swept = 0;
      if (more !== 1 || this.#stopped) return { before, trimmed };
    }
  }

  /** Deletes the rows of notifications that were removed. */
  sweep(): Promise<void> {
    return this.#sweeping ??= this.#sweep().finally(() => this.#sweeping = undefined);
  }

  async #sweep(): Promise<void> {
    for (;;) {
      const [row] = await this.#runner.run(SWEEP, [this.#swept]);
      if (row![0] === null || this.#stopped) return;
      this.#swept = Number(row![0]);
    }
  }

  /** Ends after the portion of the moment. */
  stop(): void {
    this.#stopped = true;
  }
}
