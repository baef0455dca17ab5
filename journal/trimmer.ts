/**
 * Retention by age of a journal that several servers share, and reports of its removals.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts";
import type { LinkHolder } from "./node_lease.ts";

/** Interval between runs of retention by age, in ms. */
const TRIM_INTERVAL = 600_000;
/** Minimum interval between reports, in ms, since each report reads the cursors of all names. */
const REPORT_INTERVAL = 1000;

/** Removals of retention. */
export interface Removal {
  /** Sequence number up to which notifications were removed before. */
  readonly before: number;
  /** Sequence number up to which they are removed now. */
  readonly trimmed: number;
}

/** Owner of a {@linkcode JournalTrimmer}. */
export interface JournalTrimmerOwner<Link> {
  /** Returns whether a connection still works. */
  isAlive(link: Link): Promise<boolean>;
  /** Removes old notifications. */
  trim(): Promise<Removal>;
  /** Notes the progress of retention. */
  trimmed(trimmed: number): void;
  /** Reports receivers with cursors from `before` on, and below `trimmed`. */
  report(removal: Removal): Promise<void>;
  /** Forgets expired names. */
  expire(): Promise<void>;
  /** Reports a failure. */
  failed(error: unknown): void;
}

/** Removes old notifications, and reports which receivers have lost some. */
export class JournalTrimmer<Link> {
  #source: LinkHolder<Link>;
  #clock: Clock;
  #owner: JournalTrimmerOwner<Link>;
  #cancelTrim: () => void = () => {};
  /** Range that retention has removed and that is not reported yet. */
  #unreported: Removal | undefined;
  #stopped = false;
  #cancelReport: (() => void) | undefined;

  /**
   * Makes a trimmer that does not run yet.
   *
   * @param source Source of the connection.
   * @param clock Clock of the journal.
   * @param owner The journal.
   */
  constructor(source: LinkHolder<Link>, clock: Clock, owner: JournalTrimmerOwner<Link>) {
    this.#source = source;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Removes old notifications now, and from then on at an interval. */
  start(): void {
    if (this.#stopped) return;
    this.#cancelTrim = this.#clock.after(TRIM_INTERVAL, () => this.start());
    const { link } = this.#source;
    if (link !== undefined) this.#trim().catch((error) => this.#failed(error, link));
  }

  /** Reports a failure that is not the loss of the connection, which the journal reports. */
  async #failed(error: unknown, link: Link): Promise<void> {
    if (await this.#owner.isAlive(link)) this.#owner.failed(error);
  }

  async #trim(): Promise<void> {
    const removal = await this.#owner.trim();
    if (removal.trimmed > removal.before) await this.report(removal);
    // What could not be reported before.
    else if (this.isPending) await this.flush();
    await this.#owner.expire();
  }

  /**
   * Reports removals by retention, at most once in an interval; later removals are reported together.
   *
   * @param removal The removals.
   */
  async report({ before, trimmed }: Removal): Promise<void> {
    this.#owner.trimmed(trimmed);
    this.#add({ before, trimmed });
    // The answer to a removal may come after the journal was closed.
    if (this.#stopped || this.#cancelReport !== undefined) return;
    this.#cancelReport = systemClock.after(REPORT_INTERVAL, () => {
      this.#cancelReport = undefined;
      const { link } = this.#source;
      const unreported = this.#unreported;
      if (unreported !== undefined && link !== undefined) void this.note(unreported);
    });
    await this.flush();
  }

  #add({ before, trimmed }: Removal): void {
    this.#unreported = {
      before: Math.min(before, this.#unreported?.before ?? before),
      trimmed: Math.max(trimmed, this.#unreported?.trimmed ?? trimmed),
    };
  }

  /**
   * Reports removals as {@linkcode JournalTrimmer.report} does, for a caller that does not depend on the report.
   *
   * @param removal The removals.
   * @returns Resolves also if the report fails.
   */
  async note(removal: Removal): Promise<void> {
    const { link } = this.#source;
    await this.report(removal).catch((error) => link && this.#failed(error, link));
  }

  /** `true` while something is to be reported. */
  get isPending(): boolean {
    return this.#unreported !== undefined;
  }

  /** Reports now; what cannot be reported waits for the next report, or the next run. */
  async flush(): Promise<void> {
    const removal = this.#unreported!;
    this.#unreported = undefined;
    try {
      await this.#owner.report(removal);
    } catch (error) {
      this.#add(removal);
      throw error;
    }
  }

  /** Ends. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTrim();
    this.#cancelReport?.();
  }
}
