/**
 * Runs the whole suite: the tests on Deno (with the sanitizers that it leaves off by itself, and leaks traced) and on
 * Bun, every snippet of README.md, of `docs/` and of the doc comments on both, and the types of the tests.
 *
 *   deno task test                    all, some files at once
 *   deno task test deno|bun           on one of them
 *   deno task test tests/x_test.ts …  some files
 *   deno task test snippets           the snippets alone, and their types
 *   deno task quick                   on Deno only, without other programs, one process a folder of tests
 *
 * `--jobs 4` runs four files at once, `--timeout 900` ends a file after 900 s instead of 600 s. `FUZZ_SECONDS=10` in
 * the environment fuzzes each target for 10 s instead of 2 s.
 *
 * Programs that this machine lacks (tests/support/needs.ts) are listed, and the tests that need them skipped by name;
 * with `REQUIRE_PEERS=1` that is a failure. So is a file that ran no test or did not end well, a test that was skipped
 * for another reason, and a test that only one of the two has.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { find, FOUND_VARIABLE, howToInstall, NEED_NAMES, type NeedName, type Runtime } from "../tests/support/needs.ts";
import { writeSnippets } from "./snippets.ts";
import { type Ended, killAll, runToEnd } from "./test_process.ts";
import { parseNeeds, readReport, type Report } from "./test_report.ts";

/** Tests of a platform's own API: what their names contain, and why the other runtime cannot have them. */
const ONE_RUNTIME_ONLY = new Map<string, string>([
  ["in each way that Deno has", "ways of Deno's own"],
  ["Bun.RedisClient", "Bun's own client for Redis"],
  ["Bun.sql", "Bun's own client for PostgreSQL"],
  ["over TLS of node:tls", "Bun does TLS by itself"],
  ["over TLS behind a PROXY header", "on Bun it is TLS of node:tls over a stream"],
  ["a receiver whose system takes localhost for another machine", "only Deno.connect can be replaced"],
  ["gets an error that names the permission it lacks, and that of the proxy", "Bun has no permissions"],
  ["knows the error of a program that may not connect", "Bun has no permissions"],
  ["work with those of the path, and with those of its folder after a killed process", "Bun has no permissions"],
  ["in the body of a Response, in streams and as reason of a signal", "Deno itself fails with such reasons"],
  ["pass with TypeScript 5.9 too", "it takes long, and no runtime changes what it says"],
  ["is no larger than it was, bundled by", "it takes long, and no runtime changes what bundlers do"],
  ["with Bun.file", "a file of Bun's own"],
]);
/** Files whose tests are all of one runtime. */
const FILES_OF_ONE: ReadonlyMap<string, Runtime> = new Map([["tests/transport/deno_test.ts", "Deno"]]);

/** Files, and folders of a quick run, that take longest, which are started first. */
const SLOWEST_FIRST = [
  "types of tests",
  ...["tests/journal", "tests", "tests/protocol", "tests/server", "tests/whatsapp"],
  "chromium",
  "proxies",
  "redis/backplane",
  "interop_ws",
  "pack",
  "crash",
  "fuzz",
  "conformance",
  "redis/journal",
  "scripts/runner",
  "journal/journal",
  "cluster",
  "peers",
];

/** Files that take longest, or start our own programs again and again, which a quick run leaves out. */
const NOT_QUICK = [
  "tests/transport/busy_test.ts",
  "tests/conformance_test.ts",
  "tests/crash_test.ts",
  "tests/demo_test.ts",
  "tests/interop_test.ts",
  "tests/scripts/checks_test.ts",
  "tests/scripts/runner_test.ts",
];

/** Time limit of a test, which only Bun has, in ms. */
const TEST_TIMEOUT = 120_000;

// ---- What is wanted ---------------------------------------------------------------------------------------------

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    jobs: { type: "string" },
    timeout: { type: "string", default: "600" },
  },
});
const isQuick = values.quick;
const isRuntime = (word: string): boolean => word === "deno" || word === "bun";
const onlySnippets = positionals.includes("snippets");
const chosen = positionals.filter((word) => !isRuntime(word) && word !== "snippets");
const onlyOn = isQuick ? "deno" : positionals.find(isRuntime);
const wanted = (["Deno", "Bun"] as const).filter((runtime) => onlyOn === undefined || runtime.toLowerCase() === onlyOn);
const isRequired = process.env.REQUIRE_PEERS === "1";
/** Time limit of a file, in ms. */
const fileTimeout = positive("timeout", values.timeout) * 1000;
/** Files that run at once: more than there are processors, since the slowest ones wait for most of their time. */
const width = positive("jobs", values.jobs ?? String(availableParallelism() + 2));

