/**
 * Waits between attempts: exponential back-off with full jitter.
 *
 * @module
 */

/** Settings of a back-off, in ms. */
export interface BackoffSettings {
  /** The longest wait before the first attempt; it doubles with each failure. */
  readonly minDelay: number;
  /** Upper limit of the longest wait. */
  readonly maxDelay: number;
  /** Time for which a connection must be open before earlier failures are forgotten. */
  readonly minUptime: number;
}

/** Counts failures, and computes the wait after them. */
export class Backoff {
  #settings: BackoffSettings;
  #random: () => number;
  #failures = 0;

  /**
   * Makes a back-off without failures.
   *
   * @param settings Times of the back-off.
   * @param random A number from 0 up to 1.
   */
  constructor(settings: BackoffSettings, random: () => number = Math.random) {
    this.#settings = settings;
    this.#random = random;
  }

  /**
   * Counts a failed attempt, or the end of a connection.
   *
   * @param uptime Time for which the connection was open, in ms; `undefined` if the attempt failed.
   * @returns Failures in a row.
   */
  failed(uptime?: number): number {
    this.#failures = uptime !== undefined && uptime >= this.#settings.minUptime ? 0 : this.#failures + 1;
    return this.#failures;
  }

  /**
   * The time to wait before the next attempt.
   *
   * @param least Least time, as the server asks, in ms.
   * @returns In ms.
   */
  delay(least = 0): number {
    const { minDelay, maxDelay } = this.#settings;
    const doublings = Math.min(31, Math.max(0, this.#failures - 1));
    const longest = Math.min(maxDelay, minDelay * 2 ** doublings);
    return Math.round(Math.min(0x7fffffff, least) + this.#random() * longest);
  }
}
