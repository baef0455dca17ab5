/**
 * Bytes that were read before it was their turn: how many may wait, and who has to go when there is no room.
 *
 * @module
 */

/** A connection whose bytes wait. */
export interface Waiter {
  /** True if it may be given up: nothing of it was handled yet, or its connection has closed. */
  readonly expendable: boolean;
  /** Called when it has to go: it has left already. */
  giveUp(): void;
}

/** Keeps count of the bytes that wait, of all connections together. */
export class WaitingRoom {
  #limit: number;
  #readLimit: number;
  #lengths = new Map<Waiter, number>();
  #total = 0;
  /** Bytes that are kept room for and not read yet, of `#total`. */
  #reserved = new Map<Waiter, number>();
  #reservedTotal = 0;

  /**
   * Makes an empty one.
   *
   * @param limit Most bytes that wait.
   * @param readLimit Most bytes that wait while more is read.
   */
  constructor(limit: number, readLimit: number = limit) {
    this.#limit = limit;
    this.#readLimit = readLimit;
  }

  /** Bytes that wait, or are kept room for. */
  get total(): number {
    return this.#total;
  }

  /** Bytes that wait. */
  get held(): number {
    return this.#total - this.#reservedTotal;
  }

  /**
   * Has bytes wait. Without room, expendable connections are given up, first the one that holds the most.
   *
   * @param waiter Whose bytes.
   * @param length How many of it wait now, those from before included.
   * @returns `false` if there is no room all the same: they cannot wait, and have left.
   */
  hold(waiter: Waiter, length: number): boolean {
    this.leave(waiter);
    this.#lengths.set(waiter, length);
    this.#total += length;
    while (this.#total > this.#limit) {
      const largest = this.#largest();
      if (largest === undefined) {
        this.leave(waiter);
        return false;
      }
      this.leave(largest);
      largest.giveUp();
    }
    return true;
  }

  /**
   * Keeps room for bytes that are going to be read.
   *
   * @param waiter Whose bytes.
   * @param length How many.
   * @returns `false` if there is no room for them now.
   */
  reserve(waiter: Waiter, length: number): boolean {
    if (this.#total > 0 && this.#total + length > this.#readLimit) return false;
    this.leave(waiter);
    this.#lengths.set(waiter, length);
    this.#total += length;
    this.#reserved.set(waiter, length);
    this.#reservedTotal += length;
    return true;
  }

  #largest(): Waiter | undefined {
    let found: Waiter | undefined;
    let most = 0;
    for (const [waiter, length] of this.#lengths) {
      if (length > most && waiter.expendable) [found, most] = [waiter, length];
    }
    return found;
  }

  /**
   * Its bytes wait no longer.
   *
   * @param waiter Whose bytes.
   */
  leave(waiter: Waiter): void {
    this.#total -= this.#lengths.get(waiter) ?? 0;
    this.#lengths.delete(waiter);
    this.#reservedTotal -= this.#reserved.get(waiter) ?? 0;
    this.#reserved.delete(waiter);
  }
}
