/**
 * Retention by age of the journal in Redis.
 *
 * @module
 */

import type { AgeClock } from "../journal/age_clock.ts";
import { DIGEST_AGE } from "../journal/retention.ts";
import type { Removal } from "../journal/trimmer.ts";
import { TRIM } from "./log_scripts.ts";
import type { ScriptRunner } from "./script_runner.ts";

/**
 * Removes old notifications and digests.
 *
 * @param runner Runs scripts.
 * @param clock Age of the journal.
 * @param maxAge Maximum age of notifications, in ms; 0: no limit.
 * @returns The removals.
 */
export async function trimRedis(runner: ScriptRunner, clock: AgeClock, maxAge: number): Promise<Removal> {
  const answer = await runner.run(TRIM, [clock.age, maxAge, Math.max(maxAge, DIGEST_AGE)]) as unknown[];
  const [before = 0, trimmed = 0, age = 0] = answer.map(Number);
  clock.raise(age);
  return { before, trimmed };
}
