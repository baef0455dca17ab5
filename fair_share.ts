/**
 * Whose bytes are handled next. A connection that keeps the program busy, with handlers that work, a flood of tiny frames or what inflates
 * without end, must not keep the others waiting; and the processor must not idle while anything can be done.
 *
 * A connection is busy if handling what one read brings takes long, on average, and much longer than with others. While others talk, busy
 * connections queue up before they read. The head of the queue is served once a pass: a pass goes to the poller and back, so that all that
 * is ready on the others is handled in between. What is served in one pass takes about `QUANTUM`, and a busy connection gets about `SLICE`
 * of it at a time, measured in bytes. Where all are alike, or nobody else talks, nothing waits. Nothing ever waits for a clock.
 *
 * @module
 */

import { handlerTime } from "./handler_time.ts";

/** From this average time of a read on, in ms, a connection is busy; */
const BUSY = 0.1;
/** if it is so many times that of those which are not. */
const DISPROPORTION = 10;
/** It is busy no longer at so small a part of that, so that one at the limit does not count as another. */
const RELIEF = 3;
/** A longer time may be the garbage collector's. */
const OUTLIER = 1;
/** How what is usual follows what is seen. */
const [LEAST, RISE, FALL] = [0.001, 1.02, 0.97];
/** How much earlier reads count. */
const MEMORY = 7 / 8;
/** Reads after which something is known of it. */
const KNOWN_AFTER = 4;
/** The others are there if one was heard of so many ms ago, time that busy ones took aside. */
const PRESENCE = 10;
/**
 * How long handlers that work are served in one pass, in ms. What the program does is what the server is there for; of those that make the
 * library work, one is served in a pass.
 */
const QUANTUM = 1;
/** How long such a one is served at a time, in ms, as far as that can be foretold; and in bytes, at least and at most. */
const SLICE = 0.2;
const LEAST_SLICE = 128;
const MOST_SLICE = 64 * 1024;
/** The most bytes at a time of a connection of which nothing is known. */
const UNKNOWN_SLICE = 1024;
/** One whose bytes are not done with a slice may go on so many times, before it is the turn of others of its kind. */
const STREAK = 16;

/** Reads of fewer bytes are looked at now and then only: to look at the clock costs more than most of them. */
const SHORT = 256;
const SAMPLES = 4;

/** What is known of one connection. */
export class ReadLoad {
  /** Reads so far. */
  reads = 0;
  /** Whether it takes more than others. */
  busy = false;
  /** Time and bytes of the last reads, the latest counting most: their sums, in ms and bytes. */
  time = 0;
  bytes = 0;
  /** How much of that time handlers have taken, in ms. */
  handlers = 0;
  /** Slices in a row. */
  streak = 0;

  /** Whether enough is known of it to foretell what it takes. */
  get known(): boolean {
    return this.reads >= KNOWN_AFTER;
  }

  /** Whether the program is what takes the time. */
  get works(): boolean {
    return this.handlers * 2 > this.time;
  }

  /** The average time of a read, in ms. */
  get average(): number {
    return this.time * (1 - MEMORY);
  }
}

/** One that waits for its turn. */
interface Waiting {
  /** What its turn may take, in ms. */
  price: number;
  goOn: () => void;
}

/** Goes to the poller and back: calls back when all that was ready has been handled. */
export type Pass = (done: () => void) => void;

/** Shares the time of one thread. */
export class FairShare {
  #pass: Pass;
  #now: () => number;
  /** When somebody was heard who is not busy. */
  #othersAt = -Infinity;
  /** Time that busy ones have used since then. */
  #usedSince = 0;
  /** The average time of their reads, in ms. */
  #typical = 0;
  readonly #working = new Line(QUANTUM);
  readonly #costly = new Line(0);
  #passing = false;

  /**
   * Makes one.
   *
   * @param pass Goes to the poller and back.
   * @param now The time, in ms.
   */
  constructor(pass: Pass, now: () => number = () => performance.now()) {
    this.#pass = pass;
    this.#now = now;
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
    handlerTime.wanted = load.busy;
    handlerTime.spent = 0;
    return length >= SHORT || first || load.busy ? this.#now() : NaN;
  }

