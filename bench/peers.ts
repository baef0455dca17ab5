/**
 * Servers side by side, ours and its peers: round trips, handlers that work, broadcasts, TLS, webhooks, memory. All are
 * driven in turn by one load generator, which has a core of its own, as the server has; the ratios of neighbouring runs
 * count.
 *
 * deno task bench:peers [echo] [work] [fanout] [deflate] [tls] [intake] [memory] [--seconds 2] [--pairs 5] [--generator
 * PROGRAM] [--folder .]
 *
 * Needs Linux, a C compiler for the generator (`load.c`; with TLS, OpenSSL's headers), Node and npm for `ws`. Another
 * generator with the arguments of `wsload` can be given, to check ours against.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { compareIntake } from "./intake.ts";

const WS = "8.23.0";
const BUN = "1.4.5";
const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    pairs: { type: "string", default: "5" },
    generator: { type: "string" },
    /** Folder of the webhook servers' journals, on a disk. */
    folder: { type: "string", default: "." },
  },
  allowPositionals: true,
});
const SECONDS = Number(values.seconds);
const PAIRS = Number(values.pairs);
const folder = await Deno.makeTempDir();
const here = (file: string): string => decodeURIComponent(new URL(file, import.meta.url).pathname);
const CERTIFICATE = [here("../tests/tls/leaf.pem"), here("../tests/tls/leaf.key")];

// ---- Programs ----------------------------------------------------------------------------------------------------

async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, env }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** Bun itself, not what starts it: that is to be pinned, and to be ended. */
async function findBun(): Promise<string> {
  for (const [program, ...args] of [["bun"], ["npx", "-y", `bun@${BUN}`]]) {
    const path = await run(program!, [...args, "-e", "console.log(process.execPath)"]).catch(() => "");
    if (path !== "") return path;
  }
  throw new Error("Bun was not found, neither on the path nor by npx");
}

async function buildGenerator(): Promise<void> {
  const common = ["-O2", "-o", `${folder}/load`, here("load.c")];
  await run("cc", ["-DTLS", ...common, "-lssl", "-lcrypto"]).catch(() => {
    console.log("No OpenSSL to build with: without TLS.");
    positionals.splice(0, Infinity, ...chosen().filter((name) => name !== "tls"));
    return run("cc", common);
  });
}

const SECTIONS = ["echo", "work", "fanout", "deflate", "tls", "intake", "memory"];
function chosen(): string[] {
  return positionals.length === 0 ? SECTIONS : positionals;
}

const bun = await findBun();
await buildGenerator();
await run("npm", ["install", "--silent", "--prefix", folder, `ws@${WS}`]);

const onDeno = [Deno.execPath(), "run", "-A", "--no-check", here("peers/server.ts")];
const onBun = [bun, here("peers/server.ts")];
const SERVERS: Record<string, string[]> = {
  "ours on Deno": [...onDeno, "ours"],
  "Deno": [...onDeno, "native"],
  "ours on Bun": [...onBun, "ours"],
  "Bun": [...onBun, "native"],
  "ws on Node": ["node", here("peers/ws.cjs")],
};
/** Cases to compare. */
const RATIOS: [ours: string, peer: string][] = [
  ["ours on Deno", "Deno"],
  ["ours on Bun", "Bun"],
  ["ours on Deno", "ws on Node"],
  ["ours on Bun", "ws on Node"],
];

interface Server {
  port: number;
  child: Deno.ChildProcess;
}

async function start(name: string, mode: string, ...more: string[]): Promise<Server> {
  const args = ["-c", "0", ...SERVERS[name]!, mode, ...CERTIFICATE, ...more];
  const child = new Deno.Command("taskset", { args, stdout: "piped", env: { NODE_PATH: `${folder}/node_modules` } })
    .spawn();
  const { value } = await child.stdout.getReader().read();
  return { port: Number(new TextDecoder().decode(value)), child };
}

async function stop(servers: Iterable<Server>): Promise<void> {
  for (const { child } of servers) {
    child.kill("SIGKILL");
    await child.status;
  }
}

// ---- Round trips and broadcasts ----------------------------------------------------------------------------------

interface Case {
  connections: number;
  bytes: number;
  depth: number;
  /** Connections beside them that keep one small message in flight, and that send nothing. */
  light?: number;
  idle?: number;
}

