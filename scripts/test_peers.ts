/**
 * Plays with other implementations of WebSocket, in both roles: prints a matrix of peers and cases, and fails when an
 * outcome is another than the one that the peer's file in `scripts/peers/` lists.
 *
 *   deno task test:peers                              all peers, our side on Deno and on Bun
 *   deno task test:peers ws aiohttp                   some peers, by name
 *   deno task test:peers --runtime bun --role server  our client on Bun alone, with the servers of peers
 *   deno task test:peers ws --case "20 MiB"           some cases
 *   deno task test:peers ws --verbose                 with durations, and what its programs wrote
 *   deno task test:peers --markdown FILE              writes the matrix as Markdown too
 *
 * Packages of Debian and npm are installed: those of Debian by root only. Exits with 1 after a change, and with 2 if a
 * peer could not be installed, unless `--allow-missing` is given.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { find, howToInstall, type Runtime } from "../tests/support/needs.ts";
import { parseWanted, type Wanted } from "./peer_lane/arguments.ts";
import { type Cell, changes, exitStatus, isLeftOut, versionChange } from "./peer_lane/compare.ts";
import type { Order, Result } from "./peer_lane/driver.ts";
import { install } from "./peer_lane/install.ts";
import { arrange, type PeerResults, toMarkdown, toTerminal } from "./peer_lane/matrix.ts";
import { NOT_PLAYED, OK } from "./peer_lane/outcome.ts";
import type { Peer } from "./peer_lane/peer.ts";
import { killAll, runToEnd } from "./test_process.ts";

/** Time limit of one peer with our side on one runtime, in ms: the limits of all cases together, and some more. */
const PEER_TIMEOUT = 30 * 60_000;

const DRIVER = fileURLToPath(new URL("peer_lane/driver.ts", import.meta.url));
const PEERS = new URL("peers/", import.meta.url);

const wanted = parseWanted(process.argv.slice(2));
const scratch = mkdtempSync(join(tmpdir(), "tackline-peer-lane-"));
process.on("exit", () => {
  killAll();
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

/** Reads the peers' files, in the order of language and name. */
async function loadPeers({ names }: Wanted): Promise<Peer[]> {
  const files = readdirSync(PEERS).filter((name) => name.endsWith(".ts"));
  const all = await Promise.all(files.map(async (name) => (await import(new URL(name, PEERS).href)).PEER as Peer));
  const unknown = names.filter((name) => !all.some((peer) => peer.name.toLowerCase() === name));
  if (unknown.length > 0) throw new Error(`No peer "${unknown.join('", "')}" among ${all.map(({ name }) => name)}`);
  return all.filter((peer) => names.length === 0 || names.includes(peer.name.toLowerCase()))
    .sort((a, b) => a.language.localeCompare(b.language) || a.name.localeCompare(b.name));
}

/** Command of a script on a runtime. */
const COMMANDS: Readonly<Record<Runtime, readonly string[]>> = { Deno: ["run", "-A", "--no-check"], Bun: ["run"] };

/** Plays the cases with one peer; results of cases that did not come to their end are left out. */
async function drive(peer: Peer, folder: string, runtime: Runtime, { roles, cases, verbose }: Wanted): Promise<Cell[]> {
  const results = join(scratch, `${runtime}.json`);
  writeFileSync(results, "");
  const played = roles.filter((role) => peer[role] !== undefined);
  const order: Order = {
    programs: played.map((role) => {
      const { command, waitsFor } = peer[role]!;
      const played = cases.filter((name) => !isLeftOut(peer, role, name));
      return { role, start: { command, folder, waitsFor: waitsFor?.line }, cases: played };
    }),
    verbose,
    results,
  };
  const command = [...find(runtime)!, ...COMMANDS[runtime], DRIVER, JSON.stringify(order)];
  const { status, output } = await runToEnd(command, { PATH: pathWithRuntimes(), NO_COLOR: "1" }, PEER_TIMEOUT);
  if (output !== "") console.error(output.trimEnd());
  if (status !== 0) console.error(`The driver on ${runtime} ended with ${status}`);
  const found: Result[] = readFileSync(results, "utf8").trimEnd().split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return played.flatMap((role) =>
    cases.map((name) => ({
      role,
      case: name,
      runtime,
      outcome: isLeftOut(peer, role, name)
        ? NOT_PLAYED
        : found.find((result) => result.role === role && result.case === name)?.outcome,
    }))
  );
}

/** The path with the folders of Deno and Bun, which programs of peers call by name. */
function pathWithRuntimes(): string {
  const folders = (["Deno", "Bun"] as const).flatMap((runtime) => find(runtime) ?? []).map((path) => dirname(path));
  return [...new Set(folders), process.env.PATH ?? ""].join(delimiter);
}

async function playWith(peer: Peer, runtimes: readonly Runtime[], changed: string[]): Promise<PeerResults> {
  console.log(`${peer.name} ${peer.version} (${peer.language})`);
  const installed = install(peer);
  if ("missing" in installed) {
    console.log(`  missing: ${installed.missing}`);
    return { peer, cells: [], missing: installed.missing };
  }
  const other = versionChange(peer, installed.printed);
  const found = other === undefined ? [] : [other];
  const cells: Cell[] = [];
  for (const runtime of runtimes) {
    const begun = performance.now();
    const own = await drive(peer, installed.folder, runtime, wanted);
    cells.push(...own);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const ok = own.filter(({ outcome }) => outcome === OK).length;
    console.log(`  on ${runtime}: ${ok} of ${own.length} ok, ${seconds} s`);
  }
  found.push(...changes(peer, cells));
  if (found.length > 0) console.log(`  ${found.length} changes`);
  changed.push(...found);
  return { peer, cells };
}

const runtimes = wanted.runtimes.filter((runtime) => {
  const isFound = find(runtime) !== undefined;
  if (!isFound) console.log(`${runtime} is missing: ${howToInstall(runtime)}`);
  return isFound;
});
const results: PeerResults[] = [];
const changed: string[] = [];
for (const peer of await loadPeers(wanted)) results.push(await playWith(peer, runtimes, changed));

const matrix = arrange(results);
console.log(`\n${toTerminal(matrix)}`);
if (wanted.markdown !== undefined) writeFileSync(wanted.markdown, toMarkdown(matrix));
if (changed.length > 0) console.log(`\n${changed.length} changes:\n${changed.map((line) => `- ${line}`).join("\n")}`);
const missing = results.filter(({ missing }) => missing !== undefined).length;
if (missing > 0) console.log(`\n${missing} of ${results.length} peers are missing`);
process.exit(exitStatus(changed.length, missing, wanted.allowMissing));
