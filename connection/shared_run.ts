/**
 * Runs of encoded messages that wait on many connections: all connections with the same run write one array, made once.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";

/** Most messages in a run: a connection with a run of its own holds some 100 bytes for each. */
const MAX_MESSAGES = 64;
/** Longest run, in bytes. */
const MAX_LENGTH = 16 * 1024;

/**
 * A run of messages, immutable: `append` returns another run, the same one for all connections that append the same
 * message. Runs are found again within one turn; a run kept longer refers to its own messages only.
 */
export class SharedRun {
  /** The empty run, to which messages are appended. */
  static readonly none: SharedRun = new SharedRun(undefined, EMPTY, 0, 0);
  /** Runs that remember continuations or joined bytes until the end of the turn. */
  static #remembering: SharedRun[] = [];

  /** Bytes of all messages. */
  readonly length: number;
  readonly #count: number;
  readonly #before: SharedRun | undefined;
  readonly #last: Uint8Array;

  // Remembered until the end of the turn
  #remembers = false;
  #joined: Uint8Array | undefined;
  /** The newest continuation. */
  #next: SharedRun | undefined;
  /** Older continuations by the message that they append. */
  #older: Map<Uint8Array, SharedRun> | undefined;

  private constructor(before: SharedRun | undefined, last: Uint8Array, length: number, count: number) {
    this.#before = before;
    this.#last = last;
    this.length = length;
    this.#count = count;
  }

  /**
   * Tells whether a message may be appended.
   *
   * @param length Its length, in bytes.
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
    const found = this.#older?.get(frames);
    if (found !== undefined) return found;
    const newest = this.#next;
    if (newest !== undefined) (this.#older ??= new Map()).set(newest.#last, newest);
    this.#remember();
    return this.#next = new SharedRun(this, frames, this.length + frames.length, this.#count + 1);
  }

  /**
   * Joins all messages into one array.
   *
   * @returns The bytes, never to be changed; the same array for all calls in this turn.
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
   * @param target Gets the bytes.
   * @param at Index of the first byte in `target`.
   */
  copyTo(target: Uint8Array, at: number): void {
    target.set(this.#last, at + this.length - this.#last.length);
    for (let run = this.#before; run !== undefined; run = run.#before) {
      target.set(run.#last, at + run.length - run.#last.length);
    }
  }

  /** Remembers until the end of the turn: a run that a slow connection keeps must not keep the runs of others. */
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
      run.#joined = run.#next = run.#older = undefined;
    }
  };
}
