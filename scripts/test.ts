/**
 * Runs the whole suite on Deno, then on Bun: the tests (on Deno with the sanitizers that it leaves off by itself, and leaks traced), and
 * every snippet of README.md, of `docs/`, and of the doc comments. Fails if a test fails, if a file of tests is left out, or if a test runs on one
 * of them only and is not in the list below.
 *
 *   deno task test              both
 *   deno task test deno|bun     one of them
 *
 * The last line counts all.
 */

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { writeSnippets } from "./snippets.ts";

/** Tests of a platform's own API: what their names contain, and why the other runtime cannot have them. */
const ONE_RUNTIME_ONLY = new Map<string, string>([["Bun.RedisClient", "Bun's own client for Redis"]]);

const TEST_TIMEOUT = 120_000;
const MAX_FAILURE_LINES = 60;
const modules = readdirSync(".").filter((name) => name.endsWith(".ts"));
const documents = ["README.md", ...readdirSync("docs").map((name) => `docs/${name}`)];
const testFiles = readdirSync("tests").filter((name) => name.endsWith("_test.ts"));
const scratch = mkdtempSync(join(tmpdir(), "tackline-test-"));

/** What one runtime made of the suite. */
interface Result {
  /** Tests by file. */
  files: Map<string, number>;
  /** The names of the tests. */
  names: Set<string>;
  passed: number;
  failed: number;
  snippets: number;
  /** What the runtime printed of the tests that failed. */
  failures: string;
}

/** Runs a command, shows what it prints, and keeps it. */
function run([command, ...first]: string[], ...rest: string[]): Promise<{ output: string; ok: boolean }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", DENO: process.execPath };
    const child = spawn(command, [...first, ...rest], { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (text: string): void => {
      output += text;
      process.stdout.write(text);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);
    child.on("close", (status) => resolve({ output, ok: status === 0 }));
  });
}

