/** Time limit of a case. */

import type { Clock } from "../../base/clock.ts";
import { Unexpected } from "./outcome.ts";

/** Ends what waits longer than a case may take. */
export class Deadline {
  readonly #expired: Promise<never>;
  readonly #cancel: () => void;

  /**
   * Starts the time.
   *
   * @param ms The time, in ms.
   * @param clock Clock that it is measured with.
   */
  constructor(ms: number, clock: Clock) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#expired = promise;
    this.#expired.catch(() => {}); // Nothing may be waiting just then.
    this.#cancel = clock.after(ms, () => reject(new Unexpected("no answer")));
  }

  /** Waits for a promise; rejects with the outcome "no answer" when the time is over. */
  race<Value>(promise: Promise<Value>): Promise<Value> {
    return Promise.race([promise, this.#expired]);
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
