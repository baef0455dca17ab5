/**
 * Clients for Redis, told apart by their shape: `npm:redis`, `npm:ioredis`, and Bun's own. The program's client serves
 * as a model for connections with the same address, credentials and TLS; it is not used otherwise.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";

/** A client of `npm:redis` (5 or later), as `createClient` makes it; it need not be connected. */
export interface NodeRedisClient {
  /** `true` if commands can be sent. */
  readonly isReady: boolean;
  /** Options of `createClient`. */
  readonly options?: object | undefined;
  /** Sends a command. */
  sendCommand(args: string[]): Promise<unknown>;
  /** Makes another client with the same options. */
  duplicate(overrides?: object): unknown;
}

/** A client of `npm:ioredis` (5 or later), as `new Redis` makes it. */
export interface IoRedisClient {
  /** State of the connection. */
  readonly status: string;
  /** Sends a command. */
  call(command: string, args: string[]): Promise<unknown>;
  /** Makes another client with the same options. */
  duplicate(overrides?: object): unknown;
}

/** The client built into Bun, `RedisClient`. */
export interface BunRedisClient {
  /** `true` if it is connected. */
  readonly connected: boolean;
  /** Sends a command. */
  send(command: string, args: string[]): Promise<unknown>;
  /** Makes another client with the same options. */
  duplicate(): Promise<unknown>;
}

/** A cluster client of `npm:redis` (5 or later), as `createCluster` makes it; it need not be connected. */
export interface NodeRedisCluster {
  /** Servers of each slot. */
  readonly slots: readonly unknown[];
  /** Makes a client for one server of the cluster. */
  nodeClient(server: never): unknown;
  /** Makes another client with the same options. */
  duplicate(overrides?: object): unknown;
}

/** A cluster client of `npm:ioredis` (5 or later), as `new Cluster` makes it. */
export interface IoRedisCluster {
  /** `true`. */
  readonly isCluster: boolean;
  /** Clients of the servers that are known. */
  nodes(role?: "master"): unknown[];
  /** Makes another client with the same options. */
  duplicate(startupNodes?: object[], overrides?: object): unknown;
}

/** A client for Redis 7 or later, made by the program. */
export type RedisClient = NodeRedisClient | IoRedisClient | BunRedisClient | NodeRedisCluster | IoRedisCluster;

/**
 * Finds the kind of a client by its shape.
 *
 * @param client The program's client.
 * @param sentinelOf Name of the primary, if it is a client for a sentinel.
 * @returns The kind.
 * @throws {OptionError} If it is unknown.
 */
export function kindOf(
  client: unknown,
  sentinelOf?: string | undefined,
): "redis" | "ioredis" | "bun" | "redis cluster" | "ioredis cluster" {
  const given = (client ?? {}) as Record<string, unknown>;
  const can = (method: string): boolean => typeof given[method] === "function";
  const name = sentinelOf === undefined ? "The Redis client" : `A sentinel of "${sentinelOf}"`;
  // Copies of such clients are made in another way, or choose a server for each command.
  const several = kindOfSeveral(given, can);
  if (several !== undefined) {
    throw new OptionError(`${name} is ${several}: give a client with one connection to one Redis`);
  }
  if (given.isCluster === true) return "ioredis cluster";
  if (can("nodeClient") && "slots" in given) return "redis cluster";
  if (can("duplicate")) {
    // ioredis has a sendCommand too.
    if (can("call") && typeof given.status === "string") return "ioredis";
    if (can("sendCommand") && "isReady" in given) return "redis";
    if (can("send") && "connected" in given) return "bun";
  }
  const clients = "a client of npm:redis or npm:ioredis, the one built into Bun";
  const hint = sentinelOf === undefined ? `${clients}, or a function that makes one` : clients;
  throw new OptionError(`${name} is of no known kind (${showValue(client)}): give ${hint}`);
}

/** Names a kind of client that has several connections. */
function kindOfSeveral(given: Record<string, unknown>, can: (name: string) => boolean): string | undefined {
  if (can("execute") && "totalClients" in given) return "a pool of npm:redis (createClientPool)";
  if (can("acquire")) return can("release") ? "a pool of clients" : "for sentinels (createSentinel of npm:redis)";
  return undefined;
}
