/**
 * Ways to say how Redis is reached: a client, a function that makes one, or sentinels that know the address.
 *
 * @module
 */

import type { RedisClient } from "./client.ts";

/** Address of a Redis. */
export interface RedisAddress {
  /** Host name or IP address. */
  host: string;
  /** Port. */
  port: number;
}

/** Sentinels of `npm:redis` (6 or later), as `createSentinel` makes them; they need not be connected. */
export interface NodeRedisSentinel {
  /** `true` if commands can be sent. */
  readonly isReady: boolean;
  /** Leases a connection to the primary. */
  acquire(): Promise<unknown>;
  /** Returns the sentinel that is asked at present. */
  getSentinelNode(): RedisAddress | undefined;
  /** Makes other sentinels with the same options. */
  duplicate(overrides?: object): unknown;
}

/**
 * A primary that sentinels watch, with any kind of client. `new Redis({ sentinels, name })` of `npm:ioredis` and
 * `createSentinel` of `npm:redis` have all this in them; this is for clients that know no sentinels, as Bun's.
 *
 * All clients are models only: connections with the same options are made from them, and they are neither connected
 * nor closed.
 *
 * @example
 * ```ts
 * import { type RedisClient, RedisJournal, type RedisSentinels } from "@tackline/websocket/whatsapp";
 *
 * // With Bun: `(url) => new Bun.RedisClient(url)`.
 * export async function openJournal(makeClient: (url: string) => RedisClient) {
 *   const source: RedisSentinels = {
 *     name: "mymaster",
 *     sentinels: ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((host) => makeClient(`redis://${host}:26379`)),
 *     primary: ({ host, port }) => makeClient(`redis://:${encodeURIComponent("the password")}@${host}:${port}`),
 *   };
 *   return await RedisJournal.open(source, { replicas: 1 });
 * }
 * ```
 */
export interface RedisSentinels {
  /** Name of the primary at the sentinels, as in `sentinel monitor NAME …`. */
  readonly name: string;
  /** A client for each of the sentinels: all of them, since only the one that leads a fail-over tells its beginning. */
  readonly sentinels: readonly RedisClient[];
  /**
   * Makes a client for the primary. It is called for each attempt to connect.
   *
   * @param address Address of the primary, as the sentinels know it.
   * @returns The client, which need not be connected.
   */
  readonly primary: (address: RedisAddress) => RedisClient | Promise<RedisClient>;
}

/**
 * A function that makes a client for each attempt to connect, so that the address may be another one each time. The
 * client is a model: connections with the same options are made from it, and it is neither connected nor closed. So
 * give one that is not connected (`lazyConnect: true` with `npm:ioredis`), or the same one until the address changes.
 *
 * An error, or no client within 5 s, counts as a Redis that is away, with the reason; another attempt follows.
 *
 * @returns The client.
 *
 * @example
 * ```ts
 * import { type RedisClient, RedisJournal } from "@tackline/websocket/whatsapp";
 *
 * export async function openJournal(makeClient: (url: string) => RedisClient) {
 *   // The registry of your services knows the present primary.
 *   return await RedisJournal.open(async () => makeClient(await (await fetch("http://registry/redis")).text()));
 * }
 * ```
 */
export type RedisClientMaker = () => RedisClient | Promise<RedisClient>;

/**
 * Redis as a program gives it: a client, sentinels, or a function that makes a client for each attempt to connect.
 *
 * @example
 * ```ts
 * import { RedisBackplane, type RedisSource, WebSocketServer } from "@tackline/websocket";
 *
 * // new Redis({ sentinels, name }) of npm:ioredis, createSentinel({ … }) of npm:redis, or any client.
 * export function makeServer(source: RedisSource) {
 *   return new WebSocketServer({ port: 8080, backplane: new RedisBackplane(source) });
 * }
 * ```
 */
export type RedisSource = RedisClient | NodeRedisSentinel | RedisSentinels | RedisClientMaker;
