/**
 * Cost and gain of nodes: broadcasts over one, two and four of them, what the backplane adds to the way of a
 * message, topics beside many connections, notifications through a journal in Redis, and the memory of idle
 * connections.
 *
 *   deno run -A --no-check bench/cluster.ts [fanout] [latency] [topics] [journal] [memory]      bun bench/cluster.ts …
 *
 * Needs Debian's redis-server and a C compiler. All runs on one machine: with two cores, more nodes only share them,
 * and what counts is the price of the way between them.
 */

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketClient } from "../client.ts";
import { SqliteJournal } from "../journal/sqlite_journal.ts";
import { RedisJournal } from "../redis/journal.ts";
import { WebSocketServer } from "../server.ts";
import { Cluster, type ClusterNode } from "../tests/support/cluster_rig.ts";
import { CLIENTS, RedisServer } from "../tests/support/redis.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const SECTIONS = ["fanout", "latency", "topics", "journal", "memory"];
const chosen = positionals.length === 0 ? SECTIONS : positionals;
const folder = mkdtempSync(join(tmpdir(), "bench-cluster-"));
const load = join(folder, "load");
execFileSync("cc", ["-O2", "-o", load, fileURLToPath(new URL("./load.c", import.meta.url))]);

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const quantile = (sorted: number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function generate(...args: (string | number)[]): Promise<{ perSecond: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(load, args.map(String), { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout!.on("data", (data) => text += data);
    child.on("close", () => {
      try {
        resolve(JSON.parse(text.trim().split("\n").at(-1)!));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** CPU time of a process so far, in seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Deliveries a second, and CPU seconds of all nodes and Redis for a million of them. */
async function fanout(count: number, subscribers: number): Promise<{ rate: number; cpu: number }> {
  const cluster = await Cluster.start(count);
  const pids = cluster.nodes.map(({ pid }) => pid);
  const before = pids.map(cpuOf);
  // The first connection of the first node keeps 128 messages in flight; the others only count.
  const each = subscribers / count;
  const results = await Promise.all(
    cluster.nodes.map(({ port }, index) => generate("fanout", port, each, 64, index === 0 ? 128 : 0, 3)),
  );
  const rate = results.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const seconds = pids.reduce((sum, pid, index) => sum + cpuOf(pid) - before[index]!, 0);
  await cluster.stop();
  return { rate, cpu: seconds / (rate * 3.5 / 1e6) };
}

async function benchFanout(): Promise<void> {
  console.log("# Broadcasts of 64 bytes, 128 in flight, to 400 connections in all");
  const rates = new Map<number, number[]>([[1, []], [2, []], [4, []]]);
  const cpus = new Map<number, number[]>([[1, []], [2, []], [4, []]]);
  for (let pair = 0; pair < 3; pair++) {
    for (const count of rates.keys()) {
      const { rate, cpu } = await fanout(count, 400);
      rates.get(count)!.push(rate);
      cpus.get(count)!.push(cpu);
    }
  }
  for (const [count, values] of rates) {
    const ratios = values.map((rate, index) => rate / rates.get(1)![index]!);
    console.log(
      `${count} nodes: ${Math.round(median(values))} deliveries/s, ${median(ratios).toFixed(2)} of one node; ` +
        `${median(cpus.get(count)!).toFixed(2)} CPU seconds of the nodes for a million`,
    );
  }
}

async function openListener(node: ClusterNode, onText: (text: string) => void): Promise<WebSocketClient> {
  const subscribed = Promise.withResolvers<void>();
  const client = new WebSocketClient(`ws://127.0.0.1:${node.port}/?a`, {
    onMessageReceived: (text) => text === "subscribed" ? subscribed.resolve() : onText(text),
  });
  await client.connect();
  await subscribed.promise;
  return client;
}

async function benchLatency(): Promise<void> {
  console.log("# From one node to its own connections and to those of another, one message each 5 ms");
  const cluster = await Cluster.start(2);
  const at: Record<string, number[]> = { here: [], there: [] };
  const note = (side: string) => (text: string): void => void (at[side]![Number(text)] = performance.now());
  const here = await openListener(cluster.nodes[0]!, note("here"));
  const there = await openListener(cluster.nodes[1]!, note("there"));
  const sent: number[] = [];
  for (let index = 0; index < 2000; index++) {
    sent.push(performance.now());
    here.send(`publish a ${index}`);
    await pause(5);
  }
  await pause(500);
  const show = (name: string, values: number[]): void => {
    const sorted = values.toSorted((a, b) => a - b);
    console.log(`${name}: p50 ${quantile(sorted, 0.5).toFixed(2)} ms, p99 ${quantile(sorted, 0.99).toFixed(2)} ms`);
  };
  show("to the same node's", sent.map((time, index) => at.here![index]! - time));
  show("to the other's", sent.map((time, index) => at.there![index]! - time));
  show("added by the backplane", sent.map((_, index) => at.there![index]! - at.here![index]!));
  await Promise.all([here.disconnect(), there.disconnect()]);
  await cluster.stop();
}

/** Time of one `publish`, in µs, with so many connections and so many subscribers among them. */
async function publishTime(connections: number, subscribers: number): Promise<number> {
  let left = subscribers;
  const server = new WebSocketServer({
    port: 0,
    hostname: "127.0.0.1",
    maxBufferedAmount: 0,
    onHandshakeResponseSent: (connection) => void (left-- > 0 && connection.subscribe("a")),
  });
  await server.start();
  const clients = spawn(load, ["burst", `${server.address!.port}`, `${connections}`, "0", "1", "600"].map(String), {
    stdio: "ignore",
  });
  while (server.connections.size < connections) await pause(50);
  const times: number[] = [];
  for (let turn = 0; turn < 300; turn++) {
    const begun = performance.now();
    for (let at = 0; at < 10; at++) server.publish("a", "0123456789abcdef");
    times.push((performance.now() - begun) * 100);
    await pause(1);
  }
  clients.kill("SIGKILL");
  await server.stop({ closeTimeout: 100 });
  return median(times);
}

async function benchTopics(): Promise<void> {
  console.log("# One publish of 16 bytes, without the writes");
  for (const [connections, subscribers] of [[100, 100], [5000, 100], [5000, 1], [5000, 5000]]) {
    const time = await publishTime(connections!, subscribers!);
    console.log(`${connections} connections, ${subscribers} subscribers: ${time.toFixed(1)} µs`);
  }
}

async function benchJournal(): Promise<void> {
  console.log("# Notifications of 1 KiB kept a second, 64 at a time");
  const body = (at: number): Uint8Array => new TextEncoder().encode(`${at} `.padEnd(1024, "x"));
  const rate = async (append: (at: number) => Promise<unknown>): Promise<number> => {
    const begun = performance.now();
    let next = 0;
    await Promise.all(Array.from({ length: 64 }, async () => {
      while (performance.now() < begun + 2000) await append(next++);
    }));
    return next / ((performance.now() - begun) / 1000);
  };
  const entry = (at: number) => {
    const bytes = body(at);
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    return { bytes, digest, signature: "", receivedAt: new Date(), forward: true };
  };
  const sqlite = await SqliteJournal.open(join(folder, "journal.db"));
  const base = await rate((at) => sqlite.append(entry(at)));
  await sqlite.close();
  console.log(`SqliteJournal: ${Math.round(base)}`);
  for (const sync of ["always", "everysec"]) {
    for (const [name, make] of CLIENTS) {
      const redis = await RedisServer.start(["--appendonly", "yes", "--appendfsync", sync]);
      const { client, close } = await make(redis.url);
      const journal = await RedisJournal.open(client);
      const result = await rate((at) => journal.append(entry(at)));
      console.log(
        `RedisJournal, ${sync}, ${name}: ${Math.round(result)}, ${(result / base).toFixed(2)} of SqliteJournal`,
      );
      await journal.close();
      await close();
      await redis.stop();
    }
  }
}

async function benchMemory(): Promise<void> {
  console.log("# Resident memory of a node by idle connections");
  const cluster = await Cluster.start(1);
  const { port, pid } = cluster.nodes[0]!;
  const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
  const before = resident();
  const children = [];
  for (let thousands = 1; thousands <= 8; thousands++) {
    children.push(spawn(load, ["burst", port, 1000, 0, 1, 600].map(String), { stdio: "ignore" }));
    await pause(2500);
    if (thousands % 4 !== 0) continue;
    const used = resident() - before;
    const cpu = cpuOf(pid);
    await pause(5000);
    console.log(
      `${thousands * 1000} connections: ${used.toFixed(0)} MiB more than without, ${
        (used * 1024 / thousands / 1000).toFixed(1)
      } KiB each, ` +
        `${((cpuOf(pid) - cpu) / 5 * 100).toFixed(1)} % of a core`,
    );
  }
  for (const child of children) child.kill("SIGKILL");
  await cluster.stop();
}

const benches: Record<string, () => Promise<void>> = {
  fanout: benchFanout,
  latency: benchLatency,
  topics: benchTopics,
  journal: benchJournal,
  memory: benchMemory,
};
for (const name of chosen) await benches[name]!();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
