/**
 * Checks the layout: imports go downwards by the table of rooms, there are no cycles, only entries re-export, runtimes
 * are named in their transports, nothing that a page reaches needs `node:`, and each module has a test of its own
 * name or a reason.
 *
 *   deno task layers           fails with a line for each place that breaks a rule
 *   deno task layers --rooms   prints the rooms, their purpose, and what they may import
 *
 * The rules are in scripts/layer_rules.ts, reasons in scripts/tested_elsewhere.ts.
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { checkLayers, ROOMS } from "./layer_rules.ts";
import { TESTED_ELSEWHERE } from "./tested_elsewhere.ts";

if (process.argv.includes("--rooms")) printRooms();
else check();

function check(): void {
  const paths = listSources("");
  const { exports } = JSON.parse(readFileSync("deno.json", "utf8"));
  const violations = checkLayers({
    files: new Map(paths.map((path) => [path, readFileSync(path, "utf8")])),
    entries: new Set(Object.values<string>(exports).map((path) => path.slice(2))),
    testedElsewhere: TESTED_ELSEWHERE,
  });
  for (const { place, message } of violations) console.log(`${place} ${message}`);
  console.log(`${paths.length} files, ${Object.keys(ROOMS).length} rooms, ${violations.length} places break a rule`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

function listSources(folder: string): string[] {
  return readdirSync(folder || ".", { withFileTypes: true }).flatMap((entry) => {
    const path = folder + entry.name;
    if (entry.name.startsWith(".") || ["node_modules", "artifacts", "coverage", "tests/std"].includes(path)) return [];
    if (entry.isDirectory()) return listSources(`${path}/`);
    return /\.[cm]?[jt]sx?$/.test(path) ? [path] : [];
  }).sort();
}

function printRooms(): void {
  for (const [name, { purpose, imports }] of Object.entries(ROOMS)) {
    console.log(`${name.padEnd(10)}  ${purpose}\n${"".padEnd(10)}  imports ${imports.join(", ") || "nothing"}`);
  }
}
