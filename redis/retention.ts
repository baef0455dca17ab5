/**
 * Retention by age of the journal in Redis, and reports of its removals.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import type { AgeClock } from "../journal/age_clock.ts";
import { DIGEST_AGE, type RetentionSettings } from "../journal/retention.ts";
import type { RedisLink } from "./link.ts";
import { TRIM } from "./log_scripts.ts";
import type { ScriptRunner } from "./script_runner.ts";

/** Interval between runs of retention by age, in ms. */
const TRIM_INTERVAL = 600_000;
/** Minimum interval between reports, in ms, since each report reads the cursors of all names. */
const REPORT_INTERVAL = 1000;

/** Owner of a {@linkcode RedisRetention}. */
export interface RedisRetentionOwner {
  /** Notes the progress of retention. */
  trimmed(trimmed: number): void;
  /** Reports receivers with cursors from `before` on, and below `trimmed`. */
  report(before: number, trimmed: number): Promise<void>;
  /** Forgets expired names. */
  expire(): Promise<void>;
  /** Reports a failure. */
  failed(error: unknown): void;
}

/** Removes old notifications, and reports which receivers have lost some. */
export class RedisRetention {
  #settings: RetentionSettings;
  #runner: ScriptRunner;
  #clock: AgeClock;
  #owner: RedisRetentionOwner;
  #cancelTrim: () => void = () => {};
  /** Range that retention has removed and that is not reported yet. */
  #unreported: { readonly before: number; readonly trimmed: number } | undefined;
  #stopped = false;
  #cancelReport: (() => void) | undefined;

  /**
   * Makes a retention that does not run yet.
   *
   * @param settings Limits.
   * @param runner Runs scripts.
   * @param clock Age of the journal.
   * @param owner The journal.
   */
  constructor(
    settings: RetentionSettings,
    runner: ScriptRunner,
    clock: AgeClock,
    owner: RedisRetentionOwner,
  ) {
    this.#settings = settings;
    this.#runner = runner;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Removes old notifications now, and from then on at an interval. */
  start(): void {
    if (this.#stopped) return;
    this.#cancelTrim = this.#settings.clock.after(TRIM_INTERVAL, () => this.start());
    const { link } = this.#runner;
    if (link !== undefined) this.#trim().catch((error) => this.#failed(error, link));
  }

  /** Reports a failure that is not the loss of the connection, which the journal reports. */
  async #failed(error: unknown, link: RedisLink): Promise<void> {
    if (await link.send(["PING"]).then(() => true, () => false)) this.#owner.failed(error);
  }

  async #trim(): Promise<void> {
    const { maxAge } = this.#settings;
    const args = [this.#clock.age, maxAge, Math.max(maxAge, DIGEST_AGE)];
    const answer = await this.#runner.run(TRIM, args) as unknown[];
    const [before = 0, trimmed = 0, age = 0] = answer.map(Number);
    this.#clock.raise(age);
    if (trimmed > before) await this.report(before, trimmed);
    await this.#owner.expire();
  }

  /**
   * Reports removals by retention, at most once in an interval; later removals are reported together.
   *
   * @param before Sequence number up to which notifications were removed before.
   * @param trimmed Sequence number up to which they are removed now.
   */
  async report(before: number, trimmed: number): Promise<void> {
    this.#owner.trimmed(trimmed);
    this.#unreported = {
      before: Math.min(before, this.#unreported?.before ?? before),
      trimmed: Math.max(trimmed, this.#unreported?.trimmed ?? trimmed),
    };
    // The answer to a removal may come after the journal was closed.
    if (this.#stopped || this.#cancelReport !== undefined) return;
    this.#cancelReport = systemClock.after(REPORT_INTERVAL, () => {
      this.#cancelReport = undefined;
      const { before, trimmed } = this.#unreported ?? { before: 0, trimmed: 0 };
      const { link } = this.#runner;
      if (trimmed <= before || link === undefined) return;
      this.report(before, trimmed).catch((error) => this.#failed(error, link));
    });
    await this.flush();
  }

  /** `true` while something is to be reported. */
  get isPending(): boolean {
    return this.#unreported !== undefined;
  }

  /** Reports now. */
  async flush(): Promise<void> {
    const { before, trimmed } = this.#unreported!;
    this.#unreported = undefined;
    await this.#owner.report(before, trimmed);
  }

  /** Ends. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTrim();
    this.#cancelReport?.();
  }
}
