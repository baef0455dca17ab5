/**
 * Webhook intake with each journal, in one run: memory, SQLite, Redis, PostgreSQL, on Deno and Bun, over the clients
 * that programs have. They run in turn, each time with a new server, a new database and an empty journal; the ratios
 * and differences within a round count.
 *
 *   deno run -A bench/journals.ts [--connections 1,16,64] [--loads 0,3,appends] [--runtimes Deno,Bun] [--pairs 3]
 *     [--seconds 2] [--cases memory,redis-always/npm:ioredis,postgres] [--database-cores 0,1] [--folder FOLDER]
 *     [--record FILE]
 *   deno run -A bench/journals.ts --report FILE
 *
 * A load is the number of receivers of a server that gets signed notifications, or `appends`: the journal alone. A case
 * is chosen by the beginning of its name. A round takes some 4 s for each case. `--record` adds the figures to a file,
 * so that a machine need not be free for a long time; `--report` prints the tables of all rounds in it, in Markdown.
 *
 * Cores: the webhook server has core 0, the load generator (`intake.c`) core 1. The processes of Redis and PostgreSQL
 * may use both, so that they take from what is left, or those of `--database-cores`. Needs Linux, a C compiler, Redis
 * and PostgreSQL. `--folder` is where all data lie: not on a tmpfs, where a sync costs nothing.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { find, FOUND_VARIABLE, type NeedName, type Runtime } from "../tests/support/needs.ts";
import { PostgresServer } from "../tests/support/postgres.ts";
import { RedisServer } from "../tests/support/redis.ts";
import { here, measure, median, PATH, prepareLoad, RECEIVERS, type Result, run, SECRET, spread } from "./intake_run.ts";

/** Where a journal is kept, for one run. */
interface Place {
  address: string;
  stop(): Promise<void>;
}

/** A journal, and the clients that reach it. */
interface Kind {
  /** First argument of `peers/journal_server.ts`. */
  kind: string;
  /** Title in the tables. */
  title: string;
  clients: Readonly<Record<Runtime, readonly string[]>>;
  start(folder: string): Promise<Place>;
}

/** One journal over one client. */
interface Case {
  name: string;
  client: string;
  journal: Kind;
}

/** One run, as a line of the file of `--record`. */
interface Recorded {
  round: string;
  runtime: Runtime;
  connections: number;
  load: string;
  name: string;
  result: Result;
}

/** What is the same for all cases that are compared. */
interface Setting {
  runtime: Runtime;
  connections: number;
  load: string;
  folder: string;
  seconds: number;
}

/** The load that appends to the journal alone. */
const APPENDS = "appends";
const RUNTIMES: readonly Runtime[] = ["Deno", "Bun"];
const WITHOUT_CLIENT: Kind["clients"] = { Deno: [""], Bun: [""] };
const REDIS_CLIENTS: Kind["clients"] = {
  Deno: ["npm:ioredis", "npm:redis"],
  Bun: ["npm:ioredis", "npm:redis", "Bun.RedisClient"],
};

function redisKind(sync: string): Kind {
  return {
    kind: "redis",
    title: `Redis, \`appendfsync ${sync}\``,
    clients: REDIS_CLIENTS,
    async start() {
      const redis = await RedisServer.start(["--appendonly", "yes", "--appendfsync", sync]);
      return { address: redis.url, stop: () => redis.stop() };
    },
  };
}

const JOURNALS: Readonly<Record<string, Kind>> = {
  memory: {
    kind: "memory",
    title: "memory",
    clients: WITHOUT_CLIENT,
    start: () => Promise.resolve({ address: "", stop: () => Promise.resolve() }),
  },
  sqlite: {
    kind: "sqlite",
    title: "SQLite",
    clients: WITHOUT_CLIENT,
    async start(folder) {
      const journals = await Deno.makeTempDir({ dir: folder });
      return { address: `${journals}/journal.db`, stop: () => Deno.remove(journals, { recursive: true }) };
    },
  },
  "redis-everysec": redisKind("everysec"),
  "redis-always": redisKind("always"),
  postgres: {
    kind: "postgres",
    title: "PostgreSQL",
    clients: { Deno: ["npm:postgres", "npm:pg Pool"], Bun: ["npm:postgres", "npm:pg Pool", "Bun.sql"] },
    async start() {
      const server = await PostgresServer.start();
      return { address: server.url, stop: () => server.stop() };
    },
  },
};
const NEEDS: readonly NeedName[] = ["npm:redis@6.3.1", "npm:ioredis@6.0.0", "npm:pg@8.23.1", "npm:postgres@3.4.9"];
/** Least ratio of PostgreSQL to Redis that syncs each write, at these numbers of connections. */
const GOAL = 1.3;
const GOAL_CONNECTIONS = [16, 64];
/** Most time that PostgreSQL may add to a 200 at the median, in ms. */
const GOAL_ADDED = 2;

