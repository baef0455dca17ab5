/**
 * Thousands of connections come and go, send messages of all sizes, half of them compressed; one in ten goes over a bad
 * way, one in twenty is hostile. At the end nothing may be lost or left:
 *
 *   deno task soak --minutes 10 --connections 5000        bun scripts/soak.ts --minutes 1
 *
 * - every error that the server reports is one of ours, and none is a handler's;
 * - what `send` took on a connection that both ends closed cleanly has arrived, by count and hash, both ways;
 * - memory is flat (its slope is given), and all file descriptors are back.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { type CloseInfo, WebSocketClient } from "../client.ts";
import { HISTOGRAM_BOUNDS, type HistogramSnapshot } from "../base/stats.ts";
import { FaultProxy } from "../tests/support/fault_proxy.ts";
import { ATTACKS } from "../tests/support/hostile.ts";
import { Random } from "../tests/support/support.ts";
import { Digest } from "./digest.ts";
import { SoakServer } from "./soak_child.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    connections: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
  },
});
const duration = Number(values.minutes) * 60_000;
const connections = Number(values.connections);
const random = new Random(Number(values.seed));
const HOSTILE_SHARE = 0.05;
const FAULTY_SHARE = 0.1;
/**
 * Memory may grow by so many MiB from the end of the first third on: what is left of bursts; more in a run that is
 * mostly warming up.
 */
const MAX_GROWTH = duration >= 300_000 ? 64 : 160;

const server = await SoakServer.start();
const before = await server.sample();
const proxy = await FaultProxy.listen(server.port);
const end = performance.now() + duration;
const counts = { opened: 0, clean: 0, lost: 0, messages: 0, attacks: 0, compared: 0 };
const failures: string[] = [];
/**
 * Honest connections that did not live as they should: with both cores busy, the system's own queues overflow now and
 * then.
 */
const unlucky: string[] = [];
const unluckyIds = new Map<string, number>();
const MAX_UNLUCKY = 0.001;
const mine = new Map<string, { received: string; sent: string; clean: boolean }>();
const pool = new Random(2).bytes(1024 * 1024);
let nextId = 0;

/** Makes a message, mostly short: 16 bytes to 4 KiB, one in 100 of 64 KiB, one in 2000 of up to 1 MiB. */
function makeMessage(): string | Uint8Array {
  const dice = random.int(2000);
  const size = dice === 0 ? random.int(1024 * 1024) : dice < 20 ? 65536 : 16 << random.int(9);
  const at = random.int(pool.length - size);
  return dice % 2 === 0 ? pool.subarray(at, at + size) : "text ".repeat(size / 5);
}

function makeFaults(): ReturnType<FaultProxy["faults"]> {
  const kind = random.int(6);
  if (kind === 0) return { delay: random.int(50) };
  if (kind === 1) return { pieces: 1 + random.int(100) };
  if (kind === 2) return { cutAfter: random.int(20_000), cutBy: random.pick(["end", "reset"]) };
  if (kind === 3) return { stalled: random.pick(["up", "down", "both"]) };
  return kind === 4 ? { delay: 2, pieces: 1000 } : {};
}
proxy.faults = makeFaults;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An honest connection, from its beginning to its end. */
async function honest(faulty: boolean): Promise<void> {
  const id = String(nextId++);
  const digests = { received: new Digest(), sent: new Digest() };
  const take = (data: string | Uint8Array): void => {
    digests.received.add(data);
    counts.messages++;
  };
  // One pair of addresses has 28 000 ports only, each of which is taken for a minute after its end.
  const host = faulty ? "127.0.0.1" : `127.0.0.${1 + random.int(8)}`;
  const client = new WebSocketClient(`ws://${host}:${faulty ? proxy.port : server.port}/${id}`, {
    compression: random.int(2) === 0 && { serverNoContextTakeover: true, clientNoContextTakeover: true },
    connectTimeout: faulty ? 3000 : 20_000,
    closeTimeout: faulty ? 3000 : 20_000,
    onMessageReceived: take,
    onBinaryDataReceived: take,
  });
  const begun = performance.now();
  try {
    await client.connect();
  } catch (error) {
    const after = Math.round(performance.now() - begun);
    if (!faulty) unlucky.push(`not made after ${after} ms: ${error}, ${error instanceof Error && error.cause}`);
    return;
  }
  counts.opened++;
  const life = Math.min(end - performance.now(), 1000 + random.int(20_000));
  const until = performance.now() + life;
  while (performance.now() < until && client.active) {
    const message = makeMessage();
    if (client.send(message) !== "dropped") digests.sent.add(message);
    await pause(Math.min(500 + random.int(6000), Math.max(0, until - performance.now())));
  }
  const info = random.int(10) === 0 ? await client.disconnect(false) : await client.disconnect(true, 1000);
  const clean = info?.clean ?? false;
  counts[clean ? "clean" : "lost"]++;
  if (!clean && !faulty && info?.sent !== undefined) {
    unlucky.push(`lost: ${JSON.stringify(info)}`);
    unluckyIds.set(id, unlucky.length - 1);
  }
  mine.set(id, { received: digests.received.text, sent: digests.sent.text, clean });
}

