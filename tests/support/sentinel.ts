/**
 * Redis under Sentinel, for tests: a primary, its replicas, and three sentinels, on free ports of loopback.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Redis as IoRedis } from "npm:ioredis@6.0.0";
import type { RedisClientType as NodeRedis, RedisSentinelType as NodeSentinel } from "npm:redis@6.3.1";
import type { RedisClient } from "../../redis/client.ts";
import type { RedisAddress, RedisSource } from "../../redis/source.ts";
import { onFreePort } from "./free_port.ts";
import { CLIENTS, npm, type ProgramClient, RedisServer } from "./redis.ts";
import { until } from "./support.ts";

/** Name of the primary at the sentinels. */
export const PRIMARY = "mymaster";

/** Time without an answer after which a sentinel takes a Redis for down, in ms. */
const DOWN_AFTER = 1000;
const SENTINELS = 3;

/** One sentinel in a process of its own, and a connection to give it commands. */
class Sentinel {
  readonly port: number;
  readonly command: ProgramClient["command"];
  #folder: string;
  #child: ChildProcess;
  #program: ProgramClient;

  private constructor(port: number, folder: string, child: ChildProcess, program: ProgramClient) {
    this.port = port;
    this.#folder = folder;
    this.#child = child;
    this.#program = program;
    this.command = program.command;
  }

