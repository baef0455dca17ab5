/**
 * One attempt to connect: the time it has, and how it is given up.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { TransportError } from "./errors.ts";

/** One attempt to connect: the time it has, and how it is given up. */
export class Attempt {
  /** Gives the attempt up. */
  readonly controller: AbortController = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #outer: AbortSignal | undefined;
  readonly #onOuterAbort = (): void => {
    const cause: unknown = this.#outer?.reason;
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
   * @param outer Gives the attempt up too.
   */
  constructor(timeout: number, clock: Clock, outer: AbortSignal | undefined) {
    this.#outer = outer;
    if (outer?.aborted) this.#onOuterAbort();
    outer?.addEventListener("abort", this.#onOuterAbort, { once: true });
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
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }
}
