/** Unix sockets for tests: folders for them, and what killed processes leave. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Runs a test with a folder of its own, which is removed afterwards. */
export async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "unix-"));
  try {
    await test(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const LISTENS = `
  import { createServer } from "node:net";
  createServer().listen(process.argv.at(-1), () => console.log("listening"));
`;

/** Leaves the file of a socket whose process was killed. */
export async function leaveStaleSocket(path: string): Promise<void> {
  const script = `data:text/javascript,${encodeURIComponent(`import process from "node:process";${LISTENS}`)}`;
  const bun = "bun" in process.versions;
  const child = bun
    ? spawn(process.execPath, ["-e", LISTENS, path], { stdio: ["ignore", "pipe", "inherit"] })
    : spawn(process.execPath, ["run", "-A", "--quiet", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve) => child.stdout!.once("data", () => resolve()));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}
