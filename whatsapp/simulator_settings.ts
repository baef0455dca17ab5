/**
 * Settings of a simulated Meta: their kinds, ranges and defaults.
 *
 * @module
 */

import { didYouMean } from "../base/did_you_mean.ts";
import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import { OptionError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { showValue } from "../base/option_names.ts";
import { assertSecrets } from "../base/secrets.ts";
import { FieldsReader, type SettingsTable } from "../base/settings.ts";
import { SIMULATED_TYPES, type SimulatedNotification } from "../cloud_api/simulated.ts";

/** Settings of a `Simulator`, complete and checked. */
export interface SimulatorSettings {
  /** See `SimulatorOptions`. */
  url: string;
  /** See `SimulatorOptions`. */
  appSecret: string;
  /** See `SimulatorOptions`. */
  rate: number;
  /** See `SimulatorOptions`. */
  count: number;
  /** See `SimulatorOptions`. */
  concurrency: number;
  /** See `SimulatorOptions`. */
  duplicates: number;
  /** See `SimulatorOptions`. */
  types: readonly string[] | undefined;
  /** See `SimulatorOptions`. */
  phoneNumberId: string | undefined;
  /** See `SimulatorOptions`. */
  first: number;
  /** See `SimulatorOptions`. */
  warmUp: number;
  /** See `SimulatorOptions`. */
  retryFor: number;
  /** See `SimulatorOptions`. */
  requestTimeout: number;
  /** See `SimulatorOptions`. */
  onSend: ((notification: SimulatedNotification) => void) | undefined;
  /** See `SimulatorOptions`. */
  onAccepted: ((notification: SimulatedNotification, latency: number) => void) | undefined;
  /** See `SimulatorOptions`. */
  clock: Clock;
  /** See `SimulatorOptions`. */
  signal: AbortSignal | undefined;
}

/** The settings of a `Simulator`. */
export const SIMULATOR_SETTINGS: SettingsTable<SimulatorSettings> = {
  url: { kind: "any", default: "", check: assertUrl },
  appSecret: { kind: "any", default: "", check: (secret) => assertSecrets("appSecret", [secret]) },
  rate: { kind: "any", default: 10, check: assertRate },
  count: { kind: "number", unit: "count", default: 100 },
  concurrency: { kind: "number", unit: "count", least: 1, most: 10_000, default: 64 },
  duplicates: { kind: "any", default: 0, check: assertShare },
  types: { kind: "list", default: undefined, check: assertTypes },
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

function assertTypes(types: readonly string[] | undefined): void {
  for (const type of types ?? []) {
    if (SIMULATED_TYPES.includes(type)) continue;
    const hint = typeof type === "string" ? didYouMean(type, SIMULATED_TYPES) : "";
    const list = `${hint === "" ? "; the" : " The"} types are ${SIMULATED_TYPES.join(", ")}`;
    throw new OptionError(`The setting "types" has ${showValue(type)}, which is none${hint}${list}`);
  }
}

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
