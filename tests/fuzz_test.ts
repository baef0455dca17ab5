/** Each fuzz target for ten seconds, after the seeds that once found a bug. For longer: `deno task fuzz --seconds 600`. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runFor, runSeed } from "./fuzz/run.ts";
import seeds from "./fuzz/seeds.json" with { type: "json" };
import { TARGETS } from "./fuzz/targets.ts";

const KNOWN = new Map<string, number[]>(Object.entries(seeds));

describe("fuzzing", () => {
  it("has no seeds of targets that do not exist", () => {
    assertEquals([...KNOWN.keys()].filter((name) => !TARGETS.has(name)), []);
  });

  for (const [name, target] of TARGETS) {
    it(`${name}: a documented error or a valid output, whatever the input`, async () => {
      for (const seed of KNOWN.get(name) ?? []) runSeed(name, target, seed);
      assert(await runFor(name, target, 10) > 100);
    });
  }
});
