/**
 * Failures that come again and again for as long as an outage lasts: they are counted, and told once.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { JournalError, type JournalErrorCode } from "../base/errors.ts";

/** Least time between the reports of two outages, and between two reports of one outage, in ms. */
const OUTAGE_INTERVAL = 10_000;
const REMINDER_INTERVAL = 60_000;
/** Least time between a report and that of the end of an outage, in ms: what works for a moment only has not ended. */
const END_INTERVAL = 1000;

/** Texts of reports, and which failures are told apart. */
export interface RefusalKind {
  /** Whether failures with other messages are other failures, each to be told; else only those with other codes are. */
  readonly byMessage: boolean;
  /** Outcome of each counted refusal, as "got a 503". */
  readonly more: string;
  /** Text for the end of the outage. */
  readonly end: string;
}

/** Counts what a journal refuses. */
export class Refusals {
  #clock: Clock;
  #kind: RefusalKind;
  #ongoing = false;
  /** Whether the outage was reported. */
  #told = false;
  #code: JournalErrorCode = "ERR_JOURNAL_WRITE";
  #message = "";
  /** Refused since the last report. */
  #count = 0;
  #reportedAt = -Infinity;

  /**
   * Makes one outside of an outage.
   *
   * @param clock Time.
   * @param kind Texts of reports, and which failures are told apart.
   */
  constructor(clock: Clock, kind: RefusalKind) {
    this.#clock = clock;
    this.#kind = kind;
  }

  /**
   * Something was refused.
   *
   * @param error Why.
   * @returns What to report: the error itself for the first one, one with a count now and then; `undefined`: nothing.
   */
  failed(error: JournalError): JournalError | undefined {
    const code = error.code as JournalErrorCode;
    const { byMessage } = this.#kind;
    if (!this.#ongoing) this.#told = false;
    const isOther = !this.#told || code !== this.#code || (byMessage && error.message !== this.#message);
    this.#ongoing = true;
    this.#code = code;
    this.#message = error.message;
    this.#count++;
    const interval = !isOther ? REMINDER_INTERVAL : byMessage ? 0 : OUTAGE_INTERVAL;
    if (this.#clock.now() - this.#reportedAt < interval) return undefined;
    this.#told = true;
    const before = this.#take() - 1;
    if (before === 0) return error;
    return this.#make(`${error.message}; ${before} more ${this.#kind.more} since the last report`, error);
  }

  /**
   * Something was not refused.
   *
   * @returns What to report: the end of an outage; `undefined`: nothing.
   */
  succeeded(): JournalError | undefined {
    if (!this.#ongoing) return undefined;
    const interval = this.#told ? END_INTERVAL : OUTAGE_INTERVAL;
    if (this.#clock.now() - this.#reportedAt < interval) return undefined;
    this.#ongoing = false;
    return this.#make(`${this.#kind.end}; ${this.#take()} more ${this.#kind.more} since the last report`);
  }

  #take(): number {
    const count = this.#count;
    this.#count = 0;
    this.#reportedAt = this.#clock.now();
    return count;
  }

  #make(message: string, cause?: JournalError): JournalError {
    return new JournalError(this.#code, message, cause === undefined ? undefined : { cause });
  }
}
