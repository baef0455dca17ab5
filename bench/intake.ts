/**
 * Webhook intake side by side: our `WhatsAppServer` and one written by hand (`peers/webhook.ts`), on Deno and Bun, with
 * a journal on disk and three receivers. They run in turn, each time with a new process and a new journal, on one core,
 * the load generator (`intake.c`) on another; the ratios of neighbouring runs count.
 *
 * deno run -A bench/intake.ts [--connections 1,16,64] [--seconds 3] [--pairs 5] [--servers "ours on Deno,by hand on
 * Deno"] [--json]
 *
 * Needs Linux and a C compiler. `--folder` is where the journals lie: not on a tmpfs, where a sync costs nothing.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  here,
  measure as measureServer,
  median,
  PATH,
  prepareLoad,
  RECEIVERS,
  type Result,
  run,
  SECRET,
  spread,
} from "./intake_run.ts";

/** Command-line options. */
export interface IntakeOptions {
  /** Kept-alive connections, one request in flight on each: a case for each number. */
  connections: readonly number[];
  /** Measured duration of each run, in s. */
  seconds: number;
  /** Number of runs of each server in each case. */
  pairs: number;
  /** The path of Bun. */
  bun: string;
  /** Folder of the journals. */
  folder: string;
  /** Names of the servers to run; empty for all. */
  servers?: readonly string[];
  /** Print each run as JSON too. */
  json?: boolean;
}

/**
 * Runs the benchmark, and prints a table for each number of connections.
 *
 * @param options What to run.
 */
export async function compareIntake(options: IntakeOptions): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: options.folder });
  try {
    await prepareLoad(folder, options.seconds);
    for (const connections of options.connections) await compare(connections, options, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** One run, with a new process and a new journal. */
async function measure(command: string[], connections: number, seconds: number, folder: string): Promise<Result> {
  const journals = await Deno.makeTempDir({ dir: folder });
  const protocol = command.at(-1) === "ours" ? "inbox" : "plain";
  const whole = [...command, `${journals}/journal.db`, SECRET, PATH];
  try {
    return await measureServer({ command: whole, protocol }, connections, seconds, folder);
  } finally {
    await Deno.remove(journals, { recursive: true });
  }
}

async function compare(connections: number, options: IntakeOptions, folder: string): Promise<void> {
  const deno = [Deno.execPath(), "run", "-A", "--no-check", here("peers/webhook.ts")];
  const commands: [name: string, command: string[]][] = [
    ["ours on Deno", [...deno, "ours"]],
    ["by hand on Deno", [...deno, "hand"]],
    ["ours on Bun", [options.bun, here("peers/webhook.ts"), "ours"]],
    ["by hand on Bun", [options.bun, here("peers/webhook.ts"), "hand"]],
  ];
  const chosen = commands.filter(([name]) => !options.servers?.length || options.servers.includes(name));
  const results = new Map<string, Result[]>(chosen.map(([name]) => [name, []]));
  for (let pair = 0; pair < options.pairs; pair++) {
    for (const [name, command] of chosen) {
      const result = await measure(command, connections, options.seconds, folder);
      results.get(name)!.push(result);
      if (options.json) console.log(name, JSON.stringify(result));
    }
  }
  console.log(`\n## Intake, ${connections} connections, ${RECEIVERS} receivers\n`);
  console.log("| server | a second | p50, ms | p99, ms | processor time each, µs | against by hand |");
  console.log(`|${" --- |".repeat(6)}`);
  for (const [name, list] of results) {
    const limited = median(list.map(({ busy }) => busy)) > 0.95 ? " †" : "";
    const peers = name.startsWith("ours") ? results.get(name.replace("ours", "by hand")) : undefined;
    const ratios = peers?.map(({ perSecond }, index) => list[index]!.perSecond / perSecond) ?? [];
    const columns = [
      name,
      spread(list.map(({ perSecond }) => perSecond), 0) + limited,
      ...[spread(list.map(({ p50 }) => p50), 2), spread(list.map(({ p99 }) => p99), 2)],
      spread(list.map(({ cpu }) => cpu), 0),
      ratios.length > 0 ? spread(ratios, 2) : "",
    ];
    console.log(`| ${columns.join(" | ")} |`);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1,16,64" },
      seconds: { type: "string", default: "3" },
      pairs: { type: "string", default: "5" },
      bun: { type: "string" },
      folder: { type: "string", default: Deno.cwd() },
      servers: { type: "string", default: "" },
      json: { type: "boolean", default: false },
    },
  });
  await compareIntake({
    connections: values.connections.split(",").map(Number),
    seconds: Number(values.seconds),
    pairs: Number(values.pairs),
    // Bun itself, not what starts it: that is to be pinned, and to be ended.
    bun: values.bun ?? await run("bun", ["-e", "console.log(process.execPath)"]),
    folder: values.folder,
    servers: values.servers.split(",").filter((name) => name !== ""),
    json: values.json,
  });
}