interface Result {
  perSecond: number;
  /** The share of the time in which the generator was busy. */
  busy: number;
  /** Of the light connections: messages a second, and how long one took, in ms. */
  light?: { perSecond: number; p50: number; p99: number };
}

async function drive(mode: string, port: number, each: Case): Promise<Result> {
  const { connections, bytes, depth, light = 0, idle = 0 } = each;
  const args = [String(connections), String(bytes), String(depth), String(SECONDS)];
  if (values.generator !== undefined) {
    const output = await run("taskset", ["-c", "1", values.generator, mode, String(port), "/", ...args]);
    return { perSecond: JSON.parse(output).per_second, busy: 0 };
  }
  const action = mode === "fanout" || mode === "deflate" ? "fanout" : mode === "work" ? "work" : "echo";
  const flags = [`light=${light}`, `idle=${idle}`, ...(mode === "tls" || mode === "deflate" ? [mode] : [])];
  return JSON.parse(await run("taskset", ["-c", "1", `${folder}/load`, action, String(port), ...args, ...flags]));
}

async function compare(mode: string, title: string, cases: Case[], left: string[] = []): Promise<void> {
  const names = Object.keys(SERVERS).filter((name) => !left.includes(name));
  const ratios = RATIOS.filter((pair) => pair.every((name) => names.includes(name)));
  console.log(`\n## ${title}\n`);
  const columns = [
    "connections × bytes, depth",
    ...ratios.map(([ours, peer]) => `${ours} / ${peer}`),
    ...names.map((name) => `${name}, per second`),
  ];
  console.log(`| ${columns.join(" | ")} |\n|${" --- |".repeat(columns.length)}`);
  const servers = new Map<string, Server>();
  for (const name of names) servers.set(name, await start(name, mode));
  for (const each of cases) {
    const results = new Map(names.map((name) => [name, [] as Result[]]));
    for (let pair = 0; pair < PAIRS; pair++) {
      for (const name of names) results.get(name)!.push(await drive(mode, servers.get(name)!.port, each));
    }
    console.log(`| ${
      [
        `${each.connections} × ${each.bytes}, ${each.depth}${each.idle ? ` beside ${each.idle} idle` : ""}`,
        ...ratios.map(([ours, peer]) => ratio(results.get(ours)!, results.get(peer)!)),
        ...names.map((name) => rate(results.get(name)!)),
      ].join(" | ")
    } |`);
  }
  await stop(servers.values());
}

// ---- Handlers that work ------------------------------------------------------------------------------------------

/** Processor time of a handler, in ms. */
const WORK = [0.05, 0.3, 2];
const WORKING: Case = { connections: 8, bytes: 16, depth: 1, light: 4 };

/** Heavy connections, on whose messages the handler works, beside light ones. */
async function compareWork(): Promise<void> {
  console.log(`\n## ${WORKING.connections} connections whose handler works, beside ${WORKING.light} light ones\n`);
  console.log("| runtime, ms a message | ours / native | heavy, per second | light, per second | p50, ms | p99, ms |");
  console.log(`|${" --- |".repeat(6)}`);
  for (const [ours, native] of RATIOS.slice(0, 2)) {
    for (const ms of WORK) {
      const names = [ours, native];
      const servers = await Promise.all(names.map((name) => start(name, "work", String(ms))));
      const results: Result[][] = [[], []];
      for (let pair = 0; pair < PAIRS; pair++) {
        for (const [index, { port }] of servers.entries()) results[index]!.push(await drive("work", port, WORKING));
      }
      await stop(servers);
      const both = (value: (result: Result) => number): string =>
        results.map((list) => short(median(list.map(value)))).join(" : ");
      console.log(`| ${
        [
          `${native}, ${ms}`,
          ratio(results[0]!, results[1]!),
          both(({ perSecond }) => perSecond),
          both(({ light }) => light!.perSecond),
          both(({ light }) => light!.p50),
          both(({ light }) => light!.p99),
        ].join(" | ")
      } |`);
    }
  }
}

function ratio(ours: Result[], peers: Result[]): string {
  const list = ours.map(({ perSecond }, index) => perSecond / peers[index]!.perSecond).sort((a, b) => a - b);
  return `${short(median(list))} (${short(list[0]!)} … ${short(list.at(-1)!)})`;
}

/** With a mark where the generator was busy nearly all the time: the server may be faster than that. */
function rate(results: Result[]): string {
  const limited = median(results.map(({ busy }) => busy)) > 0.95;
  return `${Math.round(median(results.map(({ perSecond }) => perSecond)))}${limited ? " †" : ""}`;
}

