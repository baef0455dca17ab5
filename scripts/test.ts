/**
 * Runs the whole suite: the tests, with the sanitizers that Deno 2.9 leaves off and leaks traced, and every snippet in the docs. The
 * last line counts both.
 */

import { readdirSync } from "node:fs";
import process from "node:process";

const modules = readdirSync(".").filter((name) => name.endsWith(".ts"));

const SUITES: [name: string, args: string[]][] = [
  ["tests", ["test", "-A", "--trace-leaks", "--sanitize-ops", "--sanitize-resources", "tests/"]],
  ["snippets in README.md and doc comments", ["test", "-A", "--doc", "README.md", ...modules]],
];

let passed = 0;
let failed = 0;
for (const [name, args] of SUITES) {
  console.log(`# ${name}`);
  const { count, ok } = await run(args);
  if (count === undefined) {
    console.log(`The summary of "${name}" is missing`);
    failed++;
  } else {
    passed += count.passed;
    failed += count.failed;
    // A suite can fail without a failed test: an error outside of all of them.
    if (!ok && count.failed === 0) failed++;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function run(args: string[]): Promise<{ count: { passed: number; failed: number } | undefined; ok: boolean }> {
  const env = { NO_COLOR: "1" };
  const child = new Deno.Command(Deno.execPath(), { args, env, stdout: "piped", stderr: "inherit" }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    await Deno.stdout.write(new TextEncoder().encode(text));
  }
  const { success } = await child.status;
  return { count: readSummary(output), ok: success };
}

/** Deno's own last line: `ok | 12 passed | 0 failed (1s)`. */
function readSummary(output: string): { passed: number; failed: number } | undefined {
  const match = [...output.matchAll(/^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/gm)].at(-1);
  return match === undefined ? undefined : { passed: Number(match[1]), failed: Number(match[2]) };
}