function positive(option: string, value: string): number {
  if (!(Number(value) >= 1)) throw new Error(`--${option} must be at least 1, not "${value}"`);
  return Number(value);
}

const scratch = mkdtempSync(join(tmpdir(), "tackline-test-"));
const snippetFolder = join(scratch, "snippets");
mkdirSync(snippetFolder);
/** Folders of the library's own code. */
const ROOMS: readonly string[] = JSON.parse(readFileSync("deno.json", "utf8")).publish.include
  .filter((pattern: string) => pattern.endsWith("/*.ts")).map((pattern: string) => pattern.slice(0, -5));
const documents = [
  "README.md",
  ...readdirSync("docs").filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ...readdirSync(".").filter((name) => name.endsWith(".ts")),
  ...ROOMS.flatMap((room) => readdirSync(room).filter((name) => name.endsWith(".ts")).map((name) => `${room}/${name}`)),
];
const allFiles = readdirSync("tests", { recursive: true }).map((name) => `tests/${name}`.replaceAll("\\", "/"))
  .filter((name) => name.endsWith("_test.ts")).sort();
const testFiles = chosen.length > 0 || onlySnippets
  ? chosen
  : allFiles.filter((file) => !isQuick || !NOT_QUICK.includes(file));

// ---- Jobs -------------------------------------------------------------------------------------------------------

/** One process that runs tests. */
interface Job {
  runtime: Runtime;
  /** A file of tests, `snippets`, or a check of types, which has no tests. */
  name: string;
  command: readonly string[];
  /** File of the JUnit report. */
  report?: string;
}

/** Outcome of a job. */
interface Outcome {
  job: Job;
  report: Report;
  /** Errors other than failed tests. */
  problems: string[];
  ended: Ended;
}

function planJobs(): Job[] {
  const jobs: Job[] = [];
  // No snippets where only some files are wanted.
  const snippets = chosen.length === 0 ? writeSnippets(documents, snippetFolder) : undefined;
  for (const runtime of wanted) {
    const program = find(runtime);
    if (program === undefined) continue;
    const files = testFiles.filter((file) => (FILES_OF_ONE.get(file) ?? runtime) === runtime);
    for (const { name, path } of isQuick ? bundlesOf(files) : files.map(alone)) {
      jobs.push(testJob(runtime, program, name, path));
    }
    if (snippets !== undefined) jobs.push(testJob(runtime, program, "snippets", snippets));
  }
  if (wanted.includes("Deno")) jobs.push(...typeJobs());
  const rank = ({ name }: Job): number => {
    const at = SLOWEST_FIRST.findIndex((slow) => name === slow || name === `tests/${slow}_test.ts`);
    return at === -1 ? SLOWEST_FIRST.length : at;
  };
  return jobs.sort((a, b) => rank(a) - rank(b));
}

function alone(file: string): { name: string; path: string } {
  return { name: file, path: file.startsWith("/") ? file : `./${file}` };
}

/**
 * Makes one module of all files of a folder. Deno loads the library anew for each file of tests, which takes a third of
 * the processor time of a quick run; here it does once for each folder.
 */
function bundlesOf(files: readonly string[]): { name: string; path: string }[] {
  const folders = Map.groupBy(files, (file) => dirname(file));
  return [...folders].map(([name, members], index) => {
    const path = join(scratch, `folder_${index}_test.ts`);
    const imports = members.map((file) => `import ${JSON.stringify(pathToFileURL(resolve(file)).href)};`);
    writeFileSync(path, `${imports.join("\n")}\n`);
    return { name, path };
  });
}

/** Types are checked once for all, and not in each process. */
function typeJobs(): Job[] {
  const job = (name: string, ...args: string[]): Job => ({
    runtime: "Deno",
    name,
    command: [process.execPath, ...args],
  });
  const jobs: Job[] = [];
  if (testFiles.length > 0 && lacksTypes().length === 0) jobs.push(job("types of tests", "check", ...testFiles));
  if (chosen.length === 0) jobs.push(job("types of snippets", "test", "--no-run", "--doc", ...documents));
  return jobs;
}

/** Packages that are missing without which some tests have no types. */
function lacksTypes(): NeedName[] {
  return (["npm:redis@6.3.1", "npm:ioredis@6.0.0"] as const).filter((need) => find(need) === undefined);
}

function testJob(runtime: Runtime, program: readonly string[], name: string, path: string): Job {
  const report = join(scratch, `${runtime}-${name.replaceAll("/", "-")}.xml`);
  if (runtime === "Bun") {
    const flags = ["--timeout", String(TEST_TIMEOUT), "--reporter=junit", `--reporter-outfile=${report}`];
    return { runtime, name, report, command: [...program, "test", ...flags, path] };
  }
  const config = `--config=${name === "snippets" ? snippetFolder : "."}/deno.json`;
  const flags = ["-A", "--no-check", "--trace-leaks", "--sanitize-ops", "--sanitize-resources", "--no-lock", config];
  return { runtime, name, report, command: [...program, "test", ...flags, `--junit-path=${report}`, path] };
}

