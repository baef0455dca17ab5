/**
 * The servers of a cluster, as a cluster client finds them, and connections to each.
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
import type { LinkOpener } from "./link.ts";
import { nodeRedisDestroyer, openNodeRedis, type OwnNodeRedis } from "./node_redis_link.ts";

/** A primary of a cluster. */
export interface ClusterServer {
  /** Host and port. */
  readonly address: string;
  /** Opens a connection. */
  readonly open: LinkOpener;
}

/** Slots of a cluster at one time: finds the owner of a slot, or any primary if the slot is `undefined`. */
export type ClusterView = (slot: number | undefined) => ClusterServer;

/**
 * Asks the cluster for the owners of its slots.
 *
 * @param signal Aborts it.
 * @returns The owners.
 */
export type ClusterFinder = (signal: AbortSignal) => Promise<ClusterView>;

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

/**
 * Opens a connection to a server of a cluster.
 *
 * @param find Asks for the owners of slots.
 * @param slot Slot whose owner is wanted; `undefined`: any primary.
 * @returns Opens one connection a call.
 */
export function clusterOpener(find: ClusterFinder, slot: number | undefined): LinkOpener {
  return async (handler, signal) => {
    const view = await find(signal);
    return { ...await view(slot).open(handler, signal), findsServer: true };
  };
}

/**
 * Asks with a `createCluster` of `npm:redis`.
 *
 * @param cluster The program's client.
 * @returns Asks once a call.
 */
export function nodeRedisFinder(cluster: NodeRedisCluster): ClusterFinder {
  return async (signal) => {
    const known = (cluster as unknown as OwnNodeRedisCluster).masters ?? [];
    const rootNodes = known.map(({ host, port }) => ({ socket: { host, port } }));
    return await firstOf(rootNodes.length === 0 ? [{}] : [{}, { rootNodes }], async (override) => {
      const own = cluster.duplicate({ ...override, minimizeConnections: true }) as OwnNodeRedisCluster;
      // They are gone from the copy once it is closed.
      let { masters, slots } = own;
      await connected(own, () => {
        ({ masters, slots } = own);
        own.destroy();
      }, signal);
      return (slot) => {
        const server = required(slot === undefined ? anyOf(masters) : slots[slot]?.master, slot);
        return {
          address: `${server.host}:${server.port}`,
          open: (handler, aborted) => openNodeRedis(modelOf(own, server), handler, aborted),
        };
      };
    });
  };
}

/** Makes a client of one server. It begins to connect, which is not wanted. */
function modelOf(own: OwnNodeRedisCluster, server: NodeRedisServer): NodeRedisClient {
  own.nodeClient(server).catch(() => {});
  const client = server.client!;
  nodeRedisDestroyer(client as unknown as OwnNodeRedis)();
  return client;
}

/**
 * Asks with a `Cluster` of `npm:ioredis`.
 *
 * @param cluster The program's client.
 * @returns Asks once a call.
 */
export function ioRedisFinder(cluster: IoRedisCluster): ClusterFinder {
  return async (signal) => {
    const known = (cluster.nodes("master") as IoRedisClient[]).map(optionsOf).map(({ host, port }) => ({ host, port }));
    const { redisOptions } = ((cluster as { options?: unknown }).options ?? {}) as {
      redisOptions?: object | undefined;
    };
    return await firstOf(known.length === 0 ? [[]] : [[], known], async (startupNodes) => {
      const own = cluster.duplicate(startupNodes, {
        lazyConnect: true,
        enableReadyCheck: false,
        clusterRetryStrategy: () => null,
        shardedSubscribers: false,
        // Else a timer of 2 s stays behind each server that refuses the connection.
        redisOptions: { ...redisOptions, disconnectTimeout: 0 },
      }) as OwnIoRedisCluster;
      let servers: readonly IoRedisClient[] = [];
      await connected(own, () => {
        servers = own.nodes("master");
        own.disconnect();
      }, signal);
      const { slots } = own;
      return (slot) => {
        const owner = slot === undefined ? undefined : slots[slot]?.[0];
        const found = slot === undefined ? anyOf(servers) : servers.find((server) => addressOf(server) === owner);
        const server = required(found, slot);
        return { address: addressOf(server), open: (handler, aborted) => openIoRedis(server, handler, aborted) };
      };
    });
  };
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

/** Connects a copy of the program's client, which learns the slots, and closes it. */
async function connected(
  own: OwnNodeRedisCluster | OwnIoRedisCluster,
  end: () => void,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown;
  // The error of one server says more than the one of the copy.
  own.on("error", (error: unknown) => failure = (error as { lastNodeError?: Error }).lastNodeError ?? error);
  try {
    signal.throwIfAborted();
    await unlessAborted(own.connect(), signal);
  } catch (error) {
    throw signal.aborted ? error : failure ?? error;
  } finally {
    try {
      end();
    } catch {
      // Ignored on purpose: it was closed already.
    }
  }
}

function optionsOf(client: IoRedisClient): { host: string; port: number } {
  return (client as unknown as { options: { host: string; port: number } }).options;
}

function addressOf(client: IoRedisClient): string {
  return `${optionsOf(client).host}:${optionsOf(client).port}`;
}

/** Spreads the nodes of a service over the servers. */
function anyOf<One>(all: readonly One[]): One | undefined {
  return all[Math.floor(Math.random() * all.length)];
}

function required<Server>(server: Server | undefined, slot: number | undefined): Server {
  if (server !== undefined) return server;
  throw new Error(slot === undefined ? "the cluster has no primary" : `no server of the cluster has the slot ${slot}`);
}
