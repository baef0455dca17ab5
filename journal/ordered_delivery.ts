/**
 * Delivery of the entries of all nodes to the listener of one node: each once, and in order.
 *
 * @module
 */

import type { JournalEntry } from "./journal.ts";
import type { GivenNumbers } from "./sequence_ranges.ts";

/** Maximum of entries in one read. */
const READ_COUNT = 256;

/** Entries of the journal, and the last number it has given. */
export interface ReadResult {
  /** Last number given. */
  readonly last: number;
  /** Entries in the order of `seq`. */
  readonly entries: JournalEntry[];
}

/** Owner of an {@linkcode OrderedDelivery}. */
export interface OrderedDeliveryOwner {
  /** Hands an entry to the listener. */
  notify(entry: JournalEntry): void;
  /** Reads at most `count` entries behind `after`. */
  read(after: number, count: number): Promise<ReadResult>;
  /** `true` once no more entries are wanted. */
  readonly isClosed: boolean;
}

/** Delivers the entries that the tail, reads and own appends bring. */
export class OrderedDelivery {
  #given: GivenNumbers;
  #owner: OrderedDeliveryOwner;
  #delivered = 0;
  #reading: Promise<void> | undefined;

  /**
   * Makes a delivery at the beginning of the journal.
   *
   * @param given Records the numbers of delivered entries.
   * @param owner The journal.
   */
  constructor(given: GivenNumbers, owner: OrderedDeliveryOwner) {
    this.#given = given;
    this.#owner = owner;
  }

  /** Sequence number up to which all entries are delivered. */
  get delivered(): number {
    return this.#delivered;
  }

  /**
   * Begins after a number.
   *
   * @param seq The number.
   */
  begin(seq: number): void {
    this.#delivered = seq;
  }

  /**
   * Delivers an entry that is next in order, unless it was delivered before.
   *
   * @param entry The entry.
   */
  deliver(entry: JournalEntry): void {
    if (entry.seq <= this.#delivered) return;
    this.#delivered = entry.seq;
    this.#given.add(entry.seq);
    this.#owner.notify(entry);
  }

  /**
   * Delivers an entry that this node has appended, after earlier ones of other nodes.
   *
   * @param entry The entry.
   * @param forward `false`: only its number is used up.
   */
  async deliverOwn(entry: JournalEntry, forward: boolean): Promise<void> {
    if (entry.seq === this.#delivered + 1) {
      if (forward) this.deliver(entry);
      this.#delivered = entry.seq;
    }
    for (let before = -1; this.#delivered < entry.seq && before < this.#delivered && !this.#owner.isClosed;) {
      before = this.#delivered;
      this.#reading ??= this.#readOn().finally(() => this.#reading = undefined);
      try {
        await this.#reading;
      } catch {
        // Ignored on purpose: the entry is kept, and the tail brings it.
        return;
      }
    }
  }

  /**
   * Delivers all entries that are in the journal now.
   *
   * @returns Resolves when they are delivered. Rejects if the journal cannot be read.
   */
  async catchUp(): Promise<void> {
    // One that runs may have begun before the last entry came.
    await this.#reading?.catch(() => {});
    for (let before = -1; before < this.#delivered && !this.#owner.isClosed;) {
      before = this.#delivered;
      await (this.#reading ??= this.#readOn().finally(() => this.#reading = undefined));
    }
  }

  async #readOn(): Promise<void> {
    const { last, entries } = await this.#owner.read(this.#delivered, READ_COUNT);
    for (const entry of entries) this.deliver(entry);
    // Notifications that are not forwarded leave numbers out.
    if (entries.length === 0) this.#delivered = Math.max(this.#delivered, last);
    this.#given.add(last);
  }
}
