/**
 * Encoded messages that wait one behind the other on many connections: all connections that have the same run of them waiting send one
 * array, which is made once.
 *
 * @module
 */

/** Most messages in a run: a connection that has another run waiting than all others holds some 100 bytes for each. */
const MAX_MESSAGES = 64;
/** Most bytes in a run. */
const MAX_LENGTH = 16 * 1024;

const EMPTY = new Uint8Array(0);

/**
 * A run of messages, never changed: to append one gives another run, the same one for all that append the same. Runs are found
 * again as long as a turn takes; what is held longer refers to its own messages only.
 */
export class SharedRun {
  /** The run without messages, which all others begin with. */
  static readonly none: SharedRun = new SharedRun(undefined, EMPTY, 0, 0);
  /** Those whose continuations or joined bytes are known in this turn. */
  static #remembering: SharedRun[] = [];

  /** Bytes of all messages. */
  readonly length: number;
  readonly #count: number;
  readonly #before: SharedRun | undefined;
  readonly #last: Uint8Array;

  // Known in this turn
  #remembers = false;
  #joined: Uint8Array | undefined;
  /** The newest continuation; */
  #next: SharedRun | undefined;
  /** older ones by what they append. */
  #others: Map<Uint8Array, SharedRun> | undefined;

  private constructor(before: SharedRun | undefined, last: Uint8Array, length: number, count: number) {
    this.#before = before;
    this.#last = last;
    this.length = length;
    this.#count = count;
  }

  /**
   * Whether a message may be appended.
   *
   * @param length Its bytes.
   * @returns `false` if the run would be too long.
   */
  hasRoomFor(length: number): boolean {
    return this.#count < MAX_MESSAGES && this.length + length <= MAX_LENGTH;
  }

  /**
   * Appends a message.
   *
   * @param frames Its frames, never to be changed again; the same array for all connections.
   * @returns The longer run.
   */
  append(frames: Uint8Array): SharedRun {
    const next = this.#next;
    return next !== undefined && next.#last === frames ? next : this.#continue(frames);
  }

  #continue(frames: Uint8Array): SharedRun {
    const known = this.#others?.get(frames);
    if (known !== undefined) return known;
    const newest = this.#next;
    if (newest !== undefined) (this.#others ??= new Map()).set(newest.#last, newest);
    this.#remember();
    return this.#next = new SharedRun(this, frames, this.length + frames.length, this.#count + 1);
  }

  /**
   * All messages in one array.
   *
   * @returns The bytes, never to be changed; the same array for all that ask in this turn.
   */
  join(): Uint8Array {
    if (this.#count === 1) return this.#last;
    if (this.#joined !== undefined) return this.#joined;
    const joined = new Uint8Array(this.length);
    this.copyTo(joined, 0);
    this.#remember();
    return this.#joined = joined;
  }

  /**
   * Copies all messages.
   *
   * @param target Where to.
   * @param at Index of the first byte there.
   */
  copyTo(target: Uint8Array, at: number): void {
    target.set(this.#last, at + this.length - this.#last.length);
    for (let run = this.#before; run !== undefined; run = run.#before) {
      target.set(run.#last, at + run.length - run.#last.length);
    }
  }

  /** What one slow connection holds must not hold what was found through it for others. */
  #remember(): void {
    if (this.#remembers) return;
    this.#remembers = true;
    if (SharedRun.#remembering.push(this) === 1) queueMicrotask(SharedRun.#forget);
  }

  static readonly #forget = (): void => {
    const runs = SharedRun.#remembering;
    SharedRun.#remembering = [];
    for (const run of runs) {
      run.#remembers = false;
      run.#joined = run.#next = run.#others = undefined;
    }
  };
}
