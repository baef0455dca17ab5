/** Processes that run tests: their output is kept, and none outlives the runner, nor do programs that they started. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** Result of a process. */
export interface Ended {
  status: number | null;
  /** Both streams, as they came. */
  output: string;
  timedOut: boolean;
  /** True if a process that it started still holds its output. */
  leftSomething: boolean;
  /** Duration, in ms. */
  took: number;
}

/** Time from the end of a process to the end of its output, in ms. */
const CLOSE_TIMEOUT = 10_000;

const running = new Set<ChildProcess>();

/** Runs a command to its end, or for `timeout` ms. */
export function runToEnd(
  [command, ...args]: readonly string[],
  env: Record<string, string>,
  timeout: number,
): Promise<Ended> {
  return new Promise((resolve) => {
    const begun = performance.now();
    // In a group of its own, a process gets no SIGINT from the terminal: it could end before what it has started is
    // known.
    const child = spawn(command!, args, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    let [timedOut, leftSomething] = [false, false];
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output += text);
    let timer = setTimeout(() => {
      timedOut = true;
      killTree(child.pid!);
    }, timeout);
    child.on("error", (error) => output += `${error.message}\n`);
    const finish = (status: number | null): void => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ status, output, timedOut, leftSomething, took: performance.now() - begun });
    };
    child.on("close", finish);
    child.on("exit", (status) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        leftSomething = true;
        finish(status);
      }, CLOSE_TIMEOUT);
    });
  });
}

/** Kills all that runs, with all that it has started. */
export function killAll(): void {
  for (const { pid } of running) killTree(pid!);
}

function killTree(root: number): void {
  const children = childrenOf();
  // All are known before the first is killed: an orphan has another parent.
  const tree = [root];
  for (const pid of tree) tree.push(...children.get(pid) ?? []);
  for (const pid of tree) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Processes of this machine, by parent. */
function childrenOf(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const [pid, parent] of existsSync("/proc/self/stat") ? readProc() : askPs()) {
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  return children;
}

function readProc(): [number, number][] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid): [number, number][] => {
    try {
      // After the name, which may hold anything: the state, and the parent.
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return [[Number(pid), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])]];
    } catch {
      return [];
    }
  });
}

function askPs(): [number, number][] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return stdout.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
}
