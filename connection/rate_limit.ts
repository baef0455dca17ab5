/**
 * How much a peer may send in a time: token buckets.
 *
 * @module
 */

/** One token bucket: it holds what may come at once, and fills up again at its rate. */
class Bucket {
  #rate: number;
  #capacity: number;
  #tokens: number;
  #filledAt: number;

  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate;
    this.#capacity = rate * burst;
    this.#tokens = this.#capacity;
    this.#filledAt = now;
  }

  /** Returns whether there were enough. */
  take(count: number, now: number): boolean {
    const filled = this.#tokens + (now - this.#filledAt) * this.#rate / 1000;
    this.#tokens = Math.min(this.#capacity, filled) - count;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }
}

/** The rates that a peer has to keep; 0 turns one off. */
export interface Rates {
  /** Messages and control frames a second. */
  readonly maxMessageRate: number;
  /** Bytes a second, on the wire. */
  readonly maxByteRate: number;
  /** The seconds whose messages and bytes may come at once. */
  readonly rateBurstSeconds: number;
}

/** Watches what one peer sends. */
export class RateLimit {
  #messages: Bucket | undefined;
  #bytes: Bucket | undefined;

  /**
   * Makes a limit.
   *
   * @param rates The rates.
   * @param now The time, in ms.
   */
  constructor({ maxMessageRate, maxByteRate, rateBurstSeconds }: Rates, now: number) {
    if (maxMessageRate > 0) this.#messages = new Bucket(maxMessageRate, rateBurstSeconds, now);
    if (maxByteRate > 0) this.#bytes = new Bucket(maxByteRate, rateBurstSeconds, now);
  }

  /**
   * Something came.
   *
   * @param messages Messages and control frames.
   * @param bytes Bytes.
   * @param now The time, in ms.
   * @returns What there was too much of, if there was.
   */
  exceededBy(messages: number, bytes: number, now: number): "messages" | "bytes" | undefined {
    if (messages > 0 && this.#messages?.take(messages, now) === false) return "messages";
    return bytes > 0 && this.#bytes?.take(bytes, now) === false ? "bytes" : undefined;
  }
}
