/**
 * The fail-over test: two nodes, one per runtime, with a journal in servers that fail over. While 150 notifications a
 * second come, the primary fails, and another server takes its place:
 *
 *   deno task failover                          all engines and cases that this machine has the programs for
 *   deno task failover --engine redis,sentinel  some engines
 *   deno task failover --case kill,cut          some cases, of all these engines
 *   deno task failover --list                   prints the engines and their cases
 *
 * Every notification that got its 200 must reach every named receiver, or `ERR_JOURNAL_LOST` and a gap must name it.
 * Prints a table; exit code 1 if something is missing, came twice against the contract, or took too long. `--verbose`
 * prints the errors too. An engine is a file of `scripts/failover/`; `failover_lane/engine.ts` says what it exports.
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { parseArgs } from "node:util";
import { Simulator } from "../whatsapp/simulator.ts";
import { Balancer } from "../tests/support/balancer.ts";
import { find, howToInstall, type NeedName, type Runtime, runtime } from "../tests/support/needs.ts";
import { type Case, type Clients, type Engine, engineNames, loadEngine } from "./failover_lane/engine.ts";
import { inSeconds, judge, type Outcome } from "./failover_lane/judge.ts";
import { Node, SECRET } from "./failover_lane/node.ts";
import { Receiver } from "./failover_lane/receiver.ts";
import { type Row, toTable } from "./failover_lane/table.ts";
import { PATIENCE, sleep, until } from "./failover_lane/waiting.ts";

const RATE = 150;
/** Time that notifications come before the fault, and at least after it, in ms. */
const BEFORE = 3000;
const AFTER = 5000;
const RUNTIMES: readonly [Runtime, Runtime] = [runtime, runtime === "Deno" ? "Bun" : "Deno"];

