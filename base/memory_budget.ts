/**
 * Limit of the memory that peers make a server hold, for all connections together, and choice of the connections that
 * must give theirs up.
 *
 * The oldest of those that hold at least half of the average gives up first: a peer that holds little, or sends
 * without delay, gets through while attackers hold the memory. Size alone would hit an honest upload among many smaller
 * ones, age alone a small message on a slow network. Half of the average, since one large upload raises the average
 * above many equal ones: if it has at most half of the limit, one of these gives up.
 *
 * @module
 */

/** A connection that holds memory because of its peer. */
export interface Holder {
  /**
   * Called when the holder must give its memory up, which is not counted any more. Never called from within its own
   * {@linkcode MemoryBudget.update}.
   */
  giveUp(): void;
}

interface Holding {
  bytes: number;
  freeable: boolean;
}

/** Part of the limit that is freed beyond the excess, so that not each further read searches all holders. */
const SPARE = 1 / 16;

/** Counts the bytes that all holders hold. */
export class MemoryBudget {
  #limit: () => number;
  /** Holders, the oldest first. */
  #holdings = new Map<Holder, Holding>();
  #total = 0;
  /** Number of holdings that would become free, and their bytes. */
  #freeable = 0;
  #freeableBytes = 0;
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
   * Sets the bytes of a holder. Beyond the limit some holders must give up; this one only later, since it may be in the
   * middle of taking bytes.
   *
   * @param holder The holder.
   * @param bytes Bytes, at least 1.
   * @param freeable Whether the bytes would become free if the holder gave up.
   */
  update(holder: Holder, bytes: number, freeable = true): void {
    const holding = this.#holdings.get(holder);
    if (holding === undefined) this.#holdings.set(holder, { bytes, freeable });
    else {
      this.#subtract(holding);
      holding.bytes = bytes;
      holding.freeable = freeable;
    }
    this.#total += bytes;
    if (freeable) {
      this.#freeable++;
      this.#freeableBytes += bytes;
    }
    if (this.#isExceeded) this.#relieve(holder);
  }

  /**
   * Removes a holder.
   *
   * @param holder The holder.
   */
  release(holder: Holder): void {
    const holding = this.#holdings.get(holder);
    if (holding === undefined) return;
    this.#holdings.delete(holder);
    this.#subtract(holding);
  }

  #subtract({ bytes, freeable }: Holding): void {
    this.#total -= bytes;
    if (!freeable) return;
    this.#freeable--;
    this.#freeableBytes -= bytes;
  }

  get #isExceeded(): boolean {
    const limit = this.#limit();
    return limit > 0 && this.#total > limit;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#relieveLater);
  }

  readonly #relieveLater = (): void => {
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
    // A holder that gives up may call `update` with fewer bytes.
    if (this.#relieving) return;
    this.#relieving = true;
    const target = this.#limit() * (1 - SPARE);
    try {
      while (this.#mustFree(target) && this.#freeable > 0) {
        if (!this.#giveUpOldest(target, current)) return this.#schedule();
      }
    } finally {
      this.#relieving = false;
    }
  }

  /** A single holder may stay: each connection has a limit of its own. */
  #mustFree(target: number): boolean {
    return this.#total > target && this.#holdings.size > 1;
  }

  /**
   * Goes through the holders once, the oldest first. The largest is never below the average, so at least one gives up.
   *
   * @returns `false` if `current` is the next to give up.
   */
  #giveUpOldest(target: number, current: Holder | undefined): boolean {
    const least = this.#freeableBytes / this.#freeable / 2;
    for (const [holder, { bytes, freeable }] of this.#holdings) {
      if (!freeable || bytes < least) continue;
      if (holder === current) return false;
      this.release(holder);
      holder.giveUp();
      if (!this.#mustFree(target)) return true;
    }
    return true;
  }
}
