/**
 * The end of a turn: what all connections have to write is written together, after all that has come was handled. So many reads in a
 * row, and then so many writes, run faster than a read and a write in turn: by 10 to 18 % on Bun with one small message in flight on each
 * of 32 connections, by some 5 % on Deno (`bench/README.md`).
 *
 * @module
 */

/** Has work at the end of a turn. */
export interface TurnMember {
  /** Does it, and does not throw. */
  endTurn(): void;
}

/** Collects what has something to do. */
export class Turn {
  #schedule: (run: () => void) => void;
  #waiting: TurnMember[] = [];
  #scheduled = false;
  #running = false;

  /**
   * Makes an empty collection.
   *
   * @param schedule Calls a function at the end of the turn.
   */
  constructor(schedule: (run: () => void) => void) {
    this.#schedule = schedule;
  }

  /** True if the turn is at its end: what is to be done then can be done at once. */
  get running(): boolean {
    return this.#running;
  }

  /**
   * Has something done at the end of the turn.
   *
   * @param member What has to do it.
   */
  add(member: TurnMember): void {
    this.#waiting.push(member);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(this.#run);
  }

  /** Has it done now. */
  flush(): void {
    this.#run();
  }

  readonly #run = (): void => {
    const waiting = this.#waiting;
    let done = 0;
    this.#running = true;
    try {
      // It grows meanwhile: what becomes free to write is written in the same turn.
      while (done < waiting.length) waiting[done++].endTurn();
    } finally {
      this.#running = false;
      // One that throws all the same must not hold up the others for ever.
      waiting.splice(0, done);
      this.#scheduled = waiting.length > 0;
      if (this.#scheduled) this.#schedule(this.#run);
    }
  };
}
