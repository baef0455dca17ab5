/**
 * Checks that the doc comments of public classes and interfaces list what they inherit, since their pages in
 * `deno doc --html` and on JSR show own members only:
 *
 *   deno task api           fails with the names whose list is out of date
 *   deno task api --write   writes the lists
 *
 * scripts/inherited_docs.ts makes them. It needs `deno doc`, so it runs on Deno only.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type ApiDoc, insertBlock, makeBlocks } from "./inherited_docs.ts";

/** Largest output of `deno doc`, in bytes. */
const DOC_SIZE = 1 << 28;

const { values } = parseArgs({ options: { write: { type: "boolean" } } });
const modules = Object.values<string>(JSON.parse(readFileSync("deno.json", "utf8")).exports);
const doc: ApiDoc = JSON.parse(
  execFileSync(process.execPath, ["doc", "--json", ...modules], { encoding: "utf8", maxBuffer: DOC_SIZE }),
);

const outdated: string[] = [];
for (const block of makeBlocks(doc)) {
  const path = fileURLToPath(block.file);
  const source = readFileSync(path, "utf8");
  const mended = insertBlock(source, block);
  if (mended === source) continue;
  if (values.write) writeFileSync(path, mended);
  outdated.push(block.name);
}
const fault = "does not list what it inherits as the sources have it now: deno task api --write";
for (const name of outdated) console.log(values.write ? `${name} written` : `${name} ${fault}`);
process.exitCode = outdated.length === 0 || values.write ? 0 : 1;
