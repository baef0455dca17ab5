/**
 * Plays Meta: signed notifications at a rate, with retries and duplicates, at a given URL.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe, OptionError } from "../base/errors.ts";
import { errorText, quote, redactUrl } from "../base/error_text.ts";
import { assertNumber } from "../base/ranges.ts";
import { assertSecrets } from "../base/secrets.ts";
import { type SimulatedNotification, simulateNotification } from "../cloud_api/simulated.ts";
import { signNotification } from "../cloud_api/signature.ts";

/** What to play. */
export interface SimulatorOptions {
  /** Where to: the callback URL. */
  url: string;
  /** The app secret. */
  appSecret: string;
  /**
   * Notifications a second; `Infinity`: as many as go, `concurrency` at a time.
   * @default {10}
   */
  rate?: number;
  /**
   * How many.
   * @default {100}
   */
  count?: number;
  /**
   * The most that are on their way at once.
   * @default {64}
   */
  concurrency?: number;
  /**
   * Which part is delivered twice, from 0 to 1.
   * @default {0}
   */
  duplicates?: number;
  /** The types, one after the other; all by default: see `SIMULATED_TYPES`. */
  types?: readonly string[];
  /** The id of the business phone number that they are for. */
  phoneNumberId?: string;
  /**
   * The number of the first: ids follow from it, so that runs with other numbers have other ids.
   * @default {0}
   */
  first?: number;
  /**
   * How many of the first do not count in the times: programs are slow when they have just begun.
   * @default {0}
   */
  warmUp?: number;
  /**
   * For how long one that gets no 200 is tried again, in ms: at once, then with growing pauses up to 5 s. 0: not at all.
   * @default {60000}
   */
  retryFor?: number;
  /**
   * How long one attempt may take, in ms.
   * @default {20000}
   */
  requestTimeout?: number;
  /** One is about to be sent for the first time. */
  onSend?: (notification: SimulatedNotification) => void;
  /** One got its 200, after so many ms from its first attempt. */
  onAccepted?: (notification: SimulatedNotification, latency: number) => void;
  /** Time, for tests. */
  clock?: Clock;
  /** Gives up. */
  signal?: AbortSignal;
}

/** How it went. */
export interface SimulatorReport {
  /** How many got a 200. */
  accepted: number;
  /** How many got none, in spite of all retries. */
  refused: number;
  /** How often something was tried again. */
  retries: number;
  /** How many were delivered a second time after their 200. */
  duplicates: number;
  /** Answers by status; 0: there was none. */
  statuses: Map<number, number>;
  /** Times to the 200 of those that got one at the first attempt, in ms, sorted. */
  latencies: number[];
  /** How long it took, in ms. */
  elapsed: number;
  /** What was wrong with the first that failed. */
  firstFailure?: string;
}

/** Answers that are not worth another attempt here, though Meta would make one. */
const FINAL: readonly number[] = [400, 401, 403, 404, 405, 411, 413, 415];
/** The longest pause before a retry, in ms. */
const MAX_PAUSE = 5000;

/** One run. */
export class Simulator {
  #options:
    & Required<Omit<SimulatorOptions, "types" | "phoneNumberId" | "onSend" | "onAccepted" | "signal">>
    & SimulatorOptions;
  /** How it goes; changes while it runs. */
  readonly report: SimulatorReport = {
    accepted: 0,
    refused: 0,
    retries: 0,
    duplicates: 0,
    statuses: new Map(),
    latencies: [],
    elapsed: 0,
  };

