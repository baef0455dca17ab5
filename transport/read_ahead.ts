/**
 * Limit of the bytes that were read from busy connections and wait, and choice of the connection to drop.
 *
 * @module
 */

/** A connection whose bytes were read and not handled yet. */
export interface ReadAheadOwner {
  /** True if its bytes may be dropped: none of its bytes was handled yet, or the connection has closed. */
  readonly expendable: boolean;
  /** Called when its bytes must be dropped; they are not counted any more. */
  giveUp(): void;
}

/** Counts the bytes of all connections that were read and not handled yet. */
export class ReadAheadBudget {
  #limit: number;
  #readLimit: number;
  #lengths = new Map<ReadAheadOwner, number>();
  #total = 0;
  /** The part of `#lengths` that is reserved and not read yet. */
  #reserved = new Map<ReadAheadOwner, number>();
  #reservedTotal = 0;

  /**
   * Makes an empty budget.
   *
   * @param limit Most bytes that may be kept.
   * @param readLimit Most bytes that may be kept or reserved for a read to start.
   */
  constructor(limit: number, readLimit: number = limit) {
    this.#limit = limit;
    this.#readLimit = readLimit;
  }

  /** Bytes that are kept or reserved. */
  get total(): number {
    return this.#total;
  }

  /** Bytes that are kept. */
  get kept(): number {
    return this.#total - this.#reservedTotal;
  }

  /**
   * Counts bytes that a connection keeps. Beyond the limit, expendable connections are dropped, the largest first.
   *
   * @param owner The connection.
   * @param length Bytes that it keeps now, in all.
   * @returns `false` if there is no room even then: the bytes are not counted, and must be handled at once.
   */
  keep(owner: ReadAheadOwner, length: number): boolean {
    this.release(owner);
    this.#lengths.set(owner, length);
    this.#total += length;
    while (this.#total > this.#limit) {
      const largest = this.#largest();
      if (largest === undefined) {
        this.release(owner);
        return false;
      }
      this.release(largest);
      largest.giveUp();
    }
    return true;
  }

  /**
   * Reserves room for the next read.
   *
   * @param owner The connection that reads.
   * @param length Bytes that the read may bring.
   * @returns `false` if there is no room now.
   */
  reserve(owner: ReadAheadOwner, length: number): boolean {
    if (this.#total > 0 && this.#total + length > this.#readLimit) return false;
    this.release(owner);
    this.#lengths.set(owner, length);
    this.#total += length;
    this.#reserved.set(owner, length);
    this.#reservedTotal += length;
    return true;
  }

  #largest(): ReadAheadOwner | undefined {
    let found: ReadAheadOwner | undefined;
    let most = 0;
    for (const [owner, length] of this.#lengths) {
      if (length > most && owner.expendable) [found, most] = [owner, length];
    }
    return found;
  }

  /**
   * Stops counting the bytes of a connection.
   *
   * @param owner The connection.
   */
  release(owner: ReadAheadOwner): void {
    this.#total -= this.#lengths.get(owner) ?? 0;
    this.#lengths.delete(owner);
    this.#reservedTotal -= this.#reserved.get(owner) ?? 0;
    this.#reserved.delete(owner);
  }
}