/** Command-line options. */
export interface JournalsOptions {
  /** Kept-alive connections, one request in flight on each. */
  connections: readonly number[];
  /** Numbers of receivers that get everything; `appends`: no server, the journal alone. */
  loads: readonly string[];
  runtimes: readonly Runtime[];
  /** Measured duration of each run, in s. */
  seconds: number;
  /** Number of rounds. */
  pairs: number;
  /** Beginnings of names; empty for all cases. */
  cases: readonly string[];
  /** Cores of the processes of Redis and PostgreSQL, as `taskset` takes them. */
  databaseCores: string;
  /** Folder of all data. */
  folder: string;
}

function casesOf(runtime: Runtime, wanted: readonly string[]): Case[] {
  const all = Object.entries(JOURNALS).flatMap(([name, journal]) =>
    journal.clients[runtime].map((client) => ({ name: client === "" ? name : `${name}/${client}`, client, journal }))
  );
  return all.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.startsWith(part)));
}

/** Measures a case once. */
async function measureCase(
  { journal, client }: Case,
  address: string,
  { runtime, connections, load, folder, seconds }: Setting,
): Promise<Result> {
  const program = [...find(runtime)!, ...runtime === "Deno" ? ["run", "-A", "--no-check"] : []];
  // Handed down, so that it does not look itself.
  const found = NEEDS.map((need) => [need, find(need, runtime) ?? null]);
  const env = { [FOUND_VARIABLE]: JSON.stringify(Object.fromEntries(found)) };
  const target = [journal.kind, client, address];
  if (load === APPENDS) {
    const args = [here("peers/journal_appends.ts"), ...target, String(connections), String(seconds)];
    return JSON.parse(await run("taskset", ["-c", "0", ...program, ...args], env));
  }
  const command = [...program, here("peers/journal_server.ts"), ...target, SECRET, PATH];
  return await measure({ command, protocol: "inbox", receivers: Number(load), env }, connections, seconds, folder);
}

/**
 * Runs the rounds.
 *
 * @param options What to run.
 * @param done Called after each run.
 */