  /**
   * Whether bytes have to wait: see `enqueue`.
   *
   * @param load What is known of their connection.
   * @param length How many there are; 0 if that is not known yet.
   * @returns `true` if they have to.
   */
  mustWait(load: ReadLoad, length: number): boolean {
    return (load.busy || (length > SHORT && length > this.sliceOf(load))) && (this.#waiting || this.crowded);
  }

  /** Whether others are there. */
  get crowded(): boolean {
    return this.#now() - this.#othersAt - this.#usedSince <= PRESENCE;
  }

  /**
   * The most bytes to handle in one turn, where others are there.
   *
   * @param load What is known of their connection.
   * @returns How many.
   */
  sliceOf(load: ReadLoad): number {
    const most = load.known ? MOST_SLICE : UNKNOWN_SLICE;
    return load.time === 0 ? most : Math.min(most, Math.max(LEAST_SLICE, Math.floor(SLICE * load.bytes / load.time)));
  }

  /**
   * Waits for its turn.
   *
   * @param load What is known of the connection; absent if the turn is not for bytes.
   * @param goOn Called then; handles the bytes.
   * @param more Whether it has just had a turn, and its bytes were more than a slice.
   * @returns Waits no longer.
   */
  enqueue(load: ReadLoad | undefined, goOn: () => void, more = false): () => void {
    this.#startPass();
    if (load?.works) return this.#working.add({ price: load.average, goOn });
    const first = more && load !== undefined && ++load.streak < STREAK;
    if (!more && load !== undefined) load.streak = 0;
    return this.#costly.add({ price: 0, goOn }, first);
  }

  /**
   * Waits for the next pass.
   *
   * @param goOn Called then.
   * @returns Waits no longer.
   */
  waitForPass(goOn: () => void): () => void {
    this.#startPass();
    return this.#working.add({ price: 0, goOn });
  }

  /**
   * Bytes were handled.
   *
   * @param load What is known of their connection.
   * @param since What `begin` has returned.
   * @param length How many they were.
   */
  spent(load: ReadLoad, since: number, length: number): void {
    if (Number.isNaN(since)) return;
    const now = this.#now();
    const time = now - since;
    handlerTime.wanted = false;
    load.time = load.time * MEMORY + Math.min(time, OUTLIER);
    load.handlers = load.handlers * MEMORY + Math.min(handlerTime.spent, OUTLIER);
    load.bytes = load.bytes * MEMORY + (time > OUTLIER ? length * OUTLIER / time : length);
    const { average } = load;
    const limit = Math.max(BUSY, this.#typical * DISPROPORTION);
    load.busy = average >= (load.busy ? limit / RELIEF : limit);
    if (load.busy || time >= limit) {
      this.#usedSince += time;
      return;
    }
    // Near the lesser ones: what is not known yet to be busy must not pass for usual.
    this.#typical = time > this.#typical ? Math.max(LEAST, this.#typical * RISE) : this.#typical * FALL;
    this.#othersAt = now;
    this.#usedSince = 0;
  }

  #startPass(): void {
    if (this.#passing) return;
    this.#passing = true;
    this.#pass(this.#serve);
  }

  readonly #serve = (): void => {
    this.#passing = false;
    try {
      this.#working.serve();
      this.#costly.serve();
    } finally {
      if (this.#waiting) this.#startPass();
    }
  };

  get #waiting(): boolean {
    return this.#working.length + this.#costly.length > 0;
  }
}

/** Those of one kind that wait. */
class Line {
  #quantum: number;
  #waiting: Waiting[] = [];

  constructor(quantum: number) {
    this.#quantum = quantum;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(waiting: Waiting, first = false): () => void {
    if (first) this.#waiting.unshift(waiting);
    else this.#waiting.push(waiting);
    return () => {
      const at = this.#waiting.indexOf(waiting);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
  }

  /** The first, and as many more as the quantum allows. */
  serve(): void {
    const queue = this.#waiting;
    let left = this.#quantum;
    // Who comes back meanwhile waits for the next pass.
    for (let count = queue.length; count > 0 && queue.length > 0; count--) {
      const { price, goOn } = queue.shift()!;
      goOn();
      left -= price;
      if (left <= 0 || (queue.length > 0 && queue[0].price > left)) return;
    }
  }
}
