/**
 * The runner of the suite (`scripts/test.ts`): what a fresh machine lacks is skipped by name and counted, and nothing
 * else is.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseNeeds, readReport } from "../../scripts/test_report.ts";
import { find, FOUND_VARIABLE } from "../support/needs.ts";
import { describePeer } from "../support/peers.ts";
import { until } from "../support/support.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const BDD = new URL("../std/testing/bdd.ts", import.meta.url).href;
/** Time that a run of a few files may take on a busy machine, in ms. */
const PATIENCE = 100_000;

/** A run of the runner. */
class Run {
  readonly child: ChildProcess;
  output = "";
  readonly ended: Promise<number | null>;

  constructor(deno: string[], args: string[], env: Record<string, string> = {}) {
    const all: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1", REQUIRE_PEERS: "", ...env };
    // It looks for itself.
    delete all[FOUND_VARIABLE];
    const [command, ...first] = [...deno, "run", "-A", "scripts/test.ts", ...args];
    this.child = spawn(command!, first, {
      cwd: root,
      env: all as Record<string, string>,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) stream.on("data", (data) => this.output += data);
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  /** Text of the last line. */
  counts(): { passed: number; failed: number; skipped: number } {
    const line = this.output.trimEnd().split("\n").at(-1)!;
    const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line)?.slice(1).map(Number);
    assert(counts !== undefined, this.output);
    const [passed, failed, skipped] = counts;
    return { passed: passed!, failed: failed!, skipped: skipped! };
  }

  /** Table rows for missing items: tests, files, and the command. */
  row(need: string): { tests: number; files: number; command: string } {
    const lines = this.output.split("\n").filter((line) => line.startsWith(`  ${need} `));
    assertEquals(lines.length, 1, this.output);
    const [, tests, files, command] = /(\d+) in +(\d+) files? +(.*)$/.exec(lines[0]!)!;
    return { tests: Number(tests), files: Number(files), command: command! };
  }
}

/** A folder that is gone after the test. */
async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "runner-"));
  try {
    await action(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Files of tests that have something wrong. */
const WRONG: Record<string, string> = {
  fails: `it("fails", () => { console.log("a clue"); throw new Error("the reason"); }); it("passes", () => {});`,
  throws: `it("never runs", () => {}); throw new Error("thrown outside of tests");`,
  has_a_wrong_import: `import { x } from "./nothing.ts"; it("x", () => x());`,
  is_empty: ``,
  skips: `describe.skip("a group [needs Deno]", () => it("is skipped", () => {}));`,
  ends_early: `it("ends", () => process.exit(0)); it("is left out", () => {});`,
  is_for_one: `if ("Deno" in globalThis) it("is for Deno", () => {}); it("is for both", () => {});`,
};

function writeTest(folder: string, name: string, code: string): string {
  const file = join(folder, `${name}_test.ts`);
  writeFileSync(file, `import process from "node:process"; import { describe, it } from "${BDD}"; ${code}\n`);
  return file;
}

describe("the runner's reports", () => {
  it("have the same names for both runtimes, though one lacks something that the other has", () => {
    const flat = readReport(`<testsuites name="deno test"><testsuite name="./a_test.ts">
      <testcase name="&lt;a&gt; [needs X, Y] &gt; b &amp;amp; &quot;c&quot;" line="1"><skipped/></testcase>
      <testcase name="&lt;a&gt; &gt; d"><failure message="m">x &lt;testcase name="no"/&gt;</failure></testcase>
      <testcase name="e"></testcase><testcase name="f"><error message="Cancelled"/></testcase>
    </testsuite></testsuites>`);
    const nested = readReport(`<testsuites name="bun test"><testsuite name="a_test.ts" file="a_test.ts">
      <testsuite name="&lt;a&gt;"><testcase name="b &amp;amp; &quot;c&quot;" time="0" />
        <testcase name="d" time="0"><failure type="Error" message="m">x</failure></testcase></testsuite>
      <testcase name="e" time="0"/><testcase name="f" time="0"><skipped /></testcase>
    </testsuite></testsuites>`);
    assertEquals(flat, { passed: ["e"], failed: ["<a> > d", "f"], skipped: ['<a> [needs X, Y] > b &amp; "c"'] });
    assertEquals(nested, { passed: ['<a> > b &amp; "c"', "e"], failed: ["<a> > d"], skipped: ["f"] });
    assertEquals(parseNeeds(flat.skipped[0]!), { name: nested.passed[0], needs: ["X", "Y"] });
    assertEquals(parseNeeds("a > b"), { name: "a > b", needs: [] });
  });
});

describePeer("the runner", "Deno", (deno) => {
  const files = ["tests/protocol/utf8_test.ts", "tests/chromium_test.ts", "tests/cluster_test.ts"];

  it("passes without other programs: what is missing is skipped by name, in one table", () =>
    withFolder(async (bare) => {
      const run = new Run(deno, files, { PATH: bare });
      assertEquals(await run.ended, 0, run.output);
      const [chromium, redis, bun] = ["Chromium", "Redis", "Bun"].map((need) => run.row(need));
      assertEquals([chromium!.files, chromium!.command], [1, "apt-get install chromium"]);
      assertEquals([redis!.files, redis!.command], [1, "apt-get install redis-server"]);
      assertEquals([bun!.files, bun!.command], [3, "npm install -g bun@1.4.5"]);
      const { passed, failed, skipped } = run.counts();
      assert(passed > 0 && chromium!.tests > 0 && redis!.tests > 0, run.output);
      assertEquals(bun!.tests, passed + chromium!.tests + redis!.tests);
      assertEquals(skipped, chromium!.tests + redis!.tests + bun!.tests);
      assertEquals(failed, 0);
      assert(/^\[\d\/4\] Deno  tests\/protocol\/utf8_test\.ts +\d+ passed  [\d.]+ s$/m.test(run.output), run.output);
    }));

  it("fails without other programs if they are required, and names each", () =>
    withFolder(async (bare) => {
      const run = new Run(deno, files, { PATH: bare, REQUIRE_PEERS: "1" });
      assertEquals(await run.ended, 1, run.output);
      assertEquals(run.counts().failed, 3);
      assertStringIncludes(run.output, "FAILED: Chromium is missing: apt-get install chromium\n");
      assertStringIncludes(run.output, "FAILED: Redis is missing: apt-get install redis-server\n");
      assertStringIncludes(run.output, "FAILED: Bun is missing: npm install -g bun@1.4.5\n");
    }));

  it("runs the files of a folder in one process when it is quick, and names what fails", () =>
    withFolder(async (folder) => {
      const first = writeTest(folder, "first", `it("leaves a mark", () => { globalThis.name = "mark"; });`);
      const second = writeTest(folder, "second", `it("finds it", () => { throw new Error(globalThis.name); });`);
      const run = new Run(deno, ["--quick", first, second]);
      assertEquals(await run.ended, 1, run.output);
      const { passed, failed } = run.counts();
      assertEquals([passed, failed], [1, 1]);
      assertStringIncludes(run.output, `# Failed on Deno: ${folder}\n`);
      assertStringIncludes(run.output, "FAILED: finds it\n");
      assertStringIncludes(run.output, "Error: mark\n");
      assertStringIncludes(run.output, second);
    }));

  it("runs the snippets alone, with their types", async () => {
    const run = new Run(deno, ["deno", "snippets"]);
    assertEquals(await run.ended, 0, run.output);
    assert(run.counts().passed > 10, run.output);
    assert(/^\[2\/2\] Deno +(types of )?snippets /m.test(run.output), run.output);
  });

  it("ends a file that hangs", () =>
    withFolder(async (folder) => {
      const file = writeTest(folder, "hangs", `it("hangs", () => new Promise(() => setInterval(() => {}, 1000)));`);
      const run = new Run(deno, ["deno", "--timeout", "1", file]);
      assertEquals(await run.ended, 1, run.output);
      assertStringIncludes(run.output, `FAILED: ${file} on Deno did not end within 1 s\n`);
    }));

  it("ends processes started by tests when it is interrupted", () =>
    withFolder(async (folder) => {
      const pidFile = join(folder, "pid");
      const sleeper = `spawn("sleep", ["1000"], { detached: true, stdio: "ignore" })`;
      const code = `it("starts one", async () => {
        const { spawn } = await import("node:child_process");
        const { renameSync, writeFileSync } = await import("node:fs");
        writeFileSync("${pidFile}.new", String(${sleeper}.pid));
        renameSync("${pidFile}.new", "${pidFile}");
        await new Promise(() => setInterval(() => {}, 1000));
      });`;
      const run = new Run(deno, ["deno", writeTest(folder, "starts", code)]);
      await until(() => existsSync(pidFile), "the program", PATIENCE);
      const pid = Number(readFileSync(pidFile, "utf8"));
      process.kill(run.child.pid!, "SIGINT");
      assertEquals(await run.ended, 130, run.output);
      await until(() => !isRunning(pid), "its end", PATIENCE);
    }));
});

/** Tells whether a process runs: an ended one stays listed until its parent has reaped it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self/stat") || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describePeer("the runner on both runtimes", ["Deno", "Bun"], (deno) => {
  it("fails for all that is wrong with a file, on each, and shows what was printed", () =>
    withFolder(async (folder) => {
      symlinkSync(find("Bun")![0]!, join(folder, "bun"));
      const wrong = Object.entries(WRONG).map(([name, code]) => writeTest(folder, name, code));
      const run = new Run(deno, wrong, { PATH: folder });
      assertEquals(await run.ended, 1, run.output);
      const has = (name: string, runtime: string, problem: string): void =>
        assertStringIncludes(run.output, `FAILED: ${folder}/${name}_test.ts on ${runtime} ${problem}\n`);
      for (const runtime of ["Deno", "Bun"]) {
        for (const name of ["throws", "has_a_wrong_import", "is_empty"]) has(name, runtime, "ran no test");
        has("skips", runtime, `skips "a group [needs Deno] > is skipped", though nothing that it needs is missing`);
        assertStringIncludes(run.output, `# Failed on ${runtime}: ${folder}/fails_test.ts\nFAILED: fails\n`);
      }
      has("ends_early", "Bun", "ran no test");
      assertStringIncludes(run.output, `# Failed on Deno: ${folder}/ends_early_test.ts\n`);
      assertStringIncludes(run.output, `FAILED: "is for Deno" of ${folder}/is_for_one_test.ts is on Deno only\n`);
      assertEquals(run.output.split("a clue\n").length - 1, 2);
      assertStringIncludes(run.output, "FAILED: types of tests on Deno ended with status 1\n");
      const { passed, failed, skipped } = run.counts();
      assertEquals([passed > 0, failed >= 15, skipped], [true, true, 0]);
    }));
});