export async function compareJournals(options: JournalsOptions, done: (run: Recorded) => void): Promise<void> {
  const { seconds, pairs } = options;
  const folder = await Deno.makeTempDir({ dir: options.folder });
  // The user of PostgreSQL enters it too.
  await Deno.chmod(folder, 0o777);
  Deno.env.set("TMPDIR", folder);
  const begun = Date.now();
  try {
    // Its children have the same cores, unless they are given others.
    await run("taskset", ["-acp", options.databaseCores, String(Deno.pid)]);
    await prepareLoad(folder, seconds);
    for (let pair = 0; pair < pairs; pair++) {
      for (const load of options.loads) {
        for (const connections of options.connections) {
          for (const runtime of options.runtimes) {
            const chosen = casesOf(runtime, options.cases).filter(({ name }) => load !== APPENDS || name !== "memory");
            // Forwards and backwards, so that a drift of the machine hits all alike.
            for (const one of pair % 2 === 0 ? chosen : chosen.reverse()) {
              const place = await one.journal.start(folder);
              try {
                const result = await measureCase(one, place.address, { runtime, connections, load, folder, seconds });
                done({ round: `${begun} ${pair}`, runtime, connections, load, name: one.name, result });
              } finally {
                await place.stop();
              }
            }
          }
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

// ---- Report ------------------------------------------------------------------------------------------------------

const HEAD = [
  ...["journal", "client", "a second", "p50, ms", "p99, ms", "more than memory, ms", "processor time each, µs"],
  "of Redis `always`",
];

/**
 * Prints the tables.
 *
 * @param runs All runs.
 */
export function report(runs: readonly Recorded[]): void {
  const groups = Map.groupBy(runs, titleOf);
  for (const [title, group] of groups) {
    console.log(`\n### ${title}\n`);
    console.log(`| ${HEAD.join(" | ")} |\n|${" --- |".repeat(HEAD.length)}`);
    const { runtime, connections } = group[0]!;
    for (const { name, client, journal } of casesOf(runtime, [])) {
      const own = group.filter((run) => run.name === name);
      if (own.length === 0) continue;
      const added = compareIn(group, own, "memory", (one, other) => one.p50 - other.p50);
      const ratios = compareIn(group, own, "redis-always", (one, other) => one.perSecond / other.perSecond);
      const figures = own.map(({ result }) => result);
      const columns = [
        journal.title,
        client,
        spread(figures.map(({ perSecond }) => perSecond), 0) + (isLimited(figures) ? " †" : ""),
        spread(figures.map(({ p50 }) => p50), 2),
        spread(figures.map(({ p99 }) => p99), 2),
        show(added, 2),
        spread(figures.map(({ cpu }) => cpu), 0),
        show(ratios, 2) + verdict(journal.kind, connections, added, ratios),
      ];
      console.log(`| ${columns.join(" | ")} |`);
    }
  }
}

function titleOf({ runtime, connections, load }: Recorded): string {
  if (load === APPENDS) return `The journal alone on ${runtime}, ${connections} appends in flight`;
  return `Intake on ${runtime}, ${connections} connections, ${load === "0" ? "no" : load} receivers`;
}

/** `true` if the load generator may have been the limit. */
function isLimited(figures: readonly Result[]): boolean {
  return median(figures.map(({ busy }) => busy)) > 0.95;
}

function show(list: number[], digits: number): string {
  return list.length === 0 ? "" : spread(list, digits);
}

function verdict(kind: string, connections: number, added: number[], ratios: number[]): string {
  if (kind !== "postgres") return "";
  const misses = [
    ...GOAL_CONNECTIONS.includes(connections) && ratios.length > 0 && median(ratios) < GOAL ? [`ratio ${GOAL}`] : [],
    ...added.length > 0 && median(added) >= GOAL_ADDED ? [`${GOAL_ADDED} ms`] : [],
  ];
  return misses.length === 0 ? "" : ` MISSED: ${misses.join(", ")}`;
}

/** Compares runs with the fastest one of another journal in the same round. */
function compareIn(
  group: readonly Recorded[],
  own: readonly Recorded[],
  journal: string,
  compare: (one: Result, other: Result) => number,
): number[] {
  return own.filter(({ name }) => !name.startsWith(journal)).flatMap(({ round, result }) => {
    const others = group.filter((run) => run.round === round && run.name.startsWith(journal));
    others.sort((one, other) => other.result.perSecond - one.result.perSecond);
    return others.length === 0 ? [] : [compare(result, others[0]!.result)];
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1,16,64" },
      loads: { type: "string", default: `0,${RECEIVERS},${APPENDS}` },
      runtimes: { type: "string", default: RUNTIMES.join() },
      seconds: { type: "string", default: "2" },
      pairs: { type: "string", default: "3" },
      cases: { type: "string", default: "" },
      "database-cores": { type: "string", default: "0,1" },
      folder: { type: "string", default: Deno.cwd() },
      record: { type: "string" },
      report: { type: "string" },
    },
  });
  const runs: Recorded[] = [];
  if (values.report === undefined) {
    await compareJournals({
      connections: values.connections.split(",").map(Number),
      loads: values.loads.split(","),
      runtimes: RUNTIMES.filter((runtime) => values.runtimes.split(",").includes(runtime)),
      seconds: Number(values.seconds),
      pairs: Number(values.pairs),
      cases: values.cases.split(",").filter((part) => part !== ""),
      databaseCores: values["database-cores"],
      folder: values.folder,
    }, (run) => {
      runs.push(run);
      const { perSecond, p50, p99, cpu } = run.result;
      const figures = `${perSecond.toFixed(0)} a second, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
      console.log(`${run.runtime}, ${run.load}, ${run.connections}: ${run.name}: ${figures}, ${cpu.toFixed(0)} µs`);
      if (values.record) Deno.writeTextFileSync(values.record, `${JSON.stringify(run)}\n`, { append: true });
    });
  } else {
    const lines = Deno.readTextFileSync(values.report).split("\n").filter((line) => line !== "");
    runs.push(...lines.map((line) => JSON.parse(line)));
  }
  report(runs);
}
