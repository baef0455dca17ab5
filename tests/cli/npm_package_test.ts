/** Packages of npm that the program loads at run time, on Deno. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { loadPackage } from "../../cli/npm_package.ts";
import { ENV } from "../support/cli_io.ts";
import { describePeer, runIn } from "../support/peers.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describePeer("serve on Deno, with a journal in a database", "Deno", (deno) => {
  it("names the package that cannot be loaded, and how to get it, with exit code 1", async () => {
    const folder = mkdtempSync(join(tmpdir(), "deno-dir-"));
    try {
      const env = { ...process.env as Record<string, string>, ...ENV, DENO_DIR: folder, NO_COLOR: "1" };
      const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));
      const flags = ["run", "-A", "--no-check", "--no-lock", "--cached-only"];
      const serve = ["serve", "--behind-proxy", "--port", "0", "--journal", "redis://:hidden@localhost"];
      const { status, text, errors } = await runIn({ cwd: folder, env }, [...deno, ...flags, program], ...serve);
      assertEquals([status, text], [1, ""], errors);
      assertStringIncludes(errors, "Cannot load npm:ioredis@6.0.0, which a journal in Redis at localhost:6379 needs");
      assertStringIncludes(errors, 'with "deno cache npm:ioredis@6.0.0" while npm can be reached');
      assert(!errors.includes("hidden"), errors);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("loadPackage", () => {
  it("rejects with the reason of the runtime", async () => {
    const error = await assertRejects(() => loadPackage("Not A Package", "a test"), Error);
    assertStringIncludes(error.message, "Cannot load npm:Not A Package, which a test needs on Deno");
    assert(error.cause !== undefined);
  });

  it("loads the versions that the tests of the journals use", () => {
    const needs = read("tests/support/needs.ts");
    const names = [...read("cli/open_journal.ts").matchAll(/"([a-z]+@\d+\.\d+\.\d+)"/g)].map(([, name]) => name!);
    assert(names.length > 0);
    for (const name of names) assertStringIncludes(needs, `"npm:${name}"`);
  });
});
