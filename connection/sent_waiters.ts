/**
 * What waits until bytes have left: promises until no bytes wait at all, and callbacks, each until what was sent before
 * it has left. A connection has this part from the first one on.
 *
 * @module
 */

import { TransportError } from "../base/errors.ts";

/** Called once: without an argument if the bytes have left, with an error if they were lost. Must not throw. */
export type SentCallback = (error?: Error) => void;

/** Number of callbacks that were called from which on the list is shortened: often, each call would copy the rest. */
const MIN_COMPACTION = 1024;

/** The promises and callbacks of one connection. */
export class SentWaiters {
  #drains: { resolve(): void; reject(error: unknown): void }[] = [];
  /** In the order of their offsets. */
  #callbacks: { offset: number; callback: SentCallback }[] = [];
  /** Index of the first callback that waits. */
  #first = 0;

  /**
   * Waits until no bytes wait.
   *
   * @returns Rejects if they are lost. May be ignored.
   */
  drained(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => void this.#drains.push({ resolve, reject }));
    promise.catch(() => {});
    return promise;
  }

  /**
   * Adds a callback.
   *
   * @param offset Number of bytes that must have left, at least that of the callback before.
   * @param callback The callback.
   */
  add(offset: number, callback: SentCallback): void {
    this.#callbacks.push({ offset, callback });
  }

  /**
   * Settles promises and calls callbacks whose bytes have left.
   *
   * @param sent Bytes that have left so far.
   * @param waiting Bytes that wait.
   */
  progress(sent: number, waiting: number): void {
    if (waiting === 0) { for (const { resolve } of this.#drains.splice(0)) resolve(); }
    const callbacks = this.#callbacks;
    // A callback may send more, and add others.
    while (this.#first < callbacks.length && callbacks[this.#first]!.offset <= sent) {
      callbacks[this.#first++]!.callback();
    }
    if (this.#first < callbacks.length && this.#first < MIN_COMPACTION) return;
    callbacks.splice(0, this.#first);
    this.#first = 0;
  }

  /**
   * The connection is lost: rejects promises, and calls callbacks with the error.
   *
   * @param loss The error; without it, one is made.
   */
  lose(loss: Error = bytesLost(undefined)): void {
    for (const { reject } of this.#drains.splice(0)) reject(loss);
    const callbacks = this.#callbacks.splice(this.#first);
    this.#callbacks.length = this.#first = 0;
    for (const { callback } of callbacks) callback(loss);
  }
}

/**
 * Makes the error of bytes that are lost.
 *
 * @param cause The error that broke the connection, if it is known.
 * @returns The error.
 */
export function bytesLost(cause: unknown): TransportError {
  return new TransportError("ERR_CONNECTION_LOST", "The connection was lost before all bytes were sent", { cause });
}
