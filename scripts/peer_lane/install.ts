/** Installs a peer: its packages, its files, and what is built from them, in a folder that is kept for the next run. */

import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Peer } from "./peer.ts";

/** Time limit of an installation or a build, in ms. */
const TIMEOUT = 600_000;

/** A peer on this machine: its folder and what `printVersion` printed, or the reason why it is missing. */
export type Installed = { folder: string; printed: string } | { missing: string };

/** Installs a peer, unless it is there. */
export function install(peer: Peer): Installed {
  try {
    const versions = installDebian(peer.debian ?? []);
    const folder = prepareFolder(peer, versions);
    return { folder, printed: run(["sh", "-c", peer.printVersion], folder) };
  } catch (error) {
    if (error instanceof InstallError) return { missing: error.message };
    throw error;
  }
}

/** A step that failed; its message says which. */
class InstallError extends Error {}

function run([command, ...args]: readonly string[], cwd?: string): string {
  const ended = spawnSync(command!, args, { cwd, encoding: "utf8", timeout: TIMEOUT, killSignal: "SIGKILL" });
  if (ended.status === 0) return `${ended.stdout}${ended.stderr}`.trim();
  throw new InstallError(`${[command, ...args].join(" ")}: ${lastLines(ended)}`);
}

function lastLines({ error, stdout, stderr }: SpawnSyncReturns<string>): string {
  if (error !== undefined) return error.message;
  return `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "").slice(-3).join("; ");
}

/** Installs Debian packages that are not there; returns the versions of all. */
function installDebian(packages: readonly string[]): string[] {
  const missing = packages.filter((name) => debianVersion(name) === undefined);
  if (missing.length > 0) {
    const command = ["apt-get", "install", "-y", "--no-install-recommends", ...missing];
    if (process.getuid?.() !== 0) throw new InstallError(`run as root: ${command.join(" ")}`);
    run([...command, "-q", "-o", "DPkg::Lock::Timeout=300"]);
  }
  return packages.map((name) => `${name} ${debianVersion(name)}`);
}

function debianVersion(name: string): string | undefined {
  const { status, stdout } = spawnSync("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Version}", name], {
    encoding: "utf8",
  });
  return status === 0 && stdout.startsWith("installed ") ? stdout.slice("installed ".length) : undefined;
}

/** Makes the folder for these files and packages, unless an earlier run did. */
function prepareFolder({ name, npm = [], files, build = "" }: Peer, debian: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify([npm, files, build, debian])).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), "tackline-peers", `${name.replace(/[^\w.-]+/g, "-")}-${digest}`);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  // Renamed when it is complete: a run may be ended, or another do the same meanwhile.
  const own = mkdtempSync(`${folder}-`);
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(own, file)), { recursive: true });
      writeFileSync(join(own, file), text);
    }
    if (npm.length > 0) {
      if (!("package.json" in files)) writeFileSync(join(own, "package.json"), "{}");
      run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", ...npm], own);
    }
    if (build !== "") run(["sh", "-c", build], own);
    if (!existsSync(folder)) renameSync(own, folder);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
  return folder;
}
