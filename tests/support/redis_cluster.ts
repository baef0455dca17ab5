/**
 * A Redis cluster for tests: three primaries, with a replica each unless a test says otherwise, on free ports of
 * loopback; and the cluster clients of programs, each real.
 */

import { hashSlot } from "../../redis/slots.ts";
import type { RedisClient } from "../../redis/client.ts";
import { freePort } from "./free_port.ts";
import { CLIENTS, npm, ProgramClient, RedisServer } from "./redis.ts";
import { until } from "./support.ts";
import type { Cluster as IoRedisCluster } from "npm:ioredis@6.0.0";
import type { RedisClusterType as NodeRedisCluster } from "npm:redis@6.3.1";

const SLOTS = 16384;
/** Time without an answer after which a primary counts as dead, in ms. */
const NODE_TIMEOUT = 2000;

/** One server of a cluster. */
export class ClusterServer {
  readonly redis: RedisServer;
  id = "";
  isDead = false;
  #program: Promise<ProgramClient> | undefined;

  constructor(redis: RedisServer) {
    this.redis = redis;
  }

  /** Sends a command to this server. */
  async ask(...args: string[]): Promise<unknown> {
    const [make] = CLIENTS.values();
    this.#program ??= make!(this.redis.url);
    return (await this.#program).command(...args);
  }

  /** Kills it as a power failure would. */
  async kill(): Promise<void> {
    this.isDead = true;
    await this.redis.kill();
    await this.closeProgram();
  }

  /** Starts it again. */
  async run(): Promise<void> {
    await this.redis.run();
    this.isDead = false;
  }

  async closeProgram(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    await (await program)?.close();
  }
}

/** First slot of a primary; from 3 on: the number of slots. */
const firstSlot = (primary: number): number => Math.floor(SLOTS * primary / 3);

/** Number of the primary, from 0, that has a slot at the start. */
export function primaryOf(slot: number): number {
  return [2, 1, 0].find((primary) => firstSlot(primary) <= slot)!;
}

/** A cluster of three primaries. */
export class RedisCluster implements AsyncDisposable {
  readonly servers: readonly ClusterServer[];

  private constructor(servers: ClusterServer[]) {
    this.servers = servers;
  }

  /**
   * Starts one.
   *
   * @param options Options of all servers.
   * @param replicas Number of replicas of each primary.
   */
  static async start(options: readonly string[] = [], replicas: readonly number[] = [1, 1, 1]): Promise<RedisCluster> {
    const masters = replicas.flatMap((count, primary) => Array.from({ length: count }, () => primary));
    const starting = Array.from({ length: 3 + masters.length }, async () => {
      const bus = await freePort();
      const fixed = ["--cluster-enabled", "yes", "--cluster-port", `${bus}`, "--repl-diskless-sync-delay", "0"];
      const timeout = ["--cluster-node-timeout", `${NODE_TIMEOUT}`, "--appendonly", "yes", "--appendfsync", "everysec"];
      return { bus, server: new ClusterServer(await RedisServer.start([...fixed, ...timeout, ...options])) };
    });
    const started = await Promise.all(starting);
    const cluster = new RedisCluster(started.map(({ server }) => server));
    await cluster.#join(started.map(({ bus }) => bus), masters);
    return cluster;
  }

  async #join(buses: readonly number[], masters: readonly number[]): Promise<void> {
    const { servers } = this;
    for (const [at, server] of servers.entries()) {
      server.id = String(await server.ask("CLUSTER", "MYID"));
      await server.ask("CLUSTER", "SET-CONFIG-EPOCH", `${at + 1}`);
      if (at < 3) {
        const range = [firstSlot(at), firstSlot(at + 1) - 1];
        await server.ask("CLUSTER", "ADDSLOTSRANGE", ...range.map(String));
      }
    }
    for (const [at, { redis }] of servers.entries()) {
      await servers[0]!.ask("CLUSTER", "MEET", "127.0.0.1", `${redis.port}`, `${buses[at]}`);
    }
    const knowsAll = async (server: ClusterServer): Promise<boolean> => {
      const lines = String(await server.ask("CLUSTER", "NODES")).trim().split("\n");
      return lines.length === servers.length && lines.every((line) => !line.includes("handshake"));
    };
    for (const server of servers) await until(() => knowsAll(server), "all servers to know each other");
    for (const [at, primary] of masters.entries()) {
      await servers[3 + at]!.ask("CLUSTER", "REPLICATE", servers[primary]!.id);
    }
    await this.untilHealthy();
  }

