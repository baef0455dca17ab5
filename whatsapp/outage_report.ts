/**
 * Reports of outages: failures that come again and again while an outage lasts are counted, and reported once.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { JournalError, type JournalErrorCode } from "../base/errors.ts";

/** Least time between the reports of two outages, and between two reports of one outage, in ms. */
const OUTAGE_INTERVAL = 10_000;
const REMINDER_INTERVAL = 60_000;
/** Least time between a report and the report of the end, in ms: an outage with a short break has not ended. */
const END_INTERVAL = 1000;

/** Texts of reports, and the rule by which two failures differ. */
export interface OutageTexts {
  /** `true`: failures with another message are reported apart; `false`: only those with another code. */
  readonly byMessage: boolean;
  /** Outcome of each counted failure, as "got a 503". */
  readonly more: string;
  /** Text for the end of the outage. */
  readonly end: string;
}

/** Counts failures of a journal, and decides which of them are reported. */
export class OutageReport {
  #clock: Clock;
  #texts: OutageTexts;
  #ongoing = false;
  /** `true` once this outage was reported. */
  #reported = false;
  #code: JournalErrorCode = "ERR_JOURNAL_WRITE";
  #message = "";
  /** Failures since the last report. */
  #count = 0;
  #reportedAt = -Infinity;

  /**
   * Begins outside of an outage.
   *
   * @param clock Time.
   * @param texts Texts of reports, and the difference between two failures.
   */
  constructor(clock: Clock, texts: OutageTexts) {
    this.#clock = clock;
    this.#texts = texts;
  }

  /**
   * Counts a failure.
   *
   * @param error Its error.
   * @returns The error to report: the given one for the first failure, later one with a count; `undefined`: none.
   */
  failed(error: JournalError): JournalError | undefined {
    const code = error.code as JournalErrorCode;
    const { byMessage } = this.#texts;
    if (!this.#ongoing) this.#reported = false;
    const isOther = !this.#reported || code !== this.#code || (byMessage && error.message !== this.#message);
    this.#ongoing = true;
    this.#code = code;
    this.#message = error.message;
    this.#count++;
    const interval = !isOther ? REMINDER_INTERVAL : byMessage ? 0 : OUTAGE_INTERVAL;
    if (this.#clock.now() - this.#reportedAt < interval) return undefined;
    this.#reported = true;
    const before = this.#takeCount() - 1;
    if (before === 0) return error;
    return this.#makeReport(`${error.message}; ${before} more ${this.#texts.more} since the last report`, error);
  }

  /**
   * Notes a success.
   *
   * @returns The report of the end of an outage; `undefined`: none.
   */
  succeeded(): JournalError | undefined {
    if (!this.#ongoing) return undefined;
    const interval = this.#reported ? END_INTERVAL : OUTAGE_INTERVAL;
    if (this.#clock.now() - this.#reportedAt < interval) return undefined;
    this.#ongoing = false;
    return this.#makeReport(`${this.#texts.end}; ${this.#takeCount()} more ${this.#texts.more} since the last report`);
  }

  #takeCount(): number {
    const count = this.#count;
    this.#count = 0;
    this.#reportedAt = this.#clock.now();
    return count;
  }

  #makeReport(message: string, cause?: JournalError): JournalError {
    return new JournalError(this.#code, message, cause === undefined ? undefined : { cause });
  }
}