  /**
   * Prepares a run.
   *
   * @param options What to play.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: SimulatorOptions) {
    this.#options = {
      rate: 10,
      count: 100,
      concurrency: 64,
      duplicates: 0,
      first: 0,
      warmUp: 0,
      retryFor: 60_000,
      requestTimeout: 20_000,
      clock: systemClock,
      ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as SimulatorOptions,
    };
    const { url, appSecret, rate, count, concurrency, duplicates, first, warmUp, retryFor, requestTimeout } =
      this.#options;
    if (!URL.canParse(url)) throw new OptionError(`${quote(redactUrl(url))} is not a URL`);
    assertSecrets("appSecret", [appSecret]);
    if (!(rate > 0)) throw new OptionError(`The rate is ${rate}: not a number above 0`);
    if (!(duplicates >= 0 && duplicates <= 1)) throw new OptionError(`"duplicates" is ${duplicates}: not from 0 to 1`);
    for (const [name, value] of Object.entries({ count, first, warmUp, retryFor, requestTimeout })) {
      assertNumber(name, value);
    }
    assertNumber("concurrency", concurrency, 10_000);
    if (concurrency === 0) throw new OptionError('"concurrency" is 0');
  }

  /**
   * Plays.
   *
   * @returns How it went.
   */
  async run(): Promise<SimulatorReport> {
    const { clock, concurrency, count } = this.#options;
    const start = clock.now();
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count && !this.#aborted) {
        const index = next++;
        await this.#waitFor(start, index);
        if (!this.#aborted) await this.#deliver(index);
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, count) }, work));
    this.report.elapsed = clock.now() - start;
    this.report.latencies.sort((one, other) => one - other);
    return this.report;
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  /** Until it is the turn of a notification. */
  async #waitFor(start: number, index: number): Promise<void> {
    const { clock, rate } = this.#options;
    const delay = start + (index * 1000) / rate - clock.now();
    if (Number.isFinite(rate) && delay > 0) await this.#pause(delay);
  }

  #pause(delay: number): Promise<void> {
    const { clock, signal } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = clock.after(delay, end);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  async #deliver(index: number): Promise<void> {
    const { types, phoneNumberId, first, clock, duplicates, onSend, onAccepted } = this.#options;
    const number = first + index;
    const type = types === undefined || types.length === 0 ? undefined : types[number % types.length];
    const notification = simulateNotification(number, { type, phoneNumberId, time: new Date() });
    const body = new TextEncoder().encode(notification.json);
    const signature = signNotification(body, this.#options.appSecret);
    const start = clock.now();
    onSend?.(notification);
    const attempts = await this.#tryUntilAccepted(body, signature, start);
    if (attempts === 0) {
      this.report.refused++;
      return;
    }
    this.report.accepted++;
    const latency = clock.now() - start;
    if (attempts === 1 && index >= this.#options.warmUp) this.report.latencies.push(latency);
    onAccepted?.(notification, latency);
    // Spread evenly, so that the same run has the same duplicates.
    if (Math.floor((index + 1) * duplicates) === Math.floor(index * duplicates)) return;
    this.report.duplicates++;
    await this.#post(body, signature);
  }

  /** How many attempts it took; 0: in vain. */
  async #tryUntilAccepted(body: Uint8Array<ArrayBuffer>, signature: string, start: number): Promise<number> {
    const { clock, retryFor } = this.#options;
    for (let attempt = 1;; attempt++) {
      const status = await this.#post(body, signature);
      if (status === 200) return attempt;
      // What the server says is wrong with it will be wrong the next time.
      if (FINAL.includes(status) || this.#aborted || clock.now() - start >= retryFor) return 0;
      this.report.retries++;
      // Meta tries again at once, and then with growing pauses.
      if (attempt > 1) await this.#pause(Math.min(50 * 2 ** (attempt - 2), MAX_PAUSE));
    }
  }

  async #post(body: Uint8Array<ArrayBuffer>, signature: string): Promise<number> {
    const { url, requestTimeout } = this.#options;
    let status = 0;
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          "x-hub-signature-256": signature,
          "user-agent": "facebookexternalua",
        },
        signal: AbortSignal.timeout(requestTimeout),
      });
      status = response.status;
      const answer = await response.text();
      if (status !== 200) this.report.firstFailure ??= errorText(`${status} ${answer.slice(0, 200).trim()}`);
    } catch (error) {
      this.report.firstFailure ??= describe(error);
    }
    const { statuses } = this.report;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    return status;
  }
}

/**
 * A value below which a part of the others lies.
 *
 * @param sorted Values, sorted.
 * @param part From 0 to 1; 0.5 is the median.
 * @returns The value; `NaN` if there are none.
 */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
