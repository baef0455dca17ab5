/**
 * The follower of the log, which brings the entries of other nodes: woken by notifications of PostgreSQL, and by a poll
 * while they do not come, as behind a pooler. Each renewal of the lease wakes it, too.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";

/** Interval between reads while notifications do not come, in ms: the first after a read with entries, and the last. */
const MIN_POLL = 20;
const MAX_POLL = 250;

/** Owner of a {@linkcode LogTail}. */
export interface LogTailOwner {
  /** ID of the node. */
  readonly node: string;
  /** `true` while there is a connection, and entries are wanted. */
  readonly isOpen: boolean;
  /** Sequence number of the last entry that was delivered. */
  readonly delivered: number;
  /** Reads and delivers all entries that are there. */
  catchUp(): Promise<void>;
  /** The log could not be read; the connection is to be replaced. */
  failed(error: unknown): void;
}

/** Follows the log. */
export class LogTail {
  #owner: LogTailOwner;
  /** `true` while notifications of this node come back to it. */
  #hears = false;
  /** `true` once one has come since the last renewal. */
  #heard = false;
  #cancelPoll: () => void = () => {};
  #delay = MIN_POLL;
  #reading = false;
  #again = false;

  /**
   * Makes a follower that is not started.
   *
   * @param owner The journal.
   */
  constructor(owner: LogTailOwner) {
    this.#owner = owner;
  }

  /**
   * Takes a notification: "seq node".
   *
   * @param payload The payload; anything else wakes too.
   */
  notified(payload: string): void {
    const [seq, node] = payload.split(" ");
    if (node !== this.#owner.node) {
      if (!(Number(seq) <= this.#owner.delivered)) this.wake();
      return;
    }
    this.#heard = true;
    this.#hears = true;
    this.#cancelPoll();
  }

  /**
   * Notes that a notification was sent: if the one before has not come, a poll takes over.
   *
   * @param last Last number given.
   */
  renewed(last: number): void {
    if (!this.#heard) this.#hears = false;
    this.#heard = false;
    if (!this.#hears) this.#poll();
    if (last > this.#owner.delivered) this.wake();
  }

  #poll(): void {
    this.#cancelPoll();
    this.#cancelPoll = systemClock.after(this.#delay, () => {
      if (this.#hears || !this.#owner.isOpen) return;
      this.wake();
    });
  }

  /** Reads now. */
  wake(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    if (!this.#owner.isOpen) return;
    this.#reading = true;
    this.#read().catch((error) => this.#owner.failed(error)).finally(() => {
      this.#reading = false;
      if (!this.#hears && this.#owner.isOpen) this.#poll();
    });
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      const before = this.#owner.delivered;
      await this.#owner.catchUp();
      this.#delay = this.#owner.delivered > before ? MIN_POLL : Math.min(MAX_POLL, this.#delay * 1.5);
    } while (this.#again && this.#owner.isOpen);
  }

  /** Stops the poll; a new connection starts it again. */
  stop(): void {
    this.#cancelPoll();
    this.#hears = false;
    this.#heard = false;
  }
}
