/**
 * Checks the public surface, all that the entries of deno.json export, against the list in docs/surface.txt, so that a
 * change is seen in review:
 *
 *   deno task surface           fails with the names and members that differ
 *   deno task surface --write   writes the list
 *
 * It fails too for a member marked `@internal`, for too many names in mod.ts (scripts/surface.ts has the limit), and
 * for a signature with a type that no entry exports: `deno task doc` takes all files for entries, and so finds that in
 * mod.ts only. It needs `deno doc`, so it runs on Deno only.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { checkSurface, countNames, diffSurface, type Doc, formatSurface, readSurface } from "./surface.ts";

const LIST = "docs/surface.txt";
/** Largest output of `deno doc`, in bytes. */
const DOC_SIZE = 1 << 28;

const { values } = parseArgs({ options: { write: { type: "boolean" } } });
const modules = Object.entries<string>(JSON.parse(readFileSync("deno.json", "utf8")).exports);
const entries = new Map(modules.map(([entry, path]) => [entry, pathToFileURL(resolve(path)).href]));
const files = modules.map(([, path]) => path);
const output = execFileSync(process.execPath, ["doc", "--json", ...files], {
  encoding: "utf8",
  maxBuffer: DOC_SIZE,
});
const surface = readSurface(JSON.parse(output) as Doc, entries);
const list = formatSurface(surface);
if (values.write) writeFileSync(LIST, list);

const difference = diffSurface(existsSync(LIST) ? readFileSync(LIST, "utf8") : "", list);
for (const line of difference) console.log(line);
if (difference.length > 0) console.log(`${LIST} differs from the code; if that is intended: deno task surface --write`);
const problems = checkSurface(surface);
for (const problem of problems) console.log(problem);
console.log([...surface].map(([entry, names]) => `${entry} ${countNames(names)}`).join(", "));
const { status } = spawnSync(process.execPath, ["doc", "--lint", ...files], { stdio: "inherit" });
process.exitCode = difference.length + problems.length === 0 && status === 0 ? 0 : 1;
