/**
 * Appends to a journal alone, without a server, for bench/journals.ts: `KIND CLIENT ADDRESS IN-FLIGHT SECONDS`. Each
 * append begins when one before it has ended. Prints a line of JSON with the figures that `intake.c` prints.
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { simulateNotification } from "../../cloud_api/simulated.ts";
import { openJournal } from "./open_journal.ts";

const WARM_UP = 1000;
/** First id: as long as ids in production. */
const FIRST = 1_000_000_000_000_000;

const [kind, client, address, inFlight, seconds] = process.argv.slice(2) as [string, string, string, string, string];
const journal = await openJournal(kind, client, address);
const encoder = new TextEncoder();
const signature = `sha256=${"5c1f".repeat(16)}`;
// Made before, so that only the journal is measured: the number makes each body another one.
const bodies = Array.from({ length: 64 }, (_, at) => simulateNotification(FIRST + at).json);

let count = 0;
let accepted = 0;
let measuring = false;
let stopped = false;
const latencies: number[] = [];

async function append(): Promise<void> {
  while (!stopped) {
    const bytes = encoder.encode(`${bodies[count % bodies.length]!.slice(0, -20)}${String(count++).padStart(20)}`);
    const digest = createHash("sha256").update(bytes).digest();
    const begun = performance.now();
    await journal.append({ bytes, signature, receivedAt: new Date(), digest, forward: true });
    accepted++;
    if (measuring) latencies.push(performance.now() - begun);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const running = Promise.all(Array.from({ length: Number(inFlight) }, append));
await sleep(WARM_UP);
measuring = true;
const begun = performance.now();
const cpu = process.cpuUsage();
await sleep(Number(seconds) * 1000);
const elapsed = performance.now() - begun;
const { user, system } = process.cpuUsage(cpu);
stopped = true;
const sorted = Float64Array.from(latencies).sort();
await running;
await journal.close();
console.log(JSON.stringify({
  perSecond: sorted.length / elapsed * 1000,
  p50: sorted[sorted.length >> 1],
  p99: sorted[Math.floor(sorted.length * 0.99)],
  cpu: (user + system) / sorted.length,
  busy: 0,
  accepted,
  received: [],
}));
process.exit(0);
