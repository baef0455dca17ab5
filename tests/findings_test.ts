/** The scripts of `findings/`: those that comments and documents name exist, and each tells what it shows. */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readdirSync, readFileSync, statSync } from "node:fs";

const SCRIPTS = new Set(readdirSync("findings"));
/** What the head of a script says, in this order. */
const PARTS = [/^# Versions?: /m, /^# (Expected|Guess)/m, /^# Seen/m, /^# What follows from it: /m];

/** The files that may name a script: sources, documents and the peers of the lane. */
function* textFiles(folder = "."): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.startsWith(".") || ["node_modules", "artifacts", "findings"].includes(entry.name)) continue;
    // Tests of scripts make names up.
    if (path === "tests/scripts") continue;
    if (entry.isDirectory()) yield* textFiles(path);
    else if (/\.(ts|md)$/.test(path)) yield path;
  }
}

describe("findings", () => {
  it("exist where comments and documents name them", () => {
    const missing: string[] = [];
    let named = 0;
    for (const path of textFiles()) {
      for (const [, name] of readFileSync(path, "utf8").matchAll(/findings\/(\w+\.sh)/g)) {
        named++;
        if (!SCRIPTS.has(name!)) missing.push(`${path}: findings/${name}`);
      }
    }
    assertEquals(missing, []);
    assert(named > 20, `only ${named} names were found`);
  });

  for (const name of SCRIPTS) {
    it(`${name} can be run, and tells version, expectation, what is seen and what follows`, () => {
      const text = readFileSync(`findings/${name}`, "utf8");
      assert(text.startsWith("#!/usr/bin/env bash\n# "));
      assert((statSync(`findings/${name}`).mode & 0o111) !== 0, "it is not executable");
      const places = PARTS.map((part) => text.search(part));
      assert(places.every((place, index) => place > (places[index - 1] ?? 0)), `its parts are at ${places}`);
      assert(text.includes("exit 1"), "it never fails");
    });
  }
});
