/**
 * The crash test for as long as wanted: `deno task test:crash --rounds 200 --seed 1`; `--redis` or `--postgres` for two
 * servers with a journal there. Exit code 1 if a notification was lost, came out of order, or came twice as another
 * one.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { crashTest } from "../tests/support/crash.ts";
import { Random } from "../tests/support/support.ts";

const { values } = parseArgs({
  options: {
    redis: { type: "boolean", default: false },
    postgres: { type: "boolean", default: false },
    rounds: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1e6) },
  },
});
const journal = values.redis ? "redis" : values.postgres ? "postgres" : "file";
console.log(`seed ${values.seed}, ${values.rounds} rounds`);
const report = await crashTest(Number(values.rounds), new Random(Number(values.seed)), journal, (round) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${round} killed`);
  else if (round % 20 === 0) console.log(`${round} killed`);
});
const { kills, accepted, retries, delivered, faults } = report;
console.log(`killed: ${Object.entries(kills).map(([name, count]) => `${name} ${count}`).join(", ")}`);
console.log(`accepted ${accepted}, ${retries} retries`);
for (const [name, { all, again }] of Object.entries(delivered)) {
  console.log(`${name}: ${all} deliveries, ${again} of them again`);
}
console.log(faults.length === 0 ? "Nothing lost, in order, once." : `FAILED:\n${faults.slice(0, 20).join("\n")}`);
process.exit(faults.length === 0 ? 0 : 1);