const { values } = parseArgs({
  options: {
    engine: { type: "string" },
    case: { type: "string" },
    list: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

/** Runs one case with one pair of clients. */
async function runCase(engine: Engine, engineName: string, name: string, clients: Clients): Promise<Outcome> {
  const rig = await engine.start(name);
  const nodes = RUNTIMES.map((on, at) =>
    new Node(on, engineName, { case: name, client: clients[on], address: rig.addresses[at] })
  );
  const receivers: Receiver[] = [];
  let balancer: Balancer | undefined;
  try {
    const ports = await Promise.all(nodes.map(({ ready }) => ready));
    for (const [at, port] of ports.entries()) {
      for (const kind of ["billing", "support"]) receivers.push(new Receiver(`${kind} ${at + 1}`, port));
    }
    // From its first connection on nothing may be missing.
    await Promise.all(receivers.map(({ known }) => known));
    balancer = await Balancer.listen(ports);
    const chosen = engine.cases[name]!;
    const { accepted, fault } = await sendThrough(balancer.port, () => chosen.fault(rig));
    const complete = (): boolean => receivers.every(({ got }) => [...accepted.keys()].every((one) => got.has(one)));
    // What is missing then is judged.
    await until(complete, "the receivers").catch(() => {});
    const outcome = judge({ accepted, nodes, receivers, longestGap: chosen.longestGap });
    if (fault !== undefined) outcome.faults.push(fault);
    if (values.verbose) printErrors(nodes, receivers);
    return outcome;
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.stop()));
    await Promise.all(nodes.map((node) => node.stop()));
    await balancer?.close();
    await rig.stop();
  }
}

/** Sends notifications before the fault, while it lasts, and after it. */
async function sendThrough(
  port: number,
  fault: () => Promise<void>,
): Promise<{ accepted: Map<string, number>; fault: string | undefined }> {
  const accepted = new Map<string, number>();
  const done = new AbortController();
  const simulator = new Simulator({
    url: `http://127.0.0.1:${port}/whatsapp`,
    appSecret: SECRET,
    rate: RATE,
    count: 1_000_000,
    // More than come while nothing is kept: the longest gap must not be that of the retries, which pause for up to 5 s.
    concurrency: 4096,
    retryFor: PATIENCE,
    requestTimeout: 5000,
    onAccepted: ({ json }) => void accepted.set(createHash("sha256").update(json).digest("hex"), performance.now()),
    signal: done.signal,
  });
  const running = simulator.run();
  try {
    await sleep(BEFORE);
    await fault();
    const before = accepted.size;
    const again = until(() => accepted.size > before + RATE, "notifications that get a 200 again");
    const failure = await again.then(() => undefined, ({ message }: Error) => message);
    await sleep(AFTER);
    return { accepted, fault: failure };
  } finally {
    done.abort();
    await running;
  }
}

function printErrors(nodes: readonly Node[], receivers: readonly Receiver[]): void {
  for (const { name, errors } of nodes) {
    for (const { code, message } of errors.slice(0, 40)) console.log(`  ${name}: ${code} ${message}`);
  }
  for (const { name, errors, gaps } of receivers) console.log(`  ${name}`, gaps, errors.slice(0, 10));
}

/** Programs and packages that are missing for an engine, on either runtime. */
function missingFor({ needs }: Engine): NeedName[] {
  return needs.filter((need) => RUNTIMES.some((on) => find(need, on) === undefined));
}

/** Engines to run, by name; one that lacks something is skipped, unless it was asked for. */
async function chooseEngines(): Promise<Map<string, Engine>> {
  const all = engineNames();
  const wanted = values.engine?.split(",") ?? all;
  const chosen = new Map<string, Engine>();
  for (const name of wanted) {
    if (!all.includes(name)) throw new Error(`There is no engine "${name}": ${all.join(", ")}`);
    const engine = await loadEngine(name);
    const missing = values.list ? [] : missingFor(engine);
    if (missing.length === 0) chosen.set(name, engine);
    for (const need of missing) console.log(`${name}: skipped, ${need} is missing: ${howToInstall(need)}`);
    if (missing.length > 0 && (values.engine !== undefined || process.env.REQUIRE_PEERS === "1")) {
      throw new Error(`${missing.join(", ")} must be there for the engine "${name}"`);
    }
  }
  return chosen;
}

/** Names of the cases to run of an engine. */
function chooseCases(engines: ReadonlyMap<string, Engine>): Map<string, string[]> {
  const all = new Set([...engines.values()].flatMap(({ cases }) => Object.keys(cases)));
  const wanted = values.case?.split(",") ?? [...all];
  for (const name of wanted) {
    if (!all.has(name)) throw new Error(`There is no case "${name}": ${[...all].join(", ")}`);
  }
  const casesOf = ({ cases }: Engine): string[] => Object.keys(cases).filter((name) => wanted.includes(name));
  return new Map([...engines].map(([name, engine]) => [name, casesOf(engine)]));
}

function list(engines: ReadonlyMap<string, Engine>, cases: ReadonlyMap<string, string[]>): void {
  for (const [name, engine] of engines) {
    for (const one of cases.get(name)!) console.log(`${name} ${one}: ${engine.cases[one]!.text}`);
  }
}

function print({ engine, name, clients, outcome }: Row, { longestGap }: Case, took: number): void {
  const { accepted, lost, told, twice, gap, faults } = outcome;
  const numbers = `${accepted} got a 200, ${lost} lost (${told} told), ${twice} twice`;
  const times = `longest gap ${inSeconds(gap)} of ${inSeconds(longestGap)} s; took ${inSeconds(took)} s`;
  console.log(`${engine} ${name} (Deno with ${clients.Deno}, Bun with ${clients.Bun}): ${numbers}, ${times}`);
  for (const fault of faults) console.log(`  FAILED: ${fault}`);
}

async function run(engines: ReadonlyMap<string, Engine>, cases: ReadonlyMap<string, string[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, engine] of engines) {
    for (const one of cases.get(name)!) {
      for (const clients of engine.cases[one]!.clients) {
        const begun = performance.now();
        const row = { engine: name, name: one, clients, outcome: await runCase(engine, name, one, clients) };
        print(row, engine.cases[one]!, performance.now() - begun);
        rows.push(row);
      }
    }
  }
  return rows;
}

async function main(): Promise<number> {
  let engines;
  let cases;
  try {
    engines = await chooseEngines();
    cases = chooseCases(engines);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  if (values.list) list(engines, cases);
  if (values.list) return 0;
  const rows = await run(engines, cases);
  const failed = rows.length === 0 || rows.some(({ outcome }) => outcome.faults.length > 0);
  console.log(`\n${toTable(rows)}\n`);
  const well = "Every notification that got a 200 reached every named receiver, or was told to be gone.";
  console.log(failed ? "FAILED" : well);
  return failed ? 1 : 0;
}

process.exit(await main());