async function hostile(): Promise<void> {
  counts.attacks++;
  await ATTACKS[random.pick(Object.keys(ATTACKS))]!(server.port);
}

/** One place among the connections: when one has ended, the next one takes it. */
async function place(index: number): Promise<void> {
  await pause(Math.min(duration / 6, index * 2));
  while (performance.now() < end && server.exitCode === undefined) {
    if (index < connections * HOSTILE_SHARE) await hostile();
    else await honest(index < connections * (HOSTILE_SHARE + FAULTY_SHARE));
  }
}

/** Compares what both ends say of connections that both have seen end. */
async function compare(): Promise<void> {
  const theirs = await server.tally();
  for (const [id, { received, sent, info }] of Object.entries(theirs)) {
    const own = mine.get(id);
    // The server may know before we do.
    if (own === undefined) {
      early.set(id, theirs[id]!);
      continue;
    }
    check(id, own, { received, sent, clean: info.clean, info });
  }
  for (const [id, { received, sent, info }] of early) {
    const own = mine.get(id);
    if (own === undefined) continue;
    early.delete(id);
    check(id, own, { received, sent, clean: info.clean, info });
  }
}
const early = new Map<string, { received: string; sent: string; info: CloseInfo }>();

type Side = { received: string; sent: string; clean: boolean };
type TheirSide = Side & { info: CloseInfo };

function check(id: string, own: Side, theirs: TheirSide): void {
  mine.delete(id);
  const unluckyAt = unluckyIds.get(id);
  if (unluckyAt !== undefined) unlucky[unluckyAt] += ` and there ${JSON.stringify(theirs.info)}`;
  if (!own.clean || !theirs.clean) return;
  counts.compared++;
  if (own.sent !== theirs.received) failures.push(`connection ${id}: sent ${own.sent}, arrived ${theirs.received}`);
  if (own.received !== theirs.sent) {
    failures.push(`connection ${id}: server sent ${theirs.sent}, arrived ${own.received}`);
  }
}

const MiB = 1024 * 1024;
const memory: [minutes: number, mebibytes: number][] = [];

async function watch(): Promise<void> {
  const begun = performance.now();
  while (performance.now() < end && server.exitCode === undefined) {
    await pause(Math.min(5000, Math.max(100, end - performance.now())));
    const { rss, heapUsed, heapTotal, external, arrayBuffers, stats } = await server.sample();
    await compare();
    const minutes = (performance.now() - begun) / 60_000;
    memory.push([minutes, rss / MiB]);
    console.log(
      `${minutes.toFixed(2)} min  ${stats.connections.open} open, ${stats.connections.opened} ever, ` +
        `${counts.messages} messages back, ${counts.attacks} attacks, ${counts.compared} compared, ${
          Math.round(rss / MiB)
        } MiB (heap ${Math.round(heapUsed / MiB)} of ${Math.round(heapTotal / MiB)}, external ${
          Math.round(external / MiB)
        }, buffers ${Math.round(arrayBuffers / MiB)})`,
    );
  }
}