  /** Waits until all servers that live agree that each slot has an owner, and all replicas follow. */
  async untilHealthy(): Promise<void> {
    for (const server of this.servers.filter(({ isDead }) => !isDead)) {
      const isHealthy = async (): Promise<boolean> => {
        if (!String(await server.ask("CLUSTER", "INFO")).includes("cluster_state:ok")) return false;
        const replication = String(await server.ask("INFO", "replication"));
        return replication.includes("role:master") || replication.includes("master_link_status:up");
      };
      await until(isHealthy, "the cluster", 30_000);
    }
  }

  /** The server that owns the slot of a key now, as the living servers say. */
  async owner(key: string): Promise<ClusterServer> {
    return await this.ownerOf(hashSlot(key));
  }

  async ownerOf(slot: number): Promise<ClusterServer> {
    const asked = this.servers.find(({ isDead }) => !isDead)!;
    const rows = await asked.ask("CLUSTER", "SLOTS") as [number, number, [string, number, string]][];
    const [, , [, , id]] = rows.find(([from, to]) => from <= slot && slot <= to)!;
    return this.servers.find((server) => server.id === id)!;
  }

  /** A primary other than the owner of a key. */
  async other(key: string): Promise<ClusterServer> {
    const owner = await this.owner(key);
    for (const server of this.servers) {
      if (server !== owner && !server.isDead && (await server.ask("ROLE") as unknown[])[0] === "master") return server;
    }
    throw new Error("no other primary lives");
  }

  /**
   * Moves the slot of a key, key by key, as `redis-cli --cluster reshard` does.
   *
   * @param key The key.
   * @param to The new owner.
   * @param between Called before the first key, and after each one, with the number that were moved.
   * @param next Chooses the next key; by default the first one that Redis tells.
   */
  async move(
    key: string,
    to: ClusterServer,
    between: (moved: number) => Promise<void> | void = () => {},
    next: (names: readonly string[]) => string | undefined = ([name]) => name,
  ): Promise<void> {
    const slot = `${hashSlot(key)}`;
    const from = await this.owner(key);
    await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    for (let moved = 0;; moved++) {
      await between(moved);
      const name = next(await from.ask("CLUSTER", "GETKEYSINSLOT", slot, "100") as string[]);
      if (name === undefined) break;
      await from.ask("MIGRATE", "127.0.0.1", `${to.redis.port}`, name, "0", "5000");
    }
    for (const server of [to, from]) await server.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    const isKnown = async (): Promise<boolean> => await this.owner(key) === to;
    await until(isKnown, "the new owner");
  }

  /** Kills the owner of a key; resolves when another server is the owner. */
  async killOwner(key: string): Promise<ClusterServer> {
    const owner = await this.owner(key);
    await owner.kill();
    await until(async () => await this.owner(key) !== owner, "a fail-over", 30_000);
    return owner;
  }

  /** Number of replicas that have all that a server has. */
  async replicasOf(server: ClusterServer): Promise<number> {
    return Number(await server.ask("WAIT", "1", "1000"));
  }

  /** URLs of all servers. */
  get urls(): string[] {
    return this.servers.map(({ redis }) => redis.url);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.closeProgram()));
    await Promise.all(this.servers.map(({ redis }) => redis.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function makeNodeRedisCluster(urls: readonly string[]): Promise<ProgramClient> {
  const { createCluster } = await npm("npm:redis@6.3.1");
  const own: NodeRedisCluster = createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { socket: { reconnectStrategy: false } },
  });
  own.on("error", () => {});
  await own.connect();
  // Of its own type: the compiler looks whether it fits.
  const client: RedisClient = own;
  return new ProgramClient(client, ([...args]) => own.sendCommand(args[1], false, args), () => own.destroy());
}

async function makeIoRedisCluster(urls: readonly string[]): Promise<ProgramClient> {
  const { Cluster } = await npm("npm:ioredis@6.0.0");
  const nodes = urls.map((url) => ({ host: "127.0.0.1", port: Number(new URL(url).port) }));
  const own: IoRedisCluster = new Cluster(nodes, { lazyConnect: true, clusterRetryStrategy: () => null });
  own.on("error", () => {});
  await own.connect();
  const client: RedisClient = own;
  return new ProgramClient(client, (command, ...args) => own.call(command!, args), () => {
    const ended = new Promise<void>((resolve) => own.once("end", resolve));
    if (own.status === "end") return;
    own.disconnect();
    return ended;
  });
}

/** Makes a cluster client, connected. */
export type ClusterClientMaker = (urls: readonly string[]) => Promise<ProgramClient>;

/** The cluster clients; Bun's own client has no such mode. */
export const CLUSTER_CLIENTS: ReadonlyMap<string, ClusterClientMaker> = new Map([
  ["npm:redis createCluster", makeNodeRedisCluster],
  ["npm:ioredis Cluster", makeIoRedisCluster],
]);
