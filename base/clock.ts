/**
 * Time as the library sees it: injected, so that tests need not wait.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import { hasMethods } from "./option_names.ts";

/** A source of time and timers. */
export interface Clock {
  /**
   * The time.
   *
   * @returns Milliseconds since any fixed moment; never goes back.
   */
  now(): number;
  /**
   * Calls back once, later.
   *
   * @param callback Called then.
   * @param delay In ms.
   * @returns Cancels the timer.
   */
  after(delay: number, callback: () => void): () => void;
}

/** The clock of the runtime. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delay: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};

/**
 * Checks a clock.
 *
 * @param clock The clock.
 * @throws {OptionError} If it lacks a method.
 */
export function assertClock(clock: unknown): void {
  if (hasMethods(clock, "now", "after")) return;
  throw new OptionError('The setting "clock" has no methods "now" and "after"');
}
