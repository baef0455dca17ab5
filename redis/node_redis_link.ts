/**
 * Connections with `npm:redis`. Its own reconnecting and queueing is turned off: it queues without bound, comes late,
 * or gives up.
 *
 * @module
 */

import { Ending } from "../base/ending.ts";
import type { NodeRedisClient } from "./client.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";

interface OwnNodeRedis {
  readonly options?: { readonly database?: number | undefined } | undefined;
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(args: string[]): Promise<unknown>;
  subscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  unsubscribe(channels: string[]): Promise<unknown>;
  sSubscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  sUnsubscribe(channels: string[]): Promise<unknown>;
  destroy(): void;
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
  own.on("error", (error) => ending.now(error));
  own.on("end", () => ending.now(undefined));
  own.on("sharded-channel-moved", () => handler.moved?.());
  const destroy = (): void => {
    own.destroy();
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
