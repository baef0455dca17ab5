/**
 * Shares the thread between connections. A connection that keeps it busy must not keep the others waiting, and the
 * processor must not idle while there is work.
 *
 * A connection is busy if a read of it takes long to handle, on average, and much longer than a read of the others.
 * While others talk, busy connections queue up before they read, and the head of the queue is served once a pass. A
 * pass goes to the poller and back: everything that is ready on other connections is handled in between. Nothing waits
 * where no other connection talks or all are alike, and nothing ever waits for a timer.
 *
 * There are two queues. Connections whose handlers take the time are served for `QUANTUM` a pass, one message or so
 * each: that work is what the server is there for. Of connections that make the library work (tiny frames, inflating,
 * large messages), one is served a pass, for about `SLICE`, by cutting its bytes.
 *
 * @module
 */

import { handlerTime } from "../base/handler_time.ts";

/**
 * A connection becomes busy at this average time of a read, in ms, if that is also `DISPROPORTION` times the usual one;
 */
const BUSY = 0.1;
const DISPROPORTION = 10;
/** and stops being busy at a third of that, so that one near the limit does not count as one of the others. */
const RELIEF = 3;
/**
 * Longest time that one read counts for, in ms: what is longer may be the garbage collector's, and alone makes no
 * connection busy.
 */
const OUTLIER = 0.7;
/** Least usual time, in ms, and the factors by which it follows longer and shorter reads. */
const [LEAST, RISE, FALL] = [0.001, 1.02, 0.97];
/** Weight of earlier reads in an average. */
const MEMORY = 7 / 8;
/** Number of reads after which the average of a connection is trusted. */
const KNOWN_AFTER = 4;
/** Others talk if one that is not busy was handled in the last 100 ms, the time of busy ones not counted. */
const PRESENCE = 100;
/** Time for connections whose handlers take the time, in ms a pass. */
const QUANTUM = 1.1;
/** Time for a connection that makes the library work, in ms a pass; its bytes are cut so that they should take that. */
const SLICE = 0.2;
/**
 * Part of the silence of the others that counts for nothing, in ms; half of the rest may be taken before the next pass.
 */
const PATIENCE = 2;
/** The most time that may be taken so, in ms. */
const MOST_CREDIT = 4;
const LEAST_SLICE = 128;
const MOST_SLICE = 64 * 1024;
/**
 * Most bytes at a time of a connection whose average is not trusted yet; the first time, when a request is expected,
 * and later.
 */
const FIRST_SLICE = 1024;
const UNKNOWN_SLICE = 256;
/** Number of slices that a connection gets in a row before the next one of its queue: what is begun holds memory. */
const STREAK = 16;

/**
 * Of reads shorter than 256 bytes one in four is timed: looking at the clock takes longer than handling most of them.
 */
const SHORT = 256;
const SAMPLES = 4;

/** Running averages of one connection. */
export class ReadLoad {
  /** Reads so far. */
  reads = 0;
  /** True if it takes more than others. */
  busy = false;
  /** Time of the last reads, in ms: a sum in which later reads weigh more. */
  time = 0;
  /** Their length, in bytes: a sum of the same weights. */
  bytes = 0;
  /** Part of that time that handlers took, in ms. */
  handlers = 0;
  /** Slices in a row. */
  streak = 0;
  /** True if its next bytes have waited for their turn. */
  waited = false;

  /** True if the averages can be trusted. */
  get known(): boolean {
    return this.reads >= KNOWN_AFTER;
  }

  /** True if most of the time goes to handlers of the program. */
  get works(): boolean {
    return this.handlers * 2 > this.time;
  }

  /** The average time of a read, in ms. */
  get average(): number {
    return this.time * (1 - MEMORY);
  }
}

/** An entry of a queue. */
interface Waiting {
  /** Expected time of its turn, in ms. */
  price: number;
  goOn: () => void;
}

/** Goes to the poller and back: calls back when everything that was ready has been handled. */
export type Pass = (done: () => void) => void;

