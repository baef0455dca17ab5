/**
 * Micro benchmarks on both runtimes: on Deno by `deno bench`, elsewhere (`bun bench/mask_bench.ts`) by a small runner
 * that takes the members of a group in turn and prints medians.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Work = () => void | Promise<void>;

interface Member {
  name: string;
  work: Work;
}

const ROUNDS = 9;
const ROUND_MS = 20;
const groups = new Map<string, Member[]>();

/**
 * Adds a benchmark. The first of a group is what the others are compared with.
 *
 * @param group What is compared.
 * @param name One way to do it.
 * @param work Does it once.
 */
export function bench(group: string, name: string, work: Work): void {
  const members = groups.get(group) ?? [];
  members.push({ name, work });
  groups.set(group, members);
  if ("Deno" in globalThis) Deno.bench({ group, name, baseline: members.length === 1 }, work);
  else if (groups.size === 1 && members.length === 1) setTimeout(runAll);
}

async function runAll(): Promise<void> {
  for (const [group, members] of groups) {
    const counts = [];
    for (const { work } of members) counts.push(await calibrate(work));
    const times: number[][] = members.map(() => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, { work }] of members.entries()) times[index]!.push(await time(work, counts[index]!));
    }
    console.log(`\n${group}`);
    const medians = times.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1]);
    for (const [index, { name }] of members.entries()) {
      const ratio = (medians[0]! / medians[index]!).toFixed(2);
      console.log(
        `  ${name.padEnd(40)} ${medians[index]!.toFixed(1).padStart(12)} ns   ${ratio}× as fast as the first`,
      );
    }
  }
}

/** Enough repetitions for a round, after enough for the compiler. */
async function calibrate(work: Work): Promise<number> {
  for (let count = 1;; count *= 2) {
    const each = await time(work, count);
    if (each * count > ROUND_MS * 1e6) return count;
  }
}

/** Nanoseconds for one. */
async function time(work: Work, count: number): Promise<number> {
  const begin = performance.now();
  for (let index = 0; index < count; index++) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  return ((performance.now() - begin) * 1e6) / count;
}

/**
 * A package of npm, installed into a folder of its own: Bun would take another module of the name "ws".
 *
 * @param name Its name.
 * @param version Its version.
 * @param file A file of it.
 * @returns What it exports.
 */
export function npm<T>(name: string, version: string, file = ""): T {
  const folder = join(tmpdir(), `tackline-bench-${name}-${version}`);
  if (!existsSync(join(folder, "node_modules", name))) {
    mkdirSync(folder, { recursive: true });
    execFileSync("npm", ["install", "--silent", "--prefix", folder, `${name}@${version}`]);
  }
  return createRequire(join(folder, "index.js"))(join(folder, "node_modules", name, file));
}
