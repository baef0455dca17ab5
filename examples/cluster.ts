/**
 * One process a core, all on one port, with a backplane over Redis: a chat whose rooms are the paths of the URLs. What
 * one worker is told reaches the rooms of all workers, and of all machines with the same Redis.
 *
 *   REDIS_URL=redis://127.0.0.1:6379 deno run -A --unstable-net examples/cluster.ts --port 8080
 *   REDIS_URL=redis://127.0.0.1:6379 bun examples/cluster.ts --port 8080 --workers 4
 *
 * A worker that dies is started again. SIGTERM or Ctrl+C drains them all, a second one hastens that.
 * `deno task cluster` shows it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RedisBackplane, type RedisClient, WebSocketServer } from "../mod.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8080" },
    hostname: { type: "string", default: "127.0.0.1" },
    workers: { type: "string", default: `${availableParallelism()}` },
    worker: { type: "boolean", default: false },
  },
});
const redisUrl = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
const onBun = "bun" in process.versions;

/** Any of these three does: Bun's own client, `npm:redis`, `npm:ioredis`. */
async function makeClient(): Promise<RedisClient> {
  if (onBun) return new (await import("bun" as string)).RedisClient(redisUrl);
  const { createClient } = await import("npm:redis@6.3.1");
  return createClient({ url: redisUrl });
}

/** Calls back for the first signal, and for the second. */
function onSignals(first: () => void, second: () => void): void {
  let signals = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => signals++ === 0 ? first() : second());
  }
}

async function work(): Promise<void> {
  const backplane = new RedisBackplane(await makeClient());
  const server: WebSocketServer = new WebSocketServer({
    port: Number(values.port),
    hostname: values.hostname,
    reusePort: true,
    backplane,
    onOpen: (connection) => void connection.subscribe(connection.request.path),
    onMessageReceived: (connection, text) => void server.publish(connection.request.path, text),
    onCommandGet() {
      const { connections, backplane } = server.stats();
      return Response.json({ worker: process.pid, open: connections.open, backplane });
    },
    onError: (error) => console.error(`worker ${process.pid}: ${error}`),
  });
  await server.start();
  console.log(`worker ${process.pid} listens on ${values.hostname}:${values.port}`);
  const hasten = new AbortController();
  const stop = async (): Promise<void> => {
    await server.stop({ signal: hasten.signal });
    await backplane.close();
    process.exit(0);
  };
  onSignals(stop, () => hasten.abort());
  // A parent that was killed must not leave workers behind.
  process.stdin.on("end", stop).resume();
}

/** A worker that dies young is not started again at once. */
const YOUNG = 5000;
const MAX_DELAY = 10_000;

function supervise(count: number): void {
  const own = onBun ? [] : ["run", "-A", "--unstable-net"];
  const args = [...own, fileURLToPath(import.meta.url), "--worker"];
  for (const name of ["port", "hostname"] as const) args.push(`--${name}`, values[name]);
  const children = new Set<ChildProcess>();
  let stopping = false;
  const start = (delay: number): void => {
    const begun = performance.now();
    const child = spawn(process.execPath, args, { stdio: ["pipe", "inherit", "inherit"] });
    children.add(child);
    child.on("exit", (code, signal) => {
      children.delete(child);
      if (stopping) return;
      console.error(`worker ${child.pid} ended with ${signal ?? code}; another one follows`);
      const next = performance.now() - begun < YOUNG ? Math.min(MAX_DELAY, delay * 2) : 100;
      setTimeout(() => stopping || start(next), next);
    });
  };
  for (let at = 0; at < count; at++) start(50);
  const signal = (): void => {
    stopping = true;
    for (const child of children) child.kill("SIGTERM");
  };
  onSignals(signal, signal);
}

if (values.worker) await work();
else supervise(Number(values.workers));
