/**
 * Reports the loss of Redis, and its return.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { describe, JournalError } from "../base/errors.ts";
import { REPLACED } from "./journal_errors.ts";

/** Availability of Redis for one journal: away from the first lost connection until all connections are open again. */
export class Availability {
  #report: (error: JournalError) => void;
  #away = false;
  #since = 0;
  #reason = "";
  #replacedReported = false;

  /**
   * Begins with Redis available.
   *
   * @param report Reports to the listener.
   */
  constructor(report: (error: JournalError) => void) {
    this.#report = report;
  }

  /**
   * Notes that a connection is lost, or could not be made; reports it unless Redis is away already.
   *
   * @param cause Reason.
   */
  down(cause: Error): void {
    if (this.#away) return;
    this.#away = true;
    this.#since = systemClock.now();
    this.#reason = describe(cause);
    this.#report(new JournalError("ERR_JOURNAL_AWAY", `Redis is away: ${this.#reason}`, { cause }));
  }

  /** Notes that all connections are open; reports it if Redis was away. */
  up(): void {
    if (!this.#away) return;
    this.#away = false;
    const seconds = ((systemClock.now() - this.#since) / 1000).toFixed(1);
    const message = `Redis is there again after ${seconds} s; it was away: ${this.#reason}`;
    this.#report(new JournalError("ERR_JOURNAL_AWAY", message));
  }

  /** Begins anew: failures before the journal was open do not count. */
  reset(): void {
    this.#away = false;
  }

  /**
   * Reports once that Redis has another journal by now.
   *
   * @param cause Reason.
   */
  replaced(cause: unknown): void {
    if (this.#replacedReported) return;
    this.#replacedReported = true;
    const message = `The journal in Redis is gone: ${REPLACED}`;
    this.#report(new JournalError("ERR_JOURNAL_REPLACED", message, cause === undefined ? undefined : { cause }));
  }
}
