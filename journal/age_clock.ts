/**
 * Age of a journal: the total time that it has been open. Neither a clock that jumps nor a long stop makes it older.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** Measures the age of one journal. */
export class AgeClock {
  #clock: Clock;
  /** `now()` of the clock at age 0. */
  #zero: number | undefined;

  /**
   * Begins at age 0, unless {@linkcode AgeClock.raise} sets another one.
   *
   * @param clock Time.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Age of the journal, in ms. */
  get age(): number {
    return Math.round(this.#clock.now() - (this.#zero ??= this.#clock.now()));
  }

  /**
   * Sets the first age; later, only makes the journal older.
   *
   * @param age Age that was stored, or that another node reports, in ms.
   */
  raise(age: number): void {
    if (this.#zero === undefined || age > this.age) this.#zero = this.#clock.now() - age;
  }
}