/** Decides which connection is served next on one thread. */
export class FairShare {
  #pass: Pass;
  #now: () => number;
  /** When a connection that is not busy was handled last. */
  #othersAt = -Infinity;
  /** True if one was since that was not timed. */
  #heard = false;
  /** Time that busy ones have used since then, in ms. */
  #usedSince = 0;
  /** Time that may be taken before the next pass, in ms, since the last one found that they were silent. */
  #credit = 0;
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
    return length >= SHORT || first || load.busy || load.waited ? this.#now() : NaN;
  }

  /**
   * Tells whether bytes have to wait: see `enqueue`.
   *
   * @param load What is known of their connection.
   * @param length How many there are; 0 if that is not known yet.
   * @returns `true` if they have to.
   */
  mustWait(load: ReadLoad, length: number): boolean {
    const much = load.busy ? load.works || load.average > this.#credit : length > SHORT && this.#isMuch(load, length);
    return much && this.crowded;
  }

  /** Tells whether so many bytes should take long, and longer than a read of the others. */
  #isMuch(load: ReadLoad, length: number): boolean {
    if (!load.known) return length > this.sliceOf(load);
    return length * load.time > Math.max(this.#limit, this.#credit) * load.bytes;
  }

  /** From this time of a read on, in ms, a connection is busy. */
  get #limit(): number {
    return Math.max(BUSY, this.#typical * DISPROPORTION);
  }

  /** True if others are there. */
  get crowded(): boolean {
    if (this.#heard) this.#othersTalk(this.#now());
    return this.#now() - this.#othersAt - this.#usedSince <= PRESENCE;
  }

  /**
   * The most bytes to handle in one turn, where others are there.
   *
   * @param load What is known of their connection.
   * @returns How many.
   */
  sliceOf(load: ReadLoad): number {
    const time = Math.max(SLICE, this.#credit);
    const most = (load.known ? MOST_SLICE : load.reads === 0 ? FIRST_SLICE : UNKNOWN_SLICE) * Math.ceil(time / SLICE);
    return load.time === 0 ? most : Math.min(most, Math.max(LEAST_SLICE, Math.floor(time * load.bytes / load.time)));
  }

  /**
   * The most bytes to handle now, of a connection whose turn it is.
   *
   * @param load What is known of it.
   * @returns How many; Infinity where the others are gone.
   */
  turnOf(load: ReadLoad): number {
    return this.crowded ? this.sliceOf(load) : Infinity;
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
    if (load !== undefined) load.waited = true;
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
    if (Number.isNaN(since)) {
      this.#heard = true;
      this.#credit = 0;
      return;
    }
    const now = this.#now();
    const time = now - since;
    const { waited } = load;
    load.waited = false;
    handlerTime.wanted = false;
    load.time = load.time * MEMORY + Math.min(time, OUTLIER);
    load.handlers = load.handlers * MEMORY + Math.min(handlerTime.spent, OUTLIER);
    load.bytes = load.bytes * MEMORY + (time > OUTLIER ? length * OUTLIER / time : length);
    const { average } = load;
    const limit = this.#limit;
    load.busy = load.known && average >= (load.busy ? limit / RELIEF : limit);
    const isLong = load.busy || time >= limit;
    // Near the lesser ones: what is not known yet to be busy must not pass for usual.
    if (!isLong) this.#typical = time > this.#typical ? Math.max(LEAST, this.#typical * RISE) : this.#typical * FALL;
    // A slice is short, but is not one of the others: four connections with large messages would slow each other down.
    if (isLong || waited) {
      this.#usedSince += time;
      this.#credit -= time;
    } else this.#othersTalk(now);
  }

  #othersTalk(now: number): void {
    this.#heard = false;
    this.#othersAt = now;
    this.#usedSince = 0;
    this.#credit = 0;
  }

  #startPass(): void {
    if (this.#passing) return;
    this.#passing = true;
    this.#pass(this.#serve);
  }

  readonly #serve = (): void => {
    this.#passing = false;
    if (this.#heard) this.#othersTalk(this.#now());
    else this.#credit = Math.min(Math.max(0, this.#now() - this.#othersAt - PATIENCE) / 2, MOST_CREDIT);
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

/** A queue that is served for a quantum of time a pass. */
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

  /** Serves the first entry, and as many more as the quantum allows. */
  serve(): void {
    const queue = this.#waiting;
    let left = this.#quantum;
    // What is added meanwhile waits for the next pass.
    for (let count = queue.length; count > 0 && queue.length > 0; count--) {
      const { price, goOn } = queue.shift()!;
      goOn();
      left -= price;
      if (left <= 0 || (queue.length > 0 && queue[0]!.price > left)) return;
    }
  }
}
