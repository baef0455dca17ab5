/**
 * The set-up of `examples/compose/` as local processes: Redis, two nodes, and nginx before them, each on a free port of
 * loopback. Shows that rooms reach over nodes, that clients come back when a worker dies, and that all ends in order:
 *
 *   deno task cluster          shows it, and ends
 *   deno task cluster --keep   leaves it running, until Ctrl+C
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketClient } from "../client.ts";
import { freePort } from "../tests/support/free_port.ts";
import { RedisServer } from "../tests/support/redis.ts";

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const file = (name: string): string => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "cluster-"));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const program of ["redis-server", "nginx"]) {
  if (spawnSync(program, ["-v"]).error === undefined) continue;
  console.error(`${program} is not installed: on Debian, apt-get install redis-server nginx-light`);
  process.exit(1);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<number> {
  const begun = performance.now();
  while (!await condition()) {
    if (performance.now() > begun + 20_000) throw new Error(`waited in vain for ${what}`);
    await pause(10);
  }
  return performance.now() - begun;
}

function startNode(port: number, redisUrl: string): ChildProcess {
  const own = "deno" in process.versions ? ["run", "-A", "--no-check", "--unstable-net"] : [];
  const args = [...own, file("cluster.ts"), "--port", `${port}`, "--workers", "2"];
  return spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, REDIS_URL: redisUrl } });
}

function startNginx(port: number, nodes: readonly number[]): ChildProcess {
  let config = readFileSync(file("compose/nginx.conf"), "utf8").replace("listen 80;", `listen 127.0.0.1:${port};`);
  for (const [index, node] of nodes.entries()) config = config.replace(`node${index + 1}:8080`, `127.0.0.1:${node}`);
  writeFileSync(join(folder, "nginx.conf"), config.replace("http {", `http {\n  access_log off;`));
  const globals = `daemon off; pid ${folder}/nginx.pid; error_log stderr warn;`;
  return spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-g", globals], { stdio: "inherit" });
}

const ended = (child: ChildProcess): Promise<unknown> => new Promise((resolve) => child.once("exit", resolve));

/** Asks over a connection of its own: each may be another worker's. */
function ask(port: number): Promise<{ worker: number; open: number }> {
  return new Promise((resolve, reject) => {
    get({ port, hostname: "127.0.0.1", agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(JSON.parse(text));
    }).on("error", reject);
  });
}

const answers = (port: number): Promise<boolean> => ask(port).then(() => true, () => false);

const clients: WebSocketClient[] = [];

async function show(port: number, nodes: readonly number[]): Promise<void> {
  const got: string[][] = [];
  await Promise.all(Array.from({ length: 40 }, async (_, index) => {
    const texts: string[] = got[index] = [];
    const client = new WebSocketClient(`ws://127.0.0.1:${port}/room${index % 2}`, {
      reconnect: { minDelay: 50, maxDelay: 500 },
      onMessageReceived: (text) => void texts.push(text),
      onError: () => {},
    });
    clients.push(client);
    await client.connect();
  }));
  // Redis has them all when a message of each reaches the others.
  const everybody = async (mark: string): Promise<number> =>
    await until(() => {
      for (const client of clients.slice(0, 2)) if (client.active) client.send(mark);
      return got.every((texts) => texts.includes(mark));
    }, `"${mark}" in both rooms`);
  await everybody("hello");
  const workers = new Map<number, number>();
  await until(async () => {
    for (const node of nodes) {
      const { worker, open } = await ask(node);
      workers.set(worker, open);
    }
    return workers.size === 4;
  }, "an answer of each worker");
  console.log(
    `40 clients in two rooms hear each other, over these workers: ${
      [...workers].map(([pid, open]) => `${pid} (${open})`).join(", ")
    }`,
  );
  const [victim] = [...workers].sort(([, one], [, other]) => other - one)[0]!;
  process.kill(victim, "SIGKILL");
  await until(() => clients.every(({ active }) => active) && got.length === 40, "the clients to be back");
  for (const texts of got) texts.length = 0;
  const took = await everybody("back");
  console.log(`worker ${victim} was killed; all hear each other again ${Math.round(took)} ms after all were back`);
}

const redis = await RedisServer.start();
const ports = [await freePort(), await freePort()];
const nodes = ports.map((port) => startNode(port, redis.url));
const port = await freePort();
const nginx = startNginx(port, ports);
let failed = false;
try {
  for (const one of [...ports, port]) await until(() => answers(one), `port ${one}`);
  console.log(`Redis on ${redis.port}, nodes on ${ports.join(" and ")}, nginx on ws://127.0.0.1:${port}/ROOM`);
  await show(port, ports);
  if (values.keep) await new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
} catch (error) {
  failed = true;
  console.error(error);
}
await Promise.all(clients.map((client) => client.disconnect()));
const begun = performance.now();
for (const node of nodes) node.kill("SIGTERM");
await Promise.all(nodes.map(ended));
console.log(`both nodes ended in order after ${Math.round(performance.now() - begun)} ms`);
nginx.kill("SIGTERM");
await ended(nginx);
await redis.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
