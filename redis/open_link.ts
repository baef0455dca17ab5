/**
 * Connections for the journal and the backplane, made from the client of the program.
 *
 * @module
 */

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
import { openInIoRedisCluster, openInNodeRedisCluster } from "./cluster_link.ts";
import { openIoRedis } from "./ioredis_link.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";
import { openNodeRedis } from "./node_redis_link.ts";
import { hashSlot } from "./slots.ts";

/**
 * Opens a connection.
 *
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export type LinkOpener = (handler: RedisLinkHandler, signal: AbortSignal) => Promise<RedisLink>;

/**
 * Makes connections with the options of a client.
 *
 * @param client The program's client.
 * @param key Key that decides about the server, if the client is one of a cluster; by default any primary.
 * @returns Opens one connection a call.
 * @throws {OptionError} If the client is of an unknown kind.
 */
export function linkOpener(client: RedisClient, key?: string): LinkOpener {
  const slot = key === undefined ? undefined : hashSlot(key);
  switch (kindOf(client)) {
    case "ioredis":
      return (handler, signal) => openIoRedis(client as IoRedisClient, handler, signal);
    case "redis":
      return (handler, signal) => openNodeRedis(client as NodeRedisClient, handler, signal);
    case "bun":
      return (handler, signal) => openBun(client as BunRedisClient, handler, signal);
    case "redis cluster":
      return (handler, signal) => openInNodeRedisCluster(client as NodeRedisCluster, slot, handler, signal);
    case "ioredis cluster":
      return (handler, signal) => openInIoRedisCluster(client as IoRedisCluster, slot, handler, signal);
  }
}