  static start(primary: number, lines: readonly string[]): Promise<Sentinel> {
    return onFreePort(async (port) => {
      const folder = mkdtempSync(join(tmpdir(), "sentinel-"));
      const file = join(folder, "sentinel.conf");
      const settings = [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${folder}`,
        `sentinel monitor ${PRIMARY} 127.0.0.1 ${primary} 2`,
        `sentinel down-after-milliseconds ${PRIMARY} ${DOWN_AFTER}`,
        `sentinel failover-timeout ${PRIMARY} 10000`,
        ...lines,
      ];
      writeFileSync(file, settings.join("\n") + "\n");
      const child = spawn("redis-server", [file, "--sentinel"], { stdio: ["ignore", "pipe", "ignore"] });
      const killed = (): void => void child.kill("SIGKILL");
      process.once("exit", killed);
      child.on("close", () => process.off("exit", killed));
      try {
        await new Promise<void>((resolve, reject) => {
          let output = "";
          child.stdout!.on("data", (data) => {
            output += data;
            if (output.includes("+monitor master")) resolve();
          });
          child.on("close", () => reject(new Error(`the sentinel ended: ${output}`)));
        });
      } catch (error) {
        rmSync(folder, { recursive: true, force: true });
        throw error;
      }
      return new Sentinel(port, folder, child, await CLIENTS.get("npm:redis")!(`redis://127.0.0.1:${port}`));
    });
  }

  /** Has it stand still without a word, or go on. */
  freeze(frozen: boolean): void {
    process.kill(this.#child.pid!, frozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    await this.#program.close();
    const ended = new Promise((resolve) => this.#child.on("close", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What a rig has. */
export interface SentinelRigOptions {
  /** Number of replicas. */
  replicas?: number;
  /** Further settings of each Redis, as arguments of its program. */
  redis?: readonly string[];
  /** Further lines in the file of each sentinel. */
  sentinel?: readonly string[];
}

/** A primary that three sentinels watch, with its replicas. */
export class SentinelRig implements AsyncDisposable {
  /** The one that begins as the primary comes first. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly Sentinel[];

  private constructor(servers: readonly RedisServer[], sentinels: readonly Sentinel[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Starts one; all know each other by then. */
  static async start({ replicas = 2, redis = [], sentinel = [] }: SentinelRigOptions = {}): Promise<SentinelRig> {
    const options = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0", ...redis];
    const primary = await RedisServer.start(options);
    const servers = [primary];
    for (let at = 0; at < replicas; at++) {
      servers.push(await RedisServer.start([...options, "--replicaof", "127.0.0.1", `${primary.port}`]));
    }
    const sentinels: Sentinel[] = [];
    for (let at = 0; at < SENTINELS; at++) sentinels.push(await Sentinel.start(primary.port, sentinel));
    const rig = new SentinelRig(servers, sentinels);
    await until(() => rig.#isComplete(replicas), "the sentinels");
    return rig;
  }

  async #isComplete(replicas: number): Promise<boolean> {
    for (const { command } of this.sentinels) {
      const known = await command("SENTINEL", "REPLICAS", PRIMARY) as { "master-link-status": string }[];
      if (known.filter((replica) => replica["master-link-status"] === "ok").length < replicas) return false;
      if ((await command("SENTINEL", "SENTINELS", PRIMARY) as unknown[]).length < SENTINELS - 1) return false;
    }
    return true;
  }

  get ports(): number[] {
    return this.sentinels.map(({ port }) => port);
  }

  /** Has a replica take over, as an operator does. */
  async failover(): Promise<void> {
    await this.sentinels[0]!.command("SENTINEL", "FAILOVER", PRIMARY);
  }

  /** Port of the primary, as a sentinel knows it. */
  async primaryPort(sentinel: Sentinel = this.sentinels[0]!): Promise<number> {
    return Number((await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY) as string[])[1]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** What a program gives for Redis under Sentinel, and how it closes that. */
export interface SentinelSource {
  source: RedisSource;
  close(): Promise<void> | void;
}

/** Makes a source for the sentinels at some ports. */
export type SentinelSourceMaker = (ports: readonly number[]) => Promise<SentinelSource>;

async function makeIoRedis(ports: readonly number[]): Promise<SentinelSource> {
  const { Redis } = await npm("npm:ioredis@6.0.0");
  const sentinels = ports.map((port) => ({ host: "127.0.0.1", port }));
  // As programs have it, but not connected: then it would have to be closed, wherever it is in connecting.
  const own: IoRedis = new Redis({ sentinels, name: PRIMARY, failoverDetector: true, lazyConnect: true });
  return { source: own, close: () => {} };
}

async function makeNodeSentinel(ports: readonly number[]): Promise<SentinelSource> {
  const { createSentinel } = await npm("npm:redis@6.3.1");
  const sentinelRootNodes = ports.map((port) => ({ host: "127.0.0.1", port }));
  const own: NodeSentinel = createSentinel({ name: PRIMARY, sentinelRootNodes });
  return { source: own, close: () => {} };
}

/** With a client that knows no sentinels, not connected. */
function makeSentinels(makeClient: (url: string) => RedisClient, ports: readonly number[]): SentinelSource {
  return {
    source: {
      name: PRIMARY,
      sentinels: ports.map((port) => makeClient(`redis://127.0.0.1:${port}`)),
      primary: ({ host, port }: RedisAddress) => makeClient(`redis://${host}:${port}`),
    },
    close: () => {},
  };
}

/** Makes a client of `npm:redis` that is not connected. */
export async function nodeRedisMaker(): Promise<(url: string) => RedisClient> {
  const { createClient } = await npm("npm:redis@6.3.1");
  return (url) => createClient({ url }) as NodeRedis;
}

/** The ways of this runtime to reach Redis under Sentinel. */
export const SENTINEL_SOURCES: ReadonlyMap<string, SentinelSourceMaker> = new Map([
  ["npm:ioredis", makeIoRedis],
  ["npm:redis", makeNodeSentinel],
  ["npm:redis by addresses", async (ports: readonly number[]) => makeSentinels(await nodeRedisMaker(), ports)],
  ..."Deno" in globalThis ? [] : [
    ["Bun.RedisClient", async (ports: readonly number[]) => {
      const { RedisClient: Client } = await import("bun" as string);
      return makeSentinels((url) => new Client(url), ports);
    }] as const,
  ],
]);
