/**
 * Connections for the journal and the backplane, made from what the program gives.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { unlessAborted } from "../base/promises.ts";
import {
  type BunRedisClient,
  type IoRedisClient,
  type IoRedisCluster,
  kindOf,
  type NodeRedisClient,
  type NodeRedisCluster,
  type RedisClient,
} from "./client.ts";
import { openBun } from "./bun_link.ts";
import { clusterOpener, ioRedisFinder, nodeRedisFinder } from "./cluster_link.ts";
import { openIoRedis } from "./ioredis_link.ts";
import type { LinkOpener } from "./link.ts";
import { openNodeRedis } from "./node_redis_link.ts";
import { sentinelOpener } from "./sentinel_link.ts";
import { findSentinels } from "./sentinels.ts";
import { shardedOpener } from "./sharded_link.ts";
import { hashSlot } from "./slots.ts";
import type { RedisClientMaker, RedisSource } from "./source.ts";

/**
 * Makes connections to Redis.
 *
 * @param source A client, sentinels, or a function that makes a client.
 * @param key Key that decides about the server, if the client is one of a cluster; by default any primary.
 * @returns Opens one connection a call.
 * @throws {OptionError} If the client is of an unknown kind.
 */
export function linkOpener(source: RedisSource, key?: string): LinkOpener {
  const slot = key === undefined ? undefined : hashSlot(key);
  if (typeof source === "function") return madeOpener(source, slot);
  const sentinels = findSentinels(source);
  return sentinels === undefined ? clientOpener(source as RedisClient, slot) : sentinelOpener(sentinels, clientOpener);
}

/** Makes connections with the options of a client that is made for each of them. */
function madeOpener(make: RedisClientMaker, slot: number | undefined): LinkOpener {
  return async (handler, signal) => {
    const client = await unlessAborted(Promise.resolve(make()), signal);
    return { ...await clientOpener(client, slot)(handler, signal), findsServer: true };
  };
}

/** Makes connections with the options of a client. */
function clientOpener(client: RedisClient, slot?: number): LinkOpener {
  switch (kindOf(client)) {
    case "ioredis":
      return (handler, signal) => openIoRedis(client as IoRedisClient, handler, signal);
    case "redis":
      return (handler, signal) => openNodeRedis(client as NodeRedisClient, handler, signal);
    case "bun":
      return (handler, signal) => openBun(client as BunRedisClient, handler, signal);
    case "redis cluster":
      return clusterOpener(nodeRedisFinder(client as NodeRedisCluster), slot);
    case "ioredis cluster":
      return clusterOpener(ioRedisFinder(client as IoRedisCluster), slot);
  }
}

/**
 * Makes connections to the servers of sharded channels.
 *
 * @param source A cluster client.
 * @param home Channel to whose server they are connected from the beginning.
 * @returns Opens one a call.
 * @throws {OptionError} If it is no cluster client.
 */
export function shardedLinkOpener(source: RedisSource, home: string): LinkOpener {
  const kind = typeof source === "function" || findSentinels(source) !== undefined ? undefined : kindOf(source);
  if (kind === "redis cluster") return shardedOpener(nodeRedisFinder(source as NodeRedisCluster), home);
  if (kind === "ioredis cluster") return shardedOpener(ioRedisFinder(source as IoRedisCluster), home);
  const needed = "a cluster client (createCluster of npm:redis, or Cluster of npm:ioredis)";
  throw new OptionError(`The setting "sharded" is true, which needs ${needed}`);
}
