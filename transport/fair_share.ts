/**
 * Shares the thread between connections: a busy connection must not delay light ones, and the processor must not idle
 * while there is work.
 *
 * A connection is busy if the average read of it takes long to handle, and much longer than a read of other
 * connections. All other connections are light. While light connections are active, busy ones queue up before they
 * read, and the head of the queue is served once a pass. A pass goes to the poller and back: everything that is ready
 * on other connections is handled in between. No connection waits if no light one is active, or if all take equally
 * long, and none ever waits for a timer.
 *
 * There are two queues. Connections whose handlers take the time are served for `QUANTUM` a pass, about one message
 * each: that work is the purpose of the server. Of connections that make the library work (tiny frames, inflating,
 * large messages), one is served a pass, for about `SLICE`: its bytes are cut.
 *
 * @module
 */

import { handlerTime } from "../base/handler_time.ts";

/** Average time of a read from which a connection is busy, in ms, if also `DISPROPORTION` times the usual time. */
const BUSY = 0.1;
const DISPROPORTION = 10;
/** A connection stops being busy at a third of that limit, so that it does not alternate near the limit. */
const RELIEF = 3;
/** Longest time that one read counts for, in ms: a longer time may be garbage collection. */
const OUTLIER = 0.7;
/** Least usual time, in ms, and the factors by which it follows longer and shorter reads. */
const [LEAST, RISE, FALL] = [0.001, 1.02, 0.97];
/** Weight of earlier reads in an average. */
const MEMORY = 7 / 8;
/** Number of reads after which the average of a connection is trusted. */
const TRUSTED_AFTER = 4;
/** Light connections are active if one was handled in the last 100 ms, not counting the time of busy connections. */
const LIGHT_PRESENCE = 100;
/** Time for connections whose handlers take the time, in ms a pass. */
const QUANTUM = 1.1;
/** Time for a connection that makes the library work, in ms a pass: its bytes are cut to take about that. */
const SLICE = 0.2;
/**
 * Silence of the light connections that gives no credit, in ms; half of the time beyond it may be used before the
 * next pass.
 */
const PATIENCE = 2;
/** Most time that may be used in this way, in ms. */
const MOST_CREDIT = 4;
const LEAST_SLICE = 128;
const MOST_SLICE = 64 * 1024;
/**
 * Most bytes at a time of a connection whose average is not trusted yet: of its first read, which should be a request,
 * and of later ones.
 */
const FIRST_SLICE = 1024;
const UNTRUSTED_SLICE = 256;
/** Number of slices that a connection gets in a row: messages that have begun hold memory. */
const STREAK = 16;

/**
 * Of reads shorter than 256 bytes one in four is timed: reading the clock takes longer than handling most of them.
 */
const SHORT = 256;
const SAMPLES = 4;

/** Running averages of one connection. */
export class ReadLoad {
  /** Reads so far. */
  reads = 0;
  /** True if its reads take much longer than usual. */
  busy = false;
  /** Time of the last reads, in ms: a sum in which later reads weigh more. */
  time = 0;
  /** Length of the last reads, in bytes: a sum with the same weights. */
  bytes = 0;
  /** Part of `time` that handlers took, in ms. */
  handlers = 0;
  /** Slices in a row. */
  streak = 0;
  /** True if its next bytes were queued. */
  waited = false;

  /** True after enough reads to trust the averages. */
  get trusted(): boolean {
    return this.reads >= TRUSTED_AFTER;
  }

  /** True if most of the time goes to handlers of the program. */
  get handlerBound(): boolean {
    return this.handlers * 2 > this.time;
  }

  /** The average time of a read, in ms. */
  get average(): number {
    return this.time * (1 - MEMORY);
  }
}

/** An entry of a queue. */
interface QueueEntry {
  /** Expected time of serving it, in ms. */
  expectedTime: number;
  serve: () => void;
}

/** Goes to the poller and back: calls back when everything that was ready has been handled. */
export type RunPass = (done: () => void) => void;

/** Decides which connection is served next on one thread. */
export class FairShare {
  #runPass: RunPass;
  #now: () => number;
  /** When a light connection was handled last. */
  #lightAt = -Infinity;
  /** True if a light connection was handled since then without being timed. */
  #untimed = false;
  /** Time of busy connections since then, in ms. */
  #busyTime = 0;
  /** Time that may be used before the next pass, in ms, since light connections were silent at the last one. */
  #credit = 0;
  /** Usual time of a read of light connections, in ms. */
  #typical = 0;
  readonly #handlerQueue = new ServiceQueue(QUANTUM);
  readonly #libraryQueue = new ServiceQueue(0);
  #passRunning = false;

  /**
   * Makes a scheduler without connections.
   *
   * @param runPass Goes to the poller and back.
   * @param now The time, in ms.
   */
  constructor(runPass: RunPass, now: () => number = () => performance.now()) {
    this.#runPass = runPass;
    this.#now = now;
  }

  /**
   * Starts to measure the handling of bytes.
   *
   * @param load Averages of the connection.
   * @param length Number of bytes.
   * @returns The time, in ms, for `spent`; `NaN` if this read is not timed.
   */
  begin(load: ReadLoad, length: number): number {
    const first = load.reads++ % SAMPLES === 0;
    handlerTime.wanted = load.busy;
    handlerTime.spent = 0;
    return length >= SHORT || first || load.busy || load.waited ? this.#now() : NaN;
  }

