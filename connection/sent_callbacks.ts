/**
 * Callbacks that wait until what was sent before them has left, each for its own offset in all bytes that are sent.
 * A connection has this part only if its program gives callbacks.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";

/** Called once: without an argument if the bytes have left, with an error if they were lost. Must not throw. */
export type SentCallback = (error?: Error) => void;

/** Called ones at the front that make it worth to move the others there. */
const MIN_COMPACTION = 1024;

/** The callbacks of one connection, in the order of their offsets. */
export class SentCallbacks {
  #waiting: { offset: number; callback: SentCallback }[] = [];
  /** Index of the first one that waits: shifting a long array would copy it each time. */
  #first = 0;

  /**
   * Adds a callback.
   *
   * @param offset The number of bytes that must have left, at least that of the one before.
   * @param callback The callback.
   */
  add(offset: number, callback: SentCallback): void {
    this.#waiting.push({ offset, callback });
  }

  /**
   * Calls those whose bytes have left.
   *
   * @param sent Bytes that have left so far.
   */
  progress(sent: number): void {
    for (let next = this.#waiting[this.#first]; next !== undefined && next.offset <= sent;) {
      this.#first++;
      next.callback();
      next = this.#waiting[this.#first];
    }
    this.#compact();
  }

  #compact(): void {
    if (this.#first < this.#waiting.length && this.#first < MIN_COMPACTION) return;
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }

  /**
   * Calls all with an error: the connection is lost.
   *
   * @param error The error; without it, one is made.
   */
  lose(error: Error | undefined): void {
    const waiting = this.#waiting.splice(this.#first);
    this.#waiting = [];
    this.#first = 0;
    if (waiting.length === 0) return;
    const lost = error ??
      new TransportError("ERR_CONNECTION_LOST", "The connection was lost before all bytes were sent");
    for (const { callback } of waiting) callback(lost);
  }
}
