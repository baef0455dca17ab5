/**
 * A simulated Meta: sends signed notifications to a URL, at a rate, with retries and duplicates.
 *
 * @example Ten texts
 * ```ts
 * import { Simulator } from "@tackline/websocket/simulate";
 *
 * export async function sendTexts(url: string, appSecret: string): Promise<void> {
 *   const simulator = new Simulator({ url, appSecret, count: 10, types: ["text"] });
 *   const { accepted, refused } = await simulator.run();
 *   console.log(`${accepted} accepted, ${refused} refused`);
 * }
 * ```
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { fetchFailureText } from "../base/fetch_failure.ts";
import { errorText } from "../base/error_text.ts";
import { assertSignal } from "../base/option_names.ts";
import { type SimulatedNotification, simulateNotification } from "../cloud_api/simulated.ts";
import { signNotification } from "../cloud_api/signature.ts";
import { simulatorOptions, type SimulatorSettings } from "./simulator_settings.ts";

/** Options of a {@linkcode Simulator}. */
export interface SimulatorOptions {
  /** The callback URL. */
  url: string;
  /** The app secret. */
  appSecret: string;
  /**
   * Notifications per second; `Infinity`: as many as possible, `concurrency` at a time.
   * @default {10}
   */
  rate?: number | undefined;
  /**
   * Number of notifications.
   * @default {100}
   */
  count?: number | undefined;
  /**
   * Maximum of requests at the same time, from 1 to 10000.
   * @default {64}
   */
  concurrency?: number | undefined;
  /**
   * Share of notifications that are delivered twice, from 0 to 1.
   * @default {0}
   */
  duplicates?: number | undefined;
  /** Types, used one after the other; all by default: see `SIMULATED_TYPES`. */
  types?: readonly string[] | undefined;
  /** Id of the business phone number. */
  phoneNumberId?: string | undefined;
  /**
   * Number of the first notification: ids follow from it, so that runs with other numbers have other ids.
   * @default {0}
   */
  first?: number | undefined;
  /**
   * Number of first notifications whose times are not counted: programs are slow just after their start.
   * @default {0}
   */
  warmUp?: number | undefined;
  /**
   * Time for which a notification without a 200 is tried again, in ms: at once, then with growing pauses up to 5 s. 0:
   * not at all.
   * @default {60000}
   */
  retryFor?: number | undefined;
  /**
   * Time limit of one attempt, in ms.
   * @default {20000}
   */
  requestTimeout?: number | undefined;
  /** A notification is about to be sent for the first time. */
  onSend?: ((notification: SimulatedNotification) => void) | undefined;
  /** A notification got its 200, `latency` ms after its first attempt. */
  onAccepted?: ((notification: SimulatedNotification, latency: number) => void) | undefined;
  /** Time, for tests. */
  clock?: Clock | undefined;
  /** Ends the run. */
  signal?: AbortSignal | undefined;
}

/** Result of a run. */
export interface SimulatorReport {
  /** Notifications that got a 200. */
  accepted: number;
  /** Notifications that got no 200 after all retries. */
  refused: number;
  /** Number of retries. */
  retries: number;
  /** Notifications that were delivered a second time after their 200. */
  duplicates: number;
  /** Number of answers by status; 0: no answer. */
  statuses: Map<number, number>;
  /** Times to the 200 of notifications that got it at the first attempt, in ms, sorted. */
  latencies: number[];
  /** Duration, in ms. */
  elapsed: number;
  /** Error of the first failed attempt. */
  firstFailure?: string | undefined;
}

/** Statuses after which it does not try again, though Meta would. */
const FINAL: readonly number[] = [400, 401, 403, 404, 405, 411, 413, 415];
/** Longest pause before a retry, in ms. */
const MAX_PAUSE = 5000;

/** Sends simulated notifications as Meta does; one object a run. */
export class Simulator {
  readonly #options: SimulatorSettings;
  /** Result so far; changes while it runs. */
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
   * @param options The options.
   * @throws {OptionError} If an option is out of range.
   */
  constructor(options: SimulatorOptions) {
    this.#options = simulatorOptions.read(options);
    assertSignal(options);
  }

  /**
   * Sends all notifications.
   *
   * @returns The result.
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

  /** Waits until the time of a notification. */
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

  /** Returns the number of attempts; 0: all failed. */
  async #tryUntilAccepted(body: Uint8Array<ArrayBuffer>, signature: string, start: number): Promise<number> {
    const { clock, retryFor } = this.#options;
    for (let attempt = 1;; attempt++) {
      const status = await this.#post(body, signature);
      if (status === 200) return attempt;
      // The server would refuse the same notification again.
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
      this.report.firstFailure ??= fetchFailureText(error);
    }
    const { statuses } = this.report;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    return status;
  }
}

/**
 * Finds the value below which a share of all values lies.
 *
 * @param sorted Values, sorted.
 * @param part The share, from 0 to 1; 0.5 is the median.
 * @returns The value; `NaN` if there are none.
 */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}
