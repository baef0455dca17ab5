/** Runs a fuzz target with one seed after the other. */

import process from "node:process";
import { heldMemory } from "../support/memory.ts";
import { Random } from "../support/support.ts";
import type { Target } from "./targets.ts";

/** No input may take longer, in ms of the processor's time: it would be a way to hang a server. */
const LONGEST = 2000;
/** Allowed growth of the memory that is held over a run, in bytes. */
const GROWTH = 32 * 1024 * 1024;
/** Inputs after which code is compiled and tables are filled. */
const WARM_UP = 1000;

/** Inputs of a run, however short it is. */
export const LEAST_INPUTS = 100;

/** Checks the input of one seed; fails with the seed. */
export function runSeed(name: string, target: Target, seed: number): void {
  const started = process.cpuUsage();
  try {
    target(new Random(seed));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name} fails: deno task fuzz --target ${name} --seed ${seed}\n${message}`, { cause });
  }
  const { user, system } = process.cpuUsage(started);
  const took = (user + system) / 1000;
  if (took > LONGEST) throw new Error(`${name} took ${took} ms: deno task fuzz --target ${name} --seed ${seed}`);
}

/** Runs for some seconds from a random seed on; returns the number of inputs. */
export async function runFor(name: string, target: Target, seconds: number): Promise<number> {
  const first = Math.floor(Math.random() * 0x7fffffff);
  const end = performance.now() + seconds * 1000;
  let count = 0;
  let settled: number | undefined;
  for (; performance.now() < end || count < LEAST_INPUTS; count++) {
    runSeed(name, target, (first + count) | 0);
    // What weak references have led to is kept until the turn of the event loop ends, and no program has turns of ten
    // seconds.
    if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    if (count === WARM_UP) settled = heldMemory();
  }
  const growth = heldMemory() - (settled ?? Infinity);
  if (growth > GROWTH) throw new Error(`${name}, from seed ${first} on: ${growth} bytes more are held`);
  return count;
}
