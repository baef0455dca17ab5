/**
 * Options of a simulated Meta, and its settings.
 *
 * @module
 */

import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import { OptionError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { showValue } from "../base/option_names.ts";
import { assertSecrets } from "../base/secrets.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import type { SimulatedNotification } from "../cloud_api/simulated.ts";

/** Options of a `Simulator`. */
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

/** Names of options without a default. */
export type SimulatorOptionalName = "types" | "phoneNumberId" | "onSend" | "onAccepted" | "signal";

/** Options with their defaults. */
export type SimulatorSettings =
  & Complete<Omit<SimulatorOptions, SimulatorOptionalName>>
  & { [Name in SimulatorOptionalName]: SimulatorOptions[Name] };

/** The settings of a `Simulator`. */
export const SIMULATOR_SETTINGS: SettingsTable<SimulatorSettings> = {
  url: { kind: "any", default: "", check: assertUrl },
  appSecret: { kind: "any", default: "", check: (secret) => assertSecrets("appSecret", [secret]) },
  rate: { kind: "any", default: 10, check: assertRate },
  count: { kind: "number", unit: "count", default: 100 },
  concurrency: { kind: "number", unit: "count", least: 1, most: 10_000, default: 64 },
  duplicates: { kind: "any", default: 0, check: assertShare },
  types: { kind: "list", default: undefined },
  phoneNumberId: { kind: "string", default: undefined },
  first: { kind: "number", unit: "count", default: 0 },
  warmUp: { kind: "number", unit: "count", default: 0 },
  retryFor: { kind: "number", unit: "ms", most: Number.MAX_SAFE_INTEGER, default: 60_000 },
  requestTimeout: { kind: "number", unit: "ms", default: 20_000 },
  onSend: { kind: "function", default: undefined },
  onAccepted: { kind: "function", default: undefined },
  clock: { kind: "object", default: systemClock, check: assertClock },
  signal: { kind: "any", default: undefined },
};

/** Reads the options. */
export const simulatorOptions: FieldsReader<SimulatorSettings> = new FieldsReader("Simulator", SIMULATOR_SETTINGS, {
  hints: {
    secret: 'use "appSecret"',
    requestsPerSecond: 'use "rate"',
    timeout: 'use "requestTimeout"',
    retries: 'use "retryFor"',
  },
});

function assertUrl(url: string): void {
  if (typeof url !== "string") throw new OptionError(`The setting "url" is ${showValue(url)} instead of a text`);
  if (!URL.canParse(url)) throw new OptionError(`${quote(redactUrl(url))} is not a URL`);
}

function assertRate(rate: unknown): void {
  if (!(typeof rate === "number" && rate > 0)) {
    throw new OptionError(`The rate is ${showValue(rate)}: not a number above 0`);
  }
}

function assertShare(share: unknown): void {
  if (typeof share === "number" && share >= 0 && share <= 1) return;
  throw new OptionError(`"duplicates" is ${showValue(share)}: not from 0 to 1`);
}