/** MiB a minute, by least squares, from the end of the first third on. */
function slope(): { slope: number; growth: number } {
  const late = memory.filter(([minutes]) => minutes > duration / 60_000 / 3);
  const mean = (index: 0 | 1): number => late.reduce((sum, point) => sum + point[index], 0) / late.length;
  const [x, y] = [mean(0), mean(1)];
  const above = late.reduce((sum, [minutes, size]) => sum + (minutes - x) * (size - y), 0);
  const below = late.reduce((sum, [minutes]) => sum + (minutes - x) ** 2, 0);
  const third = Math.max(1, Math.floor(late.length / 3));
  const average = (points: typeof late): number => points.reduce((sum, [, size]) => sum + size, 0) / points.length;
  return { slope: above / below, growth: average(late.slice(-third)) - average(late.slice(0, third)) };
}

await Promise.all([watch(), ...Array.from({ length: connections }, (_, index) => place(index))]);
await proxy.close();
for (let tries = 0; tries < 150; tries++) {
  const { stats } = await server.sample();
  if (stats.connections.open + stats.connections.handshaking === 0) break;
  await pause(200);
}
await compare();
const after = await server.sample();
const { errors, unknown } = await server.errors();
const lost = [...mine].filter(([, { clean }]) => clean).length;
await server.stop();

/** The durations, by size; those of the empty sizes are left out. */
function describe({ buckets }: HistogramSnapshot): string {
  const named = buckets.map((count, index) => ({ count, bound: HISTOGRAM_BOUNDS[index] ?? Infinity }));
  return named.filter(({ count }) => count > 0).map(({ count, bound }) => `${count} to ${bound} ms`).join(", ");
}

const { slope: perMinute, growth } = slope();
console.log(`
${counts.opened} honest connections: ${counts.clean} closed cleanly, ${counts.lost} lost on purpose or on a bad way
${counts.messages} messages came back; ${counts.compared} connections compared by hash, both ways
${counts.attacks} attacks; the server reported ${JSON.stringify(errors)}
refusals ${JSON.stringify(after.stats.refusals)}
closes ${JSON.stringify(after.stats.closes)}
handshakes took: ${describe(after.stats.handshakeTimes)}
pings took: ${describe(after.stats.pingTimes)}
memory ${perMinute.toFixed(2)} MiB a minute from the first third on (${
  growth.toFixed(1)
} MiB from its beginning to its end); ${Math.round(after.rss / MiB)} MiB after all had gone
${unlucky.length} honest connections did not live as they should: ${unlucky.slice(0, 3).join("; ")}
descriptors ${JSON.stringify(before.descriptors)} before, ${JSON.stringify(after.descriptors)} after`);

const complain = (ok: boolean, what: string): void => {
  if (!ok) failures.push(what);
};
complain(server.exitCode === 0, `the server ended with ${server.exitCode}`);
complain(server.trouble === "", `the server wrote ${server.trouble}`);
complain(unknown.length === 0, `the server reported ${unknown.slice(0, 3).join("; ")}`);
complain(after.stats.connections.open + after.stats.connections.handshaking === 0, "connections are left");
complain(after.descriptors.sockets <= before.descriptors.sockets, "sockets are left");
complain(after.descriptors.others <= before.descriptors.others, "file descriptors are left");
complain(growth < MAX_GROWTH, `memory grew by ${growth.toFixed(1)} MiB`);
complain(counts.compared > 0.5 * counts.clean, `only ${counts.compared} of ${counts.clean} clean ends were compared`);
complain(unlucky.length <= Math.max(3, counts.opened * MAX_UNLUCKY), `${unlucky.length} honest ones: ${unlucky[0]}`);
complain(lost === 0, `${lost} connections ended cleanly here and never there`);
for (const failure of failures.slice(0, 20)) console.log(`FAILED: ${failure}`);
console.log(failures.length === 0 ? "Nothing was lost, and nothing is left." : `${failures.length} failures`);
process.exit(failures.length === 0 ? 0 : 1);
