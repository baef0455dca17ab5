/**
 * Limits of what a journal keeps: their defaults and their check.
 *
 * @module
 */

import { assertClock, systemClock } from "../base/clock.ts";
import { OptionError } from "../base/errors.ts";
import type { OptionHints } from "../base/option_names.ts";
import { FieldsReader, type SettingsTable } from "../base/settings.ts";
import type { JournalRetention } from "./journal.ts";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;

/** Least time for which a retry is recognised, in ms, also where `maxAge` is shorter: Meta retries for 7 days. */
export const DIGEST_AGE: number = 8 * DAY;

/** Limits of a journal, checked and complete. */
export type RetentionSettings = {
  readonly [Name in keyof JournalRetention]-?: Exclude<JournalRetention[Name], undefined>;
};

/** The limits of a journal. */
export const RETENTION_SETTINGS: SettingsTable<RetentionSettings> = {
  maxAge: { kind: "number", unit: "ms", most: Number.MAX_SAFE_INTEGER, default: 30 * DAY },
  maxBytes: { kind: "number", unit: "bytes", default: 1024 * MIB, check: atLeast(16 * MIB) },
  maxReceivers: { kind: "number", unit: "count", default: 10_000 },
  maxReceiverAge: {
    kind: "number",
    unit: "ms",
    most: Number.MAX_SAFE_INTEGER,
    default: 90 * DAY,
    check: atLeast(HOUR),
  },
  clock: { kind: "object", default: systemClock, check: assertClock },
};

/** Remedies for other names of limits. */
export const RETENTION_HINTS: OptionHints = {
  maxSize: 'use "maxBytes"',
  size: 'use "maxBytes"',
  limit: 'use "maxBytes"',
  maxEntries: 'use "maxBytes" or "maxAge"',
  ttl: 'use "maxAge"',
  retention: 'use "maxAge"',
  path: "give the path as the first argument",
};

const retentionOptions = new FieldsReader("The journal", RETENTION_SETTINGS, { hints: RETENTION_HINTS });

/**
 * Checks the retention of a journal, and fills in the defaults.
 *
 * @param retention Options of the user.
 * @param maxBytes Default of `maxBytes`.
 * @returns All settings.
 * @throws {OptionError} If a value is out of range, or a name unknown.
 */
export function checkRetention(retention: JournalRetention, maxBytes: number): RetentionSettings {
  return retentionOptions.read(retention, { maxBytes });
}

/** 0 turns a limit off. */
function atLeast(least: number): (value: number, name: string) => void {
  return (value, name) => {
    if (value !== 0 && value < least) throw new OptionError(`The setting "${name}" is ${value}: less than ${least}`);
  };
}
