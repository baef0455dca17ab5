/**
 * Reports the loss of Redis, and its return.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { RedisLoss } from "./session.ts";

/** Time in which a lost connection must be open again for its loss to go unreported, in ms. */
const GRACE = 1000;
/** Reasons that are known: an error of Redis, a change of its role, or of the server that has the keys. */
const KNOWN = /^([A-Z]{2,}|Redis is|Another server|The cluster) /;
/** Explains a loss, as far as it can be known: Redis closes connections without a reason. */
const REPEATED =
  '; connections are lost as soon as they are open, without a reason: see its "client-output-buffer-limit"';

/**
 * Availability of Redis: away from the first lost connection until all connections are open again.
 *
 * Services, and proxies before them, close connections now and then: idle ones, those to a server under maintenance. If
 * the next one is open within a moment, that is not reported. Messages and writes lost by it are, by those who sent
 * them.
 */
export class Availability {
  #clock: Clock;
  #report: (message: string, cause: Error | undefined) => void;
  #away = false;
  #reported = false;
  #since = 0;
  #reason = "";
  #cancelGrace: () => void = () => {};

  /**
   * Begins with Redis available.
   *
   * @param clock Time.
   * @param report Reports that Redis is away, with the cause, and that it is back.
   */
  constructor(clock: Clock, report: (message: string, cause: Error | undefined) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /**
   * Notes that a connection is lost, or could not be made; reports it once, unless it is repaired within a moment.
   *
   * @param cause Reason.
   * @param loss Kind of the loss.
   */
  down(cause: Error, loss: RedisLoss): void {
    const reason = describe(cause);
    const isKnown = KNOWN.test(reason);
    const isRepairable = loss === "single" && !isKnown;
    if (!this.#away) {
      this.#away = true;
      this.#since = this.#clock.now();
      this.#reason = loss === "repeated" && !isKnown ? `${reason}${REPEATED}` : reason;
      if (isRepairable) this.#cancelGrace = this.#clock.after(GRACE, () => this.#reportAway(cause));
    }
    if (!isRepairable) this.#reportAway(cause);
  }

  #reportAway(cause: Error): void {
    if (this.#reported) return;
    this.#cancelGrace();
    this.#reported = true;
    this.#report(`Redis is away: ${this.#reason}`, cause);
  }

  /** Notes that all connections are open; reports it if Redis was reported away. */
  up(): void {
    const [since, reason, reported] = [this.#since, this.#reason, this.#reported];
    this.reset();
    if (!reported) return;
    const seconds = ((this.#clock.now() - since) / 1000).toFixed(1);
    this.#report(`Redis is there again after ${seconds} s; it was away: ${reason}`, undefined);
  }

  /** Begins anew, without a report. */
  reset(): void {
    this.#cancelGrace();
    this.#away = false;
    this.#reported = false;
  }
}
