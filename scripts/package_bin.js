#!/usr/bin/env node
/**
 * The command `tackline` of the package for npm. `scripts/pack.ts` puts it there as `bin/tackline.js`.
 *
 * Package managers start it with Node where Node is installed, whatever else is. The program itself needs Bun or Deno:
 * on Node, this file starts it with the one that it finds, and says so if it finds neither.
 */

import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Commands that run a file, in the order in which they are tried. */
const RUNTIMES = [["bun"], ["deno", "run", "-A"]];
const MISSING =
  `tackline needs Bun or Deno, and neither is installed here: it does not run on Node ${process.versions.node}.
Install one of them, such as with "npm install -g bun", and run the command again.
`;

const args = process.argv.slice(2);
if ("bun" in process.versions || "deno" in process.versions) {
  const { runCli } = await import("../cli.js");
  process.exitCode = await runCli(args);
} else {
  const found = RUNTIMES.find(([command]) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0);
  if (found === undefined) {
    process.stderr.write(MISSING);
    process.exitCode = 1;
  } else startWith(found);
}

/** Starts this file with another runtime, and ends as it does. */
function startWith([command, ...first]) {
  const child = spawn(command, [...first, fileURLToPath(import.meta.url), ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Ctrl+C in a terminal reaches both.
    process.on(signal, () => signal === "SIGINT" && process.stdin.isTTY || child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
