/**
 * Memory that peers make a server hold, of all its connections together, and which of them must let go when it is too
 * much.
 *
 * Those that hold at least half of the average go, the one that began first before the others: a peer that holds
 * little, or sends what it announced without delay, gets through while others hold the memory. Neither alone would do:
 * the largest first would hit an honest upload among many smaller ones that are held, the oldest first a small message
 * on a slow network. Half, since others that all hold the same are below an average that includes one larger upload: as
 * long as that has no more than half of the limit, one of them goes.
 *
 * @module
 */

/** A connection that holds memory because of its peer. */
export interface Holder {
  /**
   * Called when its memory must be given up; it is not counted any more. Never called from within its own
   * {@linkcode MemoryBudget.hold}.
   */
  giveUp(): void;
}

interface Holding {
  bytes: number;
  mayGo: boolean;
}

/** Part of the limit that is free after some had to go, so that not each further read looks through all holders. */
const SPARE = 1 / 16;

/** Counts the bytes that all holders hold. */
export class MemoryBudget {
  #limit: () => number;
  /** In the order in which they began. */
  #holdings = new Map<Holder, Holding>();
  #total = 0;
  /** Of them, those that may go, and their bytes. */
  #movable = 0;
  #movableBytes = 0;
  #relieving = false;
  #scheduled = false;

  /**
   * Makes an empty budget.
   *
   * @param limit Returns the most bytes; 0: no limit.
   */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Bytes that are held. */
  get total(): number {
    return this.#total;
  }

  /**
   * Sets what a holder holds. Beyond the limit some must go; the holder itself only later, since it may be in the
   * middle of taking bytes.
   *
   * @param holder The holder.
   * @param bytes Bytes, at least 1.
   * @param mayGo Whether they would be free if the holder gave up.
   */
  hold(holder: Holder, bytes: number, mayGo = true): void {
    const holding = this.#holdings.get(holder);
    if (holding === undefined) this.#holdings.set(holder, { bytes, mayGo });
    else {
      this.#subtract(holding);
      holding.bytes = bytes;
      holding.mayGo = mayGo;
    }
    this.#total += bytes;
    if (mayGo) {
      this.#movable++;
      this.#movableBytes += bytes;
    }
    if (this.#isExceeded) this.#relieve(holder);
  }

  /**
   * A holder holds nothing any more.
   *
   * @param holder The holder.
   */
  release(holder: Holder): void {
    const holding = this.#holdings.get(holder);
    if (holding === undefined) return;
    this.#holdings.delete(holder);
    this.#subtract(holding);
  }

  #subtract({ bytes, mayGo }: Holding): void {
    this.#total -= bytes;
    if (!mayGo) return;
    this.#movable--;
    this.#movableBytes -= bytes;
  }

  get #isExceeded(): boolean {
    const limit = this.#limit();
    return limit > 0 && this.#total > limit;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#scheduled = false;
    if (this.#isExceeded) this.#relieve(undefined);
  };

  /**
   * Frees memory at once, as far as it can: a runtime may bring the reads of many connections in one turn, and a
   * microtask would come behind all of them.
   *
   * @param current The holder that is taking bytes now.
   */
  #relieve(current: Holder | undefined): void {
    // One that gives up may hold less from now on, and says so.
    if (this.#relieving) return;
    this.#relieving = true;
    const target = this.#limit() * (1 - SPARE);
    try {
      while (this.#mustGoOn(target) && this.#movable > 0) {
        if (!this.#giveUpOldest(target, current)) return this.#schedule();
      }
    } finally {
      this.#relieving = false;
    }
  }

  /** The only one may stay: what one connection may hold has a limit of its own. */
  #mustGoOn(target: number): boolean {
    return this.#total > target && this.#holdings.size > 1;
  }

  /**
   * One pass in the order of age; the largest is never below the average, so that each pass makes one go at least.
   *
   * @returns `false` if it is the turn of `current`.
   */
  #giveUpOldest(target: number, current: Holder | undefined): boolean {
    const least = this.#movableBytes / this.#movable / 2;
    for (const [holder, { bytes, mayGo }] of this.#holdings) {
      if (!mayGo || bytes < least) continue;
      if (holder === current) return false;
      this.release(holder);
      holder.giveUp();
      if (!this.#mustGoOn(target)) return true;
    }
    return true;
  }
}