  /**
   * Tells whether bytes must be queued with `enqueue`.
   *
   * @param load Averages of the connection.
   * @param length Number of bytes; 0 before they are read.
   * @returns `true` if they must.
   */
  mustWait(load: ReadLoad, length: number): boolean {
    const much = load.busy
      ? load.handlerBound || load.average > this.#credit
      : length > SHORT && this.#isMuch(load, length);
    return much && this.crowded;
  }

  /** Tells whether a number of bytes will probably take long, and much longer than a usual read. */
  #isMuch(load: ReadLoad, length: number): boolean {
    if (!load.trusted) return length > this.sliceOf(load);
    return length * load.time > Math.max(this.#limit, this.#credit) * load.bytes;
  }

  /** Time of a read from which a connection is busy, in ms. */
  get #limit(): number {
    return Math.max(BUSY, this.#typical * DISPROPORTION);
  }

  /** True if light connections are active. */
  get crowded(): boolean {
    if (this.#untimed) this.#recordLight(this.#now());
    return this.#now() - this.#lightAt - this.#busyTime <= LIGHT_PRESENCE;
  }

  /**
   * Computes the most bytes to handle at a time while light connections are active.
   *
   * @param load Averages of the connection.
   * @returns Number of bytes.
   */
  sliceOf(load: ReadLoad): number {
    const time = Math.max(SLICE, this.#credit);
    const most = (load.trusted ? MOST_SLICE : load.reads === 0 ? FIRST_SLICE : UNTRUSTED_SLICE) *
      Math.ceil(time / SLICE);
    return load.time === 0 ? most : Math.min(most, Math.max(LEAST_SLICE, Math.floor(time * load.bytes / load.time)));
  }

  /**
   * Computes the most bytes to handle now, of a connection that is served.
   *
   * @param load Averages of the connection.
   * @returns Number of bytes; Infinity if no light connection is active.
   */
  allowance(load: ReadLoad): number {
    return this.crowded ? this.sliceOf(load) : Infinity;
  }

  /**
   * Queues a connection until it is served.
   *
   * @param load Averages of the connection; absent if other work than bytes is queued.
   * @param serve Called then; handles the bytes.
   * @param more Whether the connection was served just now and has bytes beyond its slice.
   * @returns Takes it out of the queue.
   */
  enqueue(load: ReadLoad | undefined, serve: () => void, more = false): () => void {
    this.#startPass();
    if (load !== undefined) load.waited = true;
    if (load?.handlerBound) return this.#handlerQueue.add({ expectedTime: load.average, serve });
    const first = more && load !== undefined && ++load.streak < STREAK;
    if (!more && load !== undefined) load.streak = 0;
    return this.#libraryQueue.add({ expectedTime: 0, serve }, first);
  }

  /**
   * Waits for the next pass.
   *
   * @param serve Called then.
   * @returns Cancels the wait.
   */
  waitForPass(serve: () => void): () => void {
    this.#startPass();
    return this.#handlerQueue.add({ expectedTime: 0, serve });
  }

  /**
   * Records that bytes were handled.
   *
   * @param load Averages of the connection.
   * @param since Result of `begin`.
   * @param length Number of bytes.
   */
  spent(load: ReadLoad, since: number, length: number): void {
    if (Number.isNaN(since)) {
      this.#untimed = true;
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
    load.busy = load.trusted && average >= (load.busy ? limit / RELIEF : limit);
    const isLong = load.busy || time >= limit;
    // It falls faster than it rises: a busy connection that is not recognised yet must not count as usual.
    if (!isLong) this.#typical = time > this.#typical ? Math.max(LEAST, this.#typical * RISE) : this.#typical * FALL;
    // A slice is short, but its connection is not light: four with large messages would slow each other down.
    if (isLong || waited) {
      this.#busyTime += time;
      this.#credit -= time;
    } else this.#recordLight(now);
  }

  #recordLight(now: number): void {
    this.#untimed = false;
    this.#lightAt = now;
    this.#busyTime = 0;
    this.#credit = 0;
  }

  #startPass(): void {
    if (this.#passRunning) return;
    this.#passRunning = true;
    this.#runPass(this.#serve);
  }

  readonly #serve = (): void => {
    this.#passRunning = false;
    if (this.#untimed) this.#recordLight(this.#now());
    else this.#credit = Math.min(Math.max(0, this.#now() - this.#lightAt - PATIENCE) / 2, MOST_CREDIT);
    try {
      this.#handlerQueue.serve();
      this.#libraryQueue.serve();
    } finally {
      if (this.#waiting) this.#startPass();
    }
  };

  get #waiting(): boolean {
    return this.#handlerQueue.length + this.#libraryQueue.length > 0;
  }
}

/** A queue that is served for a quantum of time a pass. */
class ServiceQueue {
  #quantum: number;
  #waiting: QueueEntry[] = [];

  constructor(quantum: number) {
    this.#quantum = quantum;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(waiting: QueueEntry, first = false): () => void {
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
    let remaining = this.#quantum;
    // Entries added meanwhile wait for the next pass.
    for (let count = queue.length; count > 0 && queue.length > 0; count--) {
      const { expectedTime, serve } = queue.shift()!;
      serve();
      remaining -= expectedTime;
      if (remaining <= 0 || (queue.length > 0 && queue[0]!.expectedTime > remaining)) return;
    }
  }
}
