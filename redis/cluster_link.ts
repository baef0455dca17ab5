/**
 * Connections to one server of a cluster, made with a cluster client: to the owner of a slot, or to any primary.
 *
 * A cluster client that sends a command itself follows ASK to a server that does not own the slot yet, and sends
 * commands of one sender over several connections. Therefore only its knowledge is used: a copy of it asks for the
 * slots, with the addresses, credentials, TLS and maps of addresses that the program has set, and names the server.
 *
 * @module
 */

import { unlessAborted } from "../base/promises.ts";
import type { IoRedisClient, IoRedisCluster, NodeRedisClient, NodeRedisCluster } from "./client.ts";
import { openIoRedis } from "./ioredis_link.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";
import { openNodeRedis } from "./node_redis_link.ts";

/** A server of a cluster, as `npm:redis` lists it. */
interface NodeRedisServer {
  readonly host: string;
  readonly port: number;
  /** Set while `nodeClient` connects, and afterwards. */
  readonly client?: NodeRedisClient | undefined;
}

interface OwnNodeRedisCluster {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  readonly slots: readonly ({ readonly master: NodeRedisServer } | undefined)[];
  readonly masters: readonly NodeRedisServer[];
  nodeClient(server: NodeRedisServer): Promise<unknown>;
  destroy(): void;
}

interface OwnIoRedisCluster {
  on(event: string, listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
  /** Servers of each slot as "host:port", the primary first. */
  readonly slots: readonly (readonly string[] | undefined)[];
  nodes(role: string): IoRedisClient[];
  disconnect(): void;
}

/** Address of a server. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Opens a connection to a server of a cluster with the options of a `createCluster` of `npm:redis`.
 *
 * @param cluster The program's client.
 * @param slot Slot whose owner is wanted; `undefined`: any primary.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openInNodeRedisCluster(
  cluster: NodeRedisCluster,
  slot: number | undefined,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const known = (cluster as unknown as OwnNodeRedisCluster).masters ?? [];
  const overrides = known.length === 0
    ? []
    : [{ rootNodes: known.map(({ host, port }) => ({ socket: { host, port } })) }];
  const server = await firstOf([{}, ...overrides], async (override) => {
    const own = cluster.duplicate({ ...override, minimizeConnections: true }) as OwnNodeRedisCluster;
    let failure: unknown;
    own.on("error", (error) => failure = error);
    return await asked(() => own.destroy(), signal, async () => {
      await own.connect().catch((error) => {
        throw failure ?? error;
      });
      const found = slot === undefined ? anyOf(own.masters) : own.slots[slot]?.master;
      if (found === undefined) throw noOwner(slot);
      // It makes a client and begins to connect it. The client serves as a model only.
      own.nodeClient(found).catch(() => {});
      return found.client!;
    });
  });
  return { ...await openNodeRedis(server, handler, signal), findsServer: true };
}

/**
 * Opens a connection to a server of a cluster with the options of a `Cluster` of `npm:ioredis`.
 *
 * @param cluster The program's client.
 * @param slot Slot whose owner is wanted; `undefined`: any primary.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openInIoRedisCluster(
  cluster: IoRedisCluster,
  slot: number | undefined,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const known = (cluster.nodes("master") as IoRedisClient[]).map(addressOf).map(({ host, port }) => ({ host, port }));
  const { redisOptions } = ((cluster as { options?: unknown }).options ?? {}) as { redisOptions?: object | undefined };
  const server = await firstOf(known.length === 0 ? [[]] : [[], known], async (startupNodes) => {
    const own = cluster.duplicate(startupNodes, {
      lazyConnect: true,
      enableReadyCheck: false,
      clusterRetryStrategy: () => null,
      shardedSubscribers: false,
      // Else a timer of 2 s stays behind each server that refuses the connection.
      redisOptions: { ...redisOptions, disconnectTimeout: 0 },
    }) as OwnIoRedisCluster;
    let failure: unknown;
    own.on("error", (error) => failure = (error as { lastNodeError?: Error }).lastNodeError ?? error);
    return await asked(() => own.disconnect(), signal, async () => {
      await own.connect().catch((error) => {
        throw failure ?? error;
      });
      const servers = own.nodes("master");
      const owner = slot === undefined ? undefined : own.slots[slot]?.[0];
      const found = slot === undefined
        ? anyOf(servers)
        : servers.find((one) => `${addressOf(one).host}:${addressOf(one).port}` === owner);
      if (found === undefined) throw noOwner(slot);
      return found;
    });
  });
  return { ...await openIoRedis(server, handler, signal), findsServer: true };
}

/**
 * Tries the servers that the program has named, then those that its client knows: all of the first may be gone.
 *
 * @param ways The ways, of which the first one that works counts.
 * @param attempt Tries one.
 */
async function firstOf<Way, Found>(ways: readonly Way[], attempt: (way: Way) => Promise<Found>): Promise<Found> {
  let failure: unknown;
  for (const way of ways) {
    try {
      return await attempt(way);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** Asks with a copy of the program's client, which is closed afterwards, or when it takes too long. */
async function asked<Found>(end: () => void, signal: AbortSignal, ask: () => Promise<Found>): Promise<Found> {
  try {
    signal.throwIfAborted();
    return await unlessAborted(ask(), signal);
  } finally {
    try {
      end();
    } catch {
      // Ignored on purpose: it was closed already.
    }
  }
}

function addressOf(client: IoRedisClient): Address {
  return (client as unknown as { options: Address }).options;
}

/** Spreads the nodes of a service over the servers. */
function anyOf<One>(all: readonly One[]): One | undefined {
  return all[Math.floor(Math.random() * all.length)];
}

function noOwner(slot: number | undefined): Error {
  return new Error(slot === undefined ? "the cluster has no primary" : `no server of the cluster has the slot ${slot}`);
}