function short(value: number): string {
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function median(list: number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1]!;
}

// ---- Memory ------------------------------------------------------------------------------------------------------

const IDLE = 10_000;
const BURST = 1000;

async function compareMemory(): Promise<void> {
  console.log(`\n## Memory\n`);
  console.log(
    `| server | KB for each of ${IDLE} idle connections | MB before, and 10 s after 1 MiB on each of ${BURST} |`,
  );
  console.log("| --- | --- | --- |");
  for (const name of Object.keys(SERVERS)) {
    const idle = await growth(name);
    const [before, after] = await burst(name);
    console.log(`| ${name} | ${idle.toFixed(1)} | ${(before / 1024).toFixed(0)}, ${(after / 1024).toFixed(0)} |`);
  }
}

/** Resident memory, in KB. */
async function resident({ child: { pid } }: Server): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(status.split("\n").find((line) => line.startsWith("VmRSS"))!.split(/\s+/)[1]);
}

const wait = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

interface Load {
  /** Waits for the next line that it prints. */
  line(): Promise<void>;
  done: Promise<unknown>;
}

function hold(port: number, connections: number, bytes: number, seconds: number): Load {
  const args = [
    "-c",
    "1",
    `${folder}/load`,
    "burst",
    String(port),
    String(connections),
    String(bytes),
    "1",
    String(seconds),
  ];
  const child = new Deno.Command("taskset", { args, stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const line = async (): Promise<void> => {
    if ((await reader.read()).done) throw new Error("The generator failed");
  };
  return { line, done: child.status };
}

async function growth(name: string): Promise<number> {
  const server = await start(name, "echo");
  await hold(server.port, 200, 0, 0.1).done;
  await wait(1);
  const before = await resident(server);
  const load = hold(server.port, IDLE, 0, 3);
  await load.line();
  await wait(2);
  const after = await resident(server);
  await load.done;
  await stop([server]);
  return (after - before) / IDLE;
}

/** The same connections are there before and after. */
async function burst(name: string): Promise<[before: number, after: number]> {
  const server = await start(name, "echo");
  const load = hold(server.port, BURST, 1024 * 1024, 12);
  await load.line();
  await wait(2);
  const before = await resident(server);
  await load.line();
  await wait(10);
  const after = await resident(server);
  await load.done;
  await stop([server]);
  return [before, after];
}

// ---- All of it ---------------------------------------------------------------------------------------------------

const versions = [
  `Deno ${Deno.version.deno}`,
  `Bun ${await run(bun, ["--version"])}`,
  `Node ${(await run("node", ["--version"])).slice(1)}`,
];
console.log(`${versions.join(", ")}, ws ${WS}; ${PAIRS} pairs of ${SECONDS} s: median (least … most)`);
console.log("†: the load generator was busy more than 95 % of the time.");
const ECHO: Case[] = [
  { connections: 32, bytes: 16, depth: 1 },
  { connections: 256, bytes: 16, depth: 1 },
  { connections: 32, bytes: 16, depth: 64 },
  { connections: 32, bytes: 1024, depth: 16 },
  { connections: 4, bytes: 65536, depth: 4 },
  { connections: 4, bytes: 1048576, depth: 2 },
];
const BESIDE_IDLE: Case = { connections: 4, bytes: 65536, depth: 4, idle: 200 };
const FANOUT: Case[] = [{ connections: 1000, bytes: 128, depth: 4 }];
for (const section of chosen()) {
  if (section === "echo") await compare("echo", "Round trips", [...ECHO, BESIDE_IDLE]);
  else if (section === "work") await compareWork();
  else if (section === "fanout") await compare("fanout", "Broadcast, deliveries", FANOUT);
  else if (section === "deflate") {
    await compare("deflate", "Broadcast with permessage-deflate, deliveries", [{ ...FANOUT[0]!, bytes: 1024 }], [
      "Deno",
    ]);
  } else if (section === "tls") await compare("tls", "Round trips with TLS", ECHO);
  else if (section === "intake") {
    await compareIntake({ connections: [1, 16, 64], seconds: SECONDS, pairs: PAIRS, bun, folder: values.folder });
  } else if (section === "memory") await compareMemory();
  else throw new Error(`There is no section "${section}": ${SECTIONS.join(", ")}`);
}
await Deno.remove(folder, { recursive: true });
process.exit(0);