async function runOnDeno(deno: string[]): Promise<Result> {
  console.log("# Tests on Deno");
  const report = join(scratch, "deno.xml");
  const strict = ["--trace-leaks", "--sanitize-ops", "--sanitize-resources"];
  const tests = await run(deno, "test", "-A", ...strict, `--junit-path=${report}`, "tests/");
  console.log("# Snippets on Deno");
  const snippets = await run(deno, "test", "-A", "--doc", ...documents, ...modules);
  const testCount = readDenoSummary(tests);
  const snippetCount = readDenoSummary(snippets);
  const files = [...tests.output.matchAll(/^running (\d+) tests? from \.\/tests\/(\S+)$/gm)];
  return {
    files: new Map(files.map(([, count, file]) => [file, Number(count)])),
    names: new Set([...readReport(report).matchAll(/<testcase name="([^"]*)"/g)].map(([, name]) => unescapeXml(name))),
    passed: testCount.passed + snippetCount.passed,
    failed: testCount.failed + snippetCount.failed,
    snippets: snippetCount.passed + snippetCount.failed,
    failures: denoFailures(tests.output) + denoFailures(snippets.output),
  };
}

/** What stands between Deno's heading of the failures and its last line. */
function denoFailures(output: string): string {
  const start = output.search(/^ ERRORS $/m);
  return start === -1 ? "" : output.slice(start);
}

function readReport(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function unescapeXml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}

interface Count {
  passed: number;
  failed: number;
}

/** Deno's own last line: `ok | 12 passed | 0 failed (1s)`. A suite can fail without a failed test: an error outside of all of them. */
function readDenoSummary({ output, ok }: { output: string; ok: boolean }): Count {
  const match = [...output.matchAll(/^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/gm)].at(-1);
  return summary(match && { passed: Number(match[1]), failed: Number(match[2]) }, ok);
}

function readBunSummary({ output, ok }: { output: string; ok: boolean }): Count {
  const passed = [...output.matchAll(/^ *(\d+) pass$/gm)].at(-1);
  const failed = [...output.matchAll(/^ *(\d+) fail$/gm)].at(-1);
  return summary(passed && failed && { passed: Number(passed[1]), failed: Number(failed[1]) }, ok);
}

function summary(count: Count | undefined, ok: boolean): Count {
  if (count === undefined) return { passed: 0, failed: 1 };
  return ok || count.failed > 0 ? count : { ...count, failed: 1 };
}

async function runOnBun(bun: string[]): Promise<Result> {
  const files = new Map<string, number>();
  const names = new Set<string>();
  console.log("# Tests on Bun");
  const tests = await run(bun, "test", "--timeout", String(TEST_TIMEOUT), "tests/");
  let file = "";
  for (const line of tests.output.split("\n")) {
    // What has failed is listed once more at the end.
    if (/^\d+ tests? failed:$/.test(line)) break;
    const header = line.match(/^tests\/(\S+_test\.ts):$/);
    const test = line.match(/^\((?:pass|fail)\) (.*?)(?: \[[\d.]+m?s\])?$/);
    if (header) file = header[1];
    if (!test) continue;
    names.add(test[1]);
    files.set(file, (files.get(file) ?? 0) + 1);
  }
  console.log("# Snippets on Bun");
  const folder = writeSnippets([...documents, ...modules]);
  const snippets = await run(bun, "test", "--timeout", String(TEST_TIMEOUT), `./${folder}/`);
  rmSync(folder, { recursive: true });
  const testCount = readBunSummary(tests);
  const snippetCount = readBunSummary(snippets);
  return {
    files,
    names,
    passed: testCount.passed + snippetCount.passed,
    failed: testCount.failed + snippetCount.failed,
    snippets: snippetCount.passed + snippetCount.failed,
    failures: bunFailures(tests.output) + bunFailures(snippets.output),
  };
}

/** Bun says what is wrong with a test before the line that names it: what stands after the line of the test before. */
function bunFailures(output: string): string {
  let text = "";
  let block: string[] = [];
  for (const line of output.split("\n")) {
    if (/^\d+ tests? failed:$/.test(line)) break;
    block.push(line);
    const [, outcome] = line.match(/^\((pass|fail|skip|todo)\) /) ?? [];
    if (outcome === undefined) continue;
    if (outcome === "fail") text += `${block.slice(-MAX_FAILURE_LINES).join("\n")}\n`;
    block = [];
  }
  return text;
}

/** Bun as it is found: on the path, or by npm. */
function findBun(): string[] | undefined {
  const commands = [["bun"], ["npx", "-y", "bun@1.4.5"]];
  return commands.find(([command, ...rest]) => spawnSync(command, [...rest, "--version"]).status === 0);
}

function isOneRuntimeOnly(name: string): boolean {
  return [...ONE_RUNTIME_ONLY.keys()].some((part) => name.includes(part));
}

/** What is wrong with the suite as a whole. */
function complain(results: Map<string, Result>): string[] {
  const complaints: string[] = [];
  for (const [runtime, { files }] of results) {
    for (const file of testFiles) if (!files.get(file)) complaints.push(`tests/${file} was left out on ${runtime}`);
  }
  const [deno, bun] = [results.get("Deno"), results.get("Bun")];
  if (deno === undefined || bun === undefined) return complaints;
  for (const [here, there, runtime] of [[deno, bun, "Deno"], [bun, deno, "Bun"]] as const) {
    for (const name of here.names) {
      if (there.names.has(name) || isOneRuntimeOnly(name)) continue;
      complaints.push(`"${name}" ran on ${runtime} only`);
    }
  }
  if (deno.snippets !== bun.snippets) complaints.push(`${deno.snippets} snippets on Deno, ${bun.snippets} on Bun`);
  return complaints;
}

function printTable(results: Map<string, Result>): void {
  const row = (name: string, cell: (result: Result) => number | undefined): void =>
    console.log(
      name.padEnd(34) + [...results.values()].map((result) => String(cell(result) ?? 0).padStart(8)).join(""),
    );
  console.log(`\n${"".padEnd(34)}${[...results.keys()].map((runtime) => runtime.padStart(8)).join("")}`);
  for (const file of testFiles) row(file, ({ files }) => files.get(file));
  row("snippets", ({ snippets }) => snippets);
  row("passed", ({ passed }) => passed);
  row("failed", ({ failed }) => failed);
  console.log("\nTests for one runtime only:", ONE_RUNTIME_ONLY.size === 0 ? "none" : "");
  for (const [name, reason] of ONE_RUNTIME_ONLY) console.log(`  ${name}: ${reason}`);
}

const wanted = process.argv[2];
const results = new Map<string, Result>();
const complaints: string[] = [];
if (wanted !== "bun") results.set("Deno", await runOnDeno([process.execPath]));
if (wanted !== "deno") {
  const bun = findBun();
  if (bun === undefined) complaints.push("Bun was not found, neither on the path nor by npx");
  else results.set("Bun", await runOnBun(bun));
}
rmSync(scratch, { recursive: true });
printTable(results);
complaints.push(...complain(results));
// Once more, so that who sees only the end of a log sees it.
for (const [runtime, { failures }] of results) {
  if (failures !== "") console.log(`\n# Failed on ${runtime}\n${failures}`);
}
for (const complaint of complaints) console.log(`NOT AS IT SHOULD BE: ${complaint}`);
const total = [...results.values()].reduce((sum, { passed }) => sum + passed, 0);
const failed = [...results.values()].reduce((sum, { failed }) => sum + failed, complaints.length);
console.log(`${total} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
