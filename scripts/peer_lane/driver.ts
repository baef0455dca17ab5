/**
 * Our side, on the runtime that runs this: plays the cases with one peer, and appends a line of JSON for each to a
 * file.
 *
 *   deno run -A scripts/peer_lane/driver.ts ORDER     ORDER: JSON of `Order`
 */

import { appendFileSync } from "node:fs";
import process from "node:process";
import type { CaseName, PeerRole } from "./peer.ts";
import { OK } from "./outcome.ts";
import { PLAYS } from "./play.ts";
import { sideOf, type Start } from "./sides.ts";

/** The task of one driver. */
export interface Order {
  /** Programs by role, and the cases that are played with each. */
  programs: { role: PeerRole; start: Start; cases: readonly CaseName[] }[];
  /** Print the outcome and the duration of each case, and what the peer's program wrote if it is not "ok". */
  verbose: boolean;
  /** File for the results. */
  results: string;
}

/** Outcome of one case. */
export interface Result {
  role: PeerRole;
  case: CaseName;
  outcome: string;
}

/** Plays all cases of an order. */
async function drive({ programs, results, verbose }: Order): Promise<void> {
  for (const { role, start, cases } of programs) {
    const written: string[] = [];
    const side = sideOf(role, start, (text) => void written.push(text));
    for (const name of cases) {
      const begun = performance.now();
      const outcome = await side.play(PLAYS[name]);
      const result: Result = { role, case: name, outcome };
      if (verbose) {
        const seconds = ((performance.now() - begun) / 1000).toFixed(1);
        console.error([`- ${role}, ${name}: ${outcome}, ${seconds} s`, ...outcome === OK ? [] : written].join("\n"));
      }
      written.length = 0;
      appendFileSync(results, JSON.stringify(result) + "\n");
    }
    await side.stop();
  }
}

await drive(JSON.parse(process.argv[2]!));
// A client of ours that was given up must not keep the process.
process.exit(0);
