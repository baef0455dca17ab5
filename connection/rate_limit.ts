/**
 * Rates at which a peer may send: token buckets.
 *
 * @module
 */

import { ProtocolError } from "../base/errors.ts";

/** A token bucket: holds the tokens of a burst, and fills up again at its rate. */
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

  /** Returns `false` if there were not enough tokens. */
  take(count: number, now: number): boolean {
    const filled = this.#tokens + (now - this.#filledAt) * this.#rate / 1000;
    this.#tokens = Math.min(this.#capacity, filled) - count;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }
}

/** Rates that a peer must keep; 0 turns one off. */
export interface Rates {
  /** Messages and control frames a second. */
  readonly maxMessageRate: number;
  /** Bytes a second, on the wire. */
  readonly maxByteRate: number;
  /** Seconds whose messages and bytes may come at once. */
  readonly rateBurstSeconds: number;
}

/** Watches what one peer sends. */
export class RateLimit {
  #rates: Rates;
  #messages: Bucket | undefined;
  #bytes: Bucket | undefined;

  /**
   * Makes a limit.
   *
   * @param rates The rates.
   * @param now The time, in ms.
   */
  constructor(rates: Rates, now: number) {
    const { maxMessageRate, maxByteRate, rateBurstSeconds } = rates;
    this.#rates = rates;
    if (maxMessageRate > 0) this.#messages = new Bucket(maxMessageRate, rateBurstSeconds, now);
    if (maxByteRate > 0) this.#bytes = new Bucket(maxByteRate, rateBurstSeconds, now);
  }

  /**
   * Counts messages and bytes that came.
   *
   * @param messages Messages and control frames.
   * @param bytes Bytes.
   * @param now The time, in ms.
   * @returns The kind of which there was too much, if there was.
   */
  exceededBy(messages: number, bytes: number, now: number): "messages" | "bytes" | undefined {
    if (messages > 0 && this.#messages?.take(messages, now) === false) return "messages";
    return bytes > 0 && this.#bytes?.take(bytes, now) === false ? "bytes" : undefined;
  }

  /**
   * Counts messages and bytes that came, as `exceededBy`.
   *
   * @param messages Messages and control frames.
   * @param bytes Bytes.
   * @param now The time, in ms.
   * @returns The error of a connection whose peer exceeds a rate.
   */
  check(messages: number, bytes: number, now: number): ProtocolError | undefined {
    const exceeded = this.exceededBy(messages, bytes, now);
    if (exceeded === undefined) return undefined;
    const rate = exceeded === "messages" ? this.#rates.maxMessageRate : this.#rates.maxByteRate;
    return new ProtocolError("ERR_RATE_EXCEEDED", `More than ${rate} ${exceeded} a second`);
  }
}