function isMissing(need: NeedName, runtime: Runtime): boolean {
  // A quick run leaves out all but Deno.
  return isQuick ? need !== "Deno" : find(need, runtime) === undefined;
}

/** Environment of test processes. */
function environment(runtime: Runtime): Record<string, string> {
  const found = NEED_NAMES.map((need) => [need, isMissing(need, runtime) ? null : find(need, runtime)]);
  return {
    NO_COLOR: "1",
    [FOUND_VARIABLE]: JSON.stringify(Object.fromEntries(found)),
    // What is missing is skipped there, and reported here.
    REQUIRE_PEERS: "0",
    ...isQuick ? { FUZZ_SECONDS: "0.2" } : {},
  };
}

// ---- Running ----------------------------------------------------------------------------------------------------

async function runJobs(jobs: readonly Job[]): Promise<Outcome[]> {
  const environments = new Map(wanted.map((runtime) => [runtime, environment(runtime)]));
  const outcomes: Outcome[] = [];
  const waiting = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const ended = await runToEnd(job.command, environments.get(job.runtime)!, fileTimeout);
      outcomes.push(judge(job, ended));
      printProgress(outcomes, jobs.length);
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return outcomes;
}

function judge(job: Job, ended: Ended): Outcome {
  const problems: string[] = [];
  const report = readReport(job.report === undefined ? "" : readIfThere(job.report));
  const count = report.passed.length + report.failed.length + report.skipped.length;
  if (ended.timedOut) problems.push(`did not end within ${values.timeout} s`);
  else if (ended.status !== 0 && report.failed.length === 0) problems.push(`ended with status ${ended.status}`);
  if (ended.leftSomething) problems.push("left a program that holds its output");
  if (job.report !== undefined && count === 0) problems.push("ran no test");
  for (const name of report.skipped) {
    const missing = missingFor(name, job.runtime);
    if (missing.length === 0) problems.push(`skips "${name}", though nothing that it needs is missing`);
  }
  return { job, report, problems, ended };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Requirement that a skipped test lacks, taken from its name: `Chromium [needs Chromium] > …`. */
function missingFor(name: string, runtime: Runtime): NeedName[] {
  const { needs } = parseNeeds(name);
  return NEED_NAMES.filter((need) => needs.includes(need) && isMissing(need, runtime));
}

// ---- Reporting --------------------------------------------------------------------------------------------------

function countOf({ report, problems }: Outcome): { passed: number; failed: number; skipped: number } {
  return {
    passed: report.passed.length,
    failed: report.failed.length + problems.length,
    skipped: report.skipped.length,
  };
}

function printProgress(outcomes: readonly Outcome[], total: number): void {
  const outcome = outcomes.at(-1)!;
  const { passed, failed, skipped } = countOf(outcome);
  const { job: { name, runtime }, ended: { took } } = outcome;
  const counts = [
    ...failed > 0 ? [`${failed} FAILED`] : [],
    ...passed > 0 ? [`${passed} passed`] : [],
    ...skipped > 0 ? [`${skipped} skipped`] : [],
  ].join(", ") || "ok";
  const place = `[${String(outcomes.length).padStart(String(total).length)}/${total}]`;
  console.log(`${place} ${runtime.padEnd(4)}  ${name.padEnd(32)}  ${counts}  ${(took / 1000).toFixed(1)} s`);
}

/** Output of a runtime for a failed file, without the tests that passed. */
function printFailure({ job, report, problems, ended }: Outcome): void {
  const lines = ended.output.split("\n").filter((line) =>
    !/ \.\.\. (?:ok|ignored) \([^)]*\)$/.test(line) && !/^\((?:pass|skip)\) /.test(line)
  );
  console.log(`\n# Failed on ${job.runtime}: ${job.name}`);
  for (const problem of problems) console.log(`FAILED: ${job.name} on ${job.runtime} ${problem}`);
  for (const name of report.failed) console.log(`FAILED: ${name}`);
  console.log(lines.join("\n"));
}

