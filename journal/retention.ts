/**
 * Limits of what a journal keeps: their defaults and their check.
 *
 * @module
 */

import { systemClock } from "../base/clock.ts";
import { OptionError } from "../base/errors.ts";
import { assertNumber } from "../base/ranges.ts";
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

/**
 * Checks the retention of a journal, and fills in the defaults.
 *
 * @param retention Options of the user.
 * @param maxBytes Default of `maxBytes`.
 * @returns All settings.
 * @throws {OptionError} If a value is out of range.
 */
export function checkRetention(retention: JournalRetention, maxBytes: number): RetentionSettings {
  const checked: RetentionSettings = {
    maxAge: retention.maxAge ?? 30 * DAY,
    maxBytes: retention.maxBytes ?? maxBytes,
    maxReceivers: retention.maxReceivers ?? 10_000,
    maxReceiverAge: retention.maxReceiverAge ?? 90 * DAY,
    clock: retention.clock ?? systemClock,
  };
  assertNumber("maxAge", checked.maxAge);
  assertNumber("maxBytes", checked.maxBytes);
  assertNumber("maxReceivers", checked.maxReceivers);
  assertNumber("maxReceiverAge", checked.maxReceiverAge);
  if (checked.maxReceiverAge !== 0 && checked.maxReceiverAge < HOUR) {
    throw new OptionError(`The setting "maxReceiverAge" is ${checked.maxReceiverAge}: less than ${HOUR}`);
  }
  if (checked.maxBytes !== 0 && checked.maxBytes < 16 * MIB) {
    throw new OptionError(`The setting "maxBytes" is ${checked.maxBytes}: less than ${16 * MIB}`);
  }
  return checked;
}
