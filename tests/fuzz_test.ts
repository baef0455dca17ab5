/**
 * Fuzzes each target for two seconds, or for `FUZZ_SECONDS`, after the seeds that once found a bug. For longer:
 * `deno task fuzz --seconds 600`.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import process from "node:process";
import { LEAST_INPUTS, runFor, runSeed } from "./fuzz/run.ts";
import { TARGETS } from "./fuzz/targets.ts";
import seeds from "./fuzz/seeds.json" with { type: "json" };

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 2);
const KNOWN = new Map<string, number[]>(Object.entries(seeds));

describe("fuzzing", () => {
  it("has no seeds of targets that do not exist", () => {
    assertEquals([...KNOWN.keys()].filter((name) => !TARGETS.has(name)), []);
  });

  for (const [name, target] of TARGETS) {
    it(`${name}: a documented error or a valid output, whatever the input`, async () => {
      for (const seed of KNOWN.get(name) ?? []) runSeed(name, target, seed);
      assert(await runFor(name, target, SECONDS) >= LEAST_INPUTS);
    });
  }
});