/** Tests that one runtime has and the other has not, by name. A file that did not run is a failure already. */
function compareRuntimes(outcomes: readonly Outcome[]): string[] {
  const complaints: string[] = [];
  const namesOf = ({ report }: Outcome): Set<string> =>
    new Set([...report.passed, ...report.failed, ...report.skipped].map((name) => parseNeeds(name).name));
  for (const deno of outcomes.filter(({ job }) => job.runtime === "Deno" && job.report !== undefined)) {
    const { name } = deno.job;
    const bun = outcomes.find(({ job }) => job.runtime === "Bun" && job.name === name);
    if (bun === undefined || deno.problems.length > 0 || bun.problems.length > 0) continue;
    const [here, there] = [namesOf(deno), namesOf(bun)];
    const isOfOne = (test: string): boolean => [...ONE_RUNTIME_ONLY.keys()].some((part) => test.includes(part));
    const report = (test: string, runtime: Runtime): void => {
      if (!isOfOne(test)) complaints.push(`"${test}" of ${name} is on ${runtime} only`);
    };
    for (const test of here.difference(there)) report(test, "Deno");
    for (const test of there.difference(here)) report(test, "Bun");
  }
  return complaints;
}

/** Skipped tests, by what this machine lacks. */
class Skips {
  #lost = new Map<NeedName, { tests: number; files: Set<string> }>();
  /** Skipped tests; one that needs two things counts once. */
  total = 0;

  constructor(outcomes: readonly Outcome[]) {
    for (const { job, report } of outcomes) {
      for (const name of report.skipped) this.#add(missingFor(name, job.runtime), job.name, 1);
    }
    if (wanted.includes("Deno") && lacksTypes().length > 0) this.#add(lacksTypes(), "types of tests", 1);
    if (!wanted.includes("Bun") || find("Bun") !== undefined) return;
    // All that ran on Deno, or would have.
    for (const { job, report } of outcomes.filter(({ job }) => job.report !== undefined)) {
      this.#add(["Bun"], job.name, report.passed.length + report.failed.length + report.skipped.length);
    }
  }

  #add(needs: readonly NeedName[], file: string, tests: number): void {
    if (needs.length > 0) this.total += tests;
    for (const need of needs) {
      const lost = this.#lost.get(need) ?? { tests: 0, files: new Set() };
      lost.tests += tests;
      lost.files.add(file);
      this.#lost.set(need, lost);
    }
  }

  get needs(): NeedName[] {
    return [...this.#lost.keys()];
  }

  print(): void {
    if (isQuick) {
      const tests = this.total === 0 ? "" : `${this.total} tests with ${this.needs.join(", ")}, `;
      return console.log(`Left out: ${NOT_QUICK.join(", ")}, ${tests}and all on Bun`);
    }
    if (this.total === 0) return;
    console.log("\nMissing on this machine, tests skipped for it, and what installs it:");
    for (const [need, { tests, files }] of this.#lost) {
      const noun = files.size === 1 ? "file " : "files";
      const cost = `${String(tests).padStart(4)} in ${String(files.size).padStart(2)} ${noun}`;
      console.log(`  ${need.padEnd(20)} ${cost}  ${howToInstall(need)}`);
    }
  }
}

function printTotals(outcomes: readonly Outcome[]): void {
  console.log("");
  for (const runtime of wanted) {
    const counts = outcomes.filter(({ job }) => job.runtime === runtime).map(countOf);
    const sum = (key: "passed" | "failed" | "skipped"): number => counts.reduce((sum, count) => sum + count[key], 0);
    console.log(`${runtime.padEnd(4)}  ${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  }
  for (const [name, reason] of ONE_RUNTIME_ONLY) console.log(`On one runtime only: ${name} (${reason})`);
  for (const [file, runtime] of FILES_OF_ONE) {
    console.log(`On one runtime only: ${file} (what it tests is of ${runtime})`);
  }
}

// ---- All of it --------------------------------------------------------------------------------------------------

function cleanUp(): void {
  rmSync(scratch, { recursive: true, force: true });
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  process.on(signal, () => {
    killAll();
    cleanUp();
    console.log(`Interrupted by ${signal}`);
    process.exit(status);
  });
}

const begun = performance.now();
const outcomes = await runJobs(planJobs());
cleanUp();
const skips = new Skips(outcomes);
const complaints = compareRuntimes(outcomes);
if (isRequired) complaints.push(...skips.needs.map((need) => `${need} is missing: ${howToInstall(need)}`));
if ((testFiles.length === 0 && !onlySnippets) || outcomes.length === 0) complaints.push("no test ran");
printTotals(outcomes);
skips.print();
// Once more at the end: of a long log only that may be kept.
for (const outcome of outcomes) if (countOf(outcome).failed > 0) printFailure(outcome);
for (const complaint of complaints) console.log(`FAILED: ${complaint}`);
const total = outcomes.map(countOf);
const passed = total.reduce((sum, count) => sum + count.passed, 0);
const failed = total.reduce((sum, count) => sum + count.failed, complaints.length);
console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
console.log(`${passed} passed, ${failed} failed, ${skips.total} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
