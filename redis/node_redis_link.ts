/**
 * Connections with `npm:redis`. Its own reconnecting and queueing is turned off: it queues without bound, comes late,
 * or gives up.
 *
 * @module
 */

import { Ending } from "../base/ending.ts";
import type { NodeRedisClient } from "./client.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";

/** A client of `npm:redis` as a copy of our own has it. */
export interface OwnNodeRedis {
  /** Its options. */
  readonly options?: { readonly database?: number | undefined } | undefined;
  /** Adds a listener. */
  on(event: string, listener: (error: unknown) => void): unknown;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Sends a command. */
  sendCommand(args: string[]): Promise<unknown>;
  /** Subscribes to channels. */
  subscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  /** Unsubscribes from channels. */
  unsubscribe(channels: string[]): Promise<unknown>;
  /** Subscribes to sharded channels of one slot. */
  sSubscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  /** Unsubscribes from sharded channels. */
  sUnsubscribe(channels: string[]): Promise<unknown>;
  /** Closes it at once. */
  destroy(): void;
}

/**
 * Makes a function that destroys a client, also while it connects: until its socket is connected, `destroy` of
 * `npm:redis` forgets the socket, which then stays open. So the client is destroyed once it is.
 *
 * @param client A client that does not connect yet, or has just begun.
 * @returns The function. Throws if the client was closed already.
 */
export function nodeRedisDestroyer(client: Pick<OwnNodeRedis, "on" | "destroy">): () => void {
  let hasSocket = false;
  let isOver = false;
  const destroyLate = (): void => {
    if (!isOver) return;
    try {
      client.destroy();
    } catch {
      // Ignored on purpose: it has given up itself.
    }
  };
  client.on("connect", () => {
    hasSocket = true;
    destroyLate();
  });
  // It would try again.
  client.on("error", destroyLate);
  return () => {
    isOver = true;
    if (hasSocket) client.destroy();
  };
}

/**
 * Opens a connection with the options of a client of `npm:redis`.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openNodeRedis(
  client: NodeRedisClient,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const ending = new Ending(handler);
  const { socket } = (client.options ?? {}) as { socket?: object | undefined };
  const overrides = { socket: { ...socket, reconnectStrategy: false }, disableOfflineQueue: true };
  const own = client.duplicate(overrides) as OwnNodeRedis;
  const destroyOwn = nodeRedisDestroyer(own);
  own.on("error", (error) => ending.now(error));
  own.on("end", () => ending.now(undefined));
  own.on("sharded-channel-moved", () => handler.moved?.());
  const destroy = (): void => {
    destroyOwn();
    ending.now(undefined);
  };
  await ending.open(() => own.connect(), destroy, signal);
  const take = (text: string, channel: string): void => handler.message(channel, text);
  return {
    database: own.options?.database,
    send: (args) => own.sendCommand(args),
    subscribe: (channels, sharded) => sharded ? own.sSubscribe(channels, take) : own.subscribe(channels, take),
    unsubscribe: (channels, sharded) => sharded ? own.sUnsubscribe(channels) : own.unsubscribe(channels),
    destroy: () => ending.run(destroy),
  };
}
