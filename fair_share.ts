/**
 * Whose bytes are handled next. A connection that keeps the program busy, with a flood of tiny frames or with what inflates without end,
 * must not keep the others waiting: as long as there are others, the busy ones together get a seventh of the time.
 *
 * A connection is busy if handling what one read brings takes long, on average. Where all are alike, or nobody else is there, nothing
 * waits.
 *
 * @module
 */

import { systemClock } from "./clock.ts";

/** From this average time of a read on, in ms, a connection is busy; */
const BUSY = 0.1;
/** if it is so many times that of those which are not. */
const DISPROPORTION = 10;
/** It is busy no longer at so small a part of that, so that one at the limit does not count as another. */
const RELIEF = 3;
/** A longer time may be the garbage collector's. */
const OUTLIER = 0.5;
/** How what is usual follows what is seen. */
const [LEAST, RISE, FALL] = [0.001, 1.02, 0.97];
/** How much the last read counts in that average. */
const WEIGHT = 1 / 8;
/** A connection of which nothing is known is not trusted with more than so many bytes. */
const TRUSTED_LENGTH = 16 * 1024;
/** Reads after which something is known of it. */
const KNOWN_AFTER = 4;
/** The others are there if one was heard of so many ms ago, time that busy ones took aside. */
const PRESENCE = 10;
/** So much time may be used, in ms, before it is paid for: a timer is no finer. */
const CREDIT = 1;
/** What a turn costs that is not for bytes just read, in ms: it may be about anything. */
export const TURN_PRICE = 4;
/** Time that the others get for each ms. */
const PRICE = 6;

/** Reads of fewer bytes are looked at now and then only: to look at the clock costs more than most of them. */
const SHORT = 256;
const SAMPLES = 4;

/** What is known of one connection. */
export class ReadLoad {
  /** The average time of a read, in ms. */
  average = 0;
  /** Reads so far. */
  reads = 0;
  /** Whether it takes more than others. */
  busy = false;
}

/** Shares the time of one thread. */
export class FairShare {
  #now: () => number;
  #wait: (delay: number, callback: () => void) => () => void;
  /** When somebody was heard who is not busy. */
  #othersAt = -Infinity;
  /** Time that busy ones have used since then. */
  #usedSince = 0;
  /** The average time of their reads, in ms. */
  #typical = 0;
  /** Time that busy ones have used, and not paid for. */
  #used = 0;
  #blockedUntil = -Infinity;
  #queue: (() => void)[] = [];
  #cancelTimer: (() => void) | undefined;

  /**
   * Makes one.
   *
   * @param now The time, in ms.
   * @param wait Calls back after so many ms; returns what cancels that.
   */
  constructor(
    now: () => number = () => performance.now(),
    wait: (delay: number, callback: () => void) => () => void = systemClock.after,
  ) {
    this.#now = now;
    this.#wait = wait;
  }

  /**
   * Bytes are going to be handled.
   *
   * @param load What is known of their connection.
   * @param length How many there are.
   * @returns What `spent` wants to know.
   */
  begin(load: ReadLoad, length: number): number {
    const first = load.reads++ % SAMPLES === 0;
    return length >= SHORT || first || load.busy ? this.#now() : NaN;
  }

  /**
   * Whether bytes have to wait: see `enqueue`.
   *
   * @param load What is known of their connection.
   * @param length How many there are.
   * @returns `true` if they have to.
   */
  mustWait(load: ReadLoad, length: number): boolean {
    if (!load.busy && (load.reads >= KNOWN_AFTER || length < TRUSTED_LENGTH)) return false;
    return this.#queue.length > 0 || this.#now() < this.#blockedUntil;
  }

  /** Whether others are there. */
  get crowded(): boolean {
    return this.#now() - this.#othersAt - this.#usedSince <= PRESENCE;
  }

  /**
   * Waits for its turn.
   *
   * @param goOn Called then; handles the bytes.
   * @returns Waits no longer.
   */
  enqueue(goOn: () => void): () => void {
    this.#queue.push(goOn);
    this.#arm();
    return () => this.#leave(goOn);
  }

  #leave(goOn: () => void): void {
    const at = this.#queue.indexOf(goOn);
    if (at !== -1) this.#queue.splice(at, 1);
    if (this.#queue.length > 0) return;
    // A timer for nothing would keep the program alive.
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /**
   * Bytes were handled.
   *
   * @param load What is known of their connection.
   * @param since What `begin` has returned.
   */
  spent(load: ReadLoad, since: number): void {
    if (Number.isNaN(since)) return;
    const now = this.#now();
    const time = now - since;
    load.average += (Math.min(time, OUTLIER) - load.average) * WEIGHT;
    const limit = Math.max(BUSY, this.#typical * DISPROPORTION);
    load.busy = load.average >= (load.busy ? limit / RELIEF : limit);
    if (!load.busy && time < limit) {
      // Near the lesser ones: what is not known yet to be busy must not pass for usual.
      this.#typical = time > this.#typical ? Math.max(LEAST, this.#typical * RISE) : this.#typical * FALL;
      this.#othersAt = now;
      this.#usedSince = 0;
      return;
    }
    this.#usedSince += time;
    if (!this.crowded) this.#used = 0;
    else if ((this.#used += time) >= CREDIT) {
      this.#blockedUntil = now + this.#used * PRICE;
      this.#used = 0;
    }
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#wait(Math.max(0, this.#blockedUntil - this.#now()), () => this.#release());
  }

  /** One at a time: only when it was handled is it known what that took. */
  #release(): void {
    this.#cancelTimer = undefined;
    try {
      if (this.#now() >= this.#blockedUntil) this.#queue.shift()?.();
    } finally {
      if (this.#queue.length > 0) this.#arm();
    }
  }
}
