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

  static start(primary: number, { password, sentinelPassword }: SentinelRigOptions): Promise<Sentinel> {
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
        ...password === undefined ? [] : [`sentinel auth-pass ${PRIMARY} ${password}`],
        ...sentinelPassword === undefined
          ? []
          : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`],
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
      const url = urlOf({ host: "127.0.0.1", port }, sentinelPassword);
      return new Sentinel(port, folder, child, await CLIENTS.get("npm:redis")!(url));
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
  /** Password of each Redis. */
  password?: string;
  /** Password of the sentinels. */
  sentinelPassword?: string;
}

/** How a program reaches a rig. */
export interface SentinelAddress extends SentinelRigOptions {
  ports: readonly number[];
}

function urlOf({ host, port }: RedisAddress, password: string | undefined): string {
  return `redis://${password === undefined ? "" : `:${password}@`}${host}:${port}`;
}

/** A primary that three sentinels watch, with its replicas. */
export class SentinelRig implements AsyncDisposable {
  /** The one that begins as the primary comes first. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly Sentinel[];

  readonly address: SentinelAddress;

  private constructor(
    servers: readonly RedisServer[],
    sentinels: readonly Sentinel[],
    options: SentinelRigOptions,
  ) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.address = { ...options, ports: sentinels.map(({ port }) => port) };
  }

  /** Starts one; all know each other by then. */
  static async start(given: SentinelRigOptions = {}): Promise<SentinelRig> {
    const { replicas = 2, password } = given;
    const options = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];
    if (password !== undefined) options.push("--requirepass", password, "--masterauth", password);
    const primary = await RedisServer.start(options);
    const servers = [primary];
    for (let at = 0; at < replicas; at++) {
      servers.push(await RedisServer.start([...options, "--replicaof", "127.0.0.1", `${primary.port}`]));
    }
    const sentinels: Sentinel[] = [];
    for (let at = 0; at < SENTINELS; at++) sentinels.push(await Sentinel.start(primary.port, given));
    const rig = new SentinelRig(servers, sentinels, given);
    await until(() => rig.#isComplete(replicas), "the sentinels");
    return rig;
  }

  async #isComplete(replicas: number): Promise<boolean> {
    for (const sentinel of this.sentinels) {
      const known = (await sentinel.command("SENTINEL", "SENTINELS", PRIMARY) as unknown[]).length;
      if ((await this.replicaPorts(sentinel)).length < replicas || known < SENTINELS - 1) return false;
    }
    return true;
  }

  /** Ports of the replicas that follow the primary, as a sentinel knows them. */
  async replicaPorts(sentinel: Sentinel = this.sentinels[0]!): Promise<number[]> {
    const replicas = await sentinel.command("SENTINEL", "REPLICAS", PRIMARY) as Record<string, string>[];
    const follows = (replica: Record<string, string>): boolean =>
      replica["role-reported"] === "slave" && replica["master-link-status"] === "ok";
    return replicas.filter(follows).map(({ port }) => Number(port));
  }

  /** Tells whether each sentinel has as many subscribers to two channels. */
  async listens(count: number): Promise<boolean> {
    for (const { command } of this.sentinels) {
      const clients = String(await command("CLIENT", "LIST")).split("\n");
      if (clients.filter((client) => client.includes(" sub=2 ")).length < count) return false;
    }
    return true;
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

/** Makes what a program gives for Redis under Sentinel: nothing in it is connected. */
export type SentinelSourceMaker = (address: SentinelAddress) => Promise<RedisSource>;

/** Makes a client that is not connected. */
export type UnconnectedMaker = (url: string) => Promise<RedisClient>;

async function makeIoRedis({ ports, password, sentinelPassword }: SentinelAddress): Promise<RedisSource> {
  const { Redis } = await npm("npm:ioredis@6.0.0");
  const sentinels = ports.map((port) => ({ host: "127.0.0.1", port }));
  const options = { sentinels, name: PRIMARY, failoverDetector: true, lazyConnect: true, password, sentinelPassword };
  const own: IoRedis = new Redis(options);
  return own;
}

async function makeNodeSentinel({ ports, password, sentinelPassword }: SentinelAddress): Promise<RedisSource> {
  const { createSentinel } = await npm("npm:redis@6.3.1");
  const own: NodeSentinel = createSentinel({
    name: PRIMARY,
    sentinelRootNodes: ports.map((port) => ({ host: "127.0.0.1", port })),
    nodeClientOptions: { password },
    sentinelClientOptions: { password: sentinelPassword },
  });
  return own;
}

/** With a client that knows no sentinels. */
async function makeSentinels(make: UnconnectedMaker, address: SentinelAddress): Promise<RedisSource> {
  const { ports, password, sentinelPassword } = address;
  const urls = ports.map((port) => urlOf({ host: "127.0.0.1", port }, sentinelPassword));
  return {
    name: PRIMARY,
    sentinels: await Promise.all(urls.map(make)),
    primary: (primary) => make(urlOf(primary, password)),
  };
}

async function unconnectedNodeRedis(url: string): Promise<RedisClient> {
  const { createClient } = await npm("npm:redis@6.3.1");
  return createClient({ url }) as NodeRedis;
}

async function unconnectedIoRedis(url: string): Promise<RedisClient> {
  const { Redis } = await npm("npm:ioredis@6.0.0");
  return new Redis(url, { lazyConnect: true }) as IoRedis;
}

async function unconnectedBun(url: string): Promise<RedisClient> {
  const { RedisClient: Client } = await import("bun" as string);
  return new Client(url);
}

/** The clients of this runtime, each not connected. */
export const UNCONNECTED: ReadonlyMap<string, UnconnectedMaker> = new Map([
  ["npm:redis", unconnectedNodeRedis],
  ["npm:ioredis", unconnectedIoRedis],
  ..."Deno" in globalThis ? [] : [["Bun.RedisClient", unconnectedBun] as const],
]);

/** The ways of this runtime to reach Redis under Sentinel. */
export const SENTINEL_SOURCES: ReadonlyMap<string, SentinelSourceMaker> = new Map<string, SentinelSourceMaker>([
  ["npm:ioredis", makeIoRedis],
  ["npm:redis", makeNodeSentinel],
  ["npm:redis by addresses", (address) => makeSentinels(unconnectedNodeRedis, address)],
  ..."Deno" in globalThis
    ? []
    : [["Bun.RedisClient", (address: SentinelAddress) => makeSentinels(unconnectedBun, address)] as const],
]);
