/**
 * Fuzzes for as long as wanted: `deno task fuzz --seconds 600`, `--target messages`, or again what failed:
 * `--target messages --seed 123`. Put the seed of a bug that was found into `tests/fuzz/seeds.json`.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { runFor, runSeed } from "../tests/fuzz/run.ts";
import { TARGETS } from "../tests/fuzz/targets.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, target: { type: "string" }, seed: { type: "string" } },
});
const chosen = [...TARGETS].filter(([name]) => values.target === undefined || name === values.target);
if (chosen.length === 0) {
  console.error(`There is no target "${values.target}": ${[...TARGETS.keys()].join(", ")}`);
  process.exit(2);
}
for (const [name, target] of chosen) {
  if (values.seed !== undefined) {
    runSeed(name, target, Number(values.seed));
    console.log(`${name}: seed ${values.seed} passes`);
    continue;
  }
  const seconds = Number(values.seconds) / chosen.length;
  console.log(`${name}: ${await runFor(name, target, seconds)} inputs in ${seconds} s`);
}
