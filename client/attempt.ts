/**
 * One attempt to connect: the time it has, and how it is given up.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { TransportError } from "../base/errors.ts";

/** One attempt to connect: the time it has, and how it is given up. */
export class Attempt {
  /** Gives the attempt up. */
  readonly controller: AbortController = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #outer: readonly (AbortSignal | undefined)[];
  readonly #onOuterAbort = (): void => {
    const cause: unknown = this.#outer.find((signal) => signal?.aborted)?.reason;
    const given = cause instanceof TransportError ? cause : undefined;
    this.controller.abort(
      given ?? new TransportError("ERR_ABORTED", "Connecting was given up by its signal", { cause }),
    );
  };

  /**
   * Starts the time.
   *
   * @param timeout How long the attempt may take, in ms; 0: no limit.
   * @param clock Measures it.
   * @param outer Signals that give the attempt up too; each is let go of by `end`.
   */
  constructor(timeout: number, clock: Clock, outer: readonly (AbortSignal | undefined)[]) {
    this.#outer = outer;
    if (outer.some((signal) => signal?.aborted)) this.#onOuterAbort();
    // Not `AbortSignal.any`: a signal that lives for long would keep one dependent signal for each attempt.
    for (const signal of outer) signal?.addEventListener("abort", this.#onOuterAbort, { once: true });
    if (timeout === 0) return;
    this.#cancelTimer = clock.after(timeout, () => {
      this.controller.abort(new TransportError("ERR_CONNECT_TIMEOUT", `Not connected within ${timeout} ms`));
    });
  }

  /**
   * Waits for the work, but not longer than until the attempt is given up.
   *
   * @param work The work.
   * @returns Rejects with the reason for which it was given up, or what the work fails with.
   */
  run<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this.controller;
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      work.then(resolve, (error) => reject(signal.aborted ? signal.reason : error));
    });
  }

  /** Stops the time. */
  end(): void {
    this.#cancelTimer?.();
    for (const signal of this.#outer) signal?.removeEventListener("abort", this.#onOuterAbort);
  }
}
