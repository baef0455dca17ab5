/**
 * The progress of `simulate`, for people.
 *
 * @module
 */

import type { CliIo } from "./io.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { printable } from "../base/log.ts";
import type { SimulatorReport } from "../whatsapp/simulator.ts";

/** Interval of the line on a terminal, where it is written over the one before, in ms. */
const TERMINAL_INTERVAL = 500;
/** Interval of the lines elsewhere, such as in the log of a build, in ms. */
const LOG_INTERVAL = 10_000;

/**
 * Shows how a run goes: on a terminal by one line, elsewhere by a line now and then; the first failure at once.
 *
 * @param report The result so far, which changes.
 * @param count Number of notifications of the run.
 * @param io Takes the text.
 * @param clock Time.
 * @returns Ends it; on a terminal the line is wiped out.
 */
export function showProgress(
  report: SimulatorReport,
  count: number,
  io: Pick<CliIo, "err" | "terminal">,
  clock: Clock = systemClock,
): () => void {
  const start = clock.now();
  const wiped = io.terminal ? "\r\x1b[K" : "";
  const interval = io.terminal ? TERMINAL_INTERVAL : LOG_INTERVAL;
  let failureShown = false;
  let cancel = clock.after(interval, show);
  function show(): void {
    cancel = clock.after(interval, show);
    const { accepted, refused, retries, firstFailure } = report;
    if (firstFailure !== undefined && !failureShown) {
      failureShown = true;
      io.err(`${wiped}first failure: ${printable(firstFailure)}\n`);
    }
    const rate = Math.round(accepted / ((clock.now() - start) / 1000));
    const line = `${accepted} of ${count} accepted, ${rate} per second, ${retries} retries, ${refused} refused`;
    io.err(`${wiped}${line}${io.terminal ? "" : "\n"}`);
  }
  return () => {
    cancel();
    io.err(wiped);
  };
}
