/**
 * Connections with `npm:ioredis`. Its own reconnecting and queueing is turned off: it queues without bound, comes late,
 * or gives up.
 *
 * @module
 */

import { Ending } from "../base/ending.ts";
import { describe, OptionError } from "../base/errors.ts";
import type { IoRedisClient } from "./client.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";

interface OwnIoRedis {
  readonly options: { readonly db?: number | undefined };
  readonly status: string;
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  call(command: string, args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  ssubscribe(...channels: string[]): Promise<unknown>;
  sunsubscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}

/** Decides whether an error of Redis requires another connection: `false` or 0 for no. */
type ReconnectOnError = (error: Error) => boolean | number;

/**
 * Opens a connection with the options of a client of `npm:ioredis`.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openIoRedis(
  client: IoRedisClient,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const ending = new Ending(handler);
  let failure: unknown;
  const { reconnectOnError, db, sentinels } = ((client as { options?: unknown }).options ?? {}) as {
    reconnectOnError?: ReconnectOnError | null | undefined;
    db?: number | undefined;
    sentinels?: unknown;
  };
  // It would ask them itself, and stay with a primary that is being replaced.
  if (Array.isArray(sentinels)) {
    const hint = "give it in place of the function that has made it";
    throw new OptionError(`The Redis client is for sentinels ("sentinels" of npm:ioredis): ${hint}`);
  }
  const own = client.duplicate({
    retryStrategy: () => null,
    // The session reconnects. A refused command is not sent again (2): its sender gets the error, and decides.
    reconnectOnError: typeof reconnectOnError !== "function" ? null : (error: Error) => {
      if (!reconnectOnError(error)) return false;
      failure = new Error(`reconnectOnError wants another connection: ${describe(error)}`, { cause: error });
      return true;
    },
    enableOfflineQueue: false,
    lazyConnect: true,
    // A Redis that loads its file refuses commands, which the session notices.
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // A peer that stands still does not answer the FIN.
    disconnectTimeout: 100,
  }) as OwnIoRedis;
  own.on("error", (error) => failure = error);
  own.on("end", () => ending.now(failure));
  for (const event of ["message", "smessage"]) {
    own.on(event, (channel: string, text: string) => handler.message(channel, text));
  }
  own.on("moved", () => handler.moved?.());
  const destroy = (): void => {
    if (own.status === "close" || own.status === "end") return ending.now(failure);
    // Between two states ioredis emits no "end".
    const emitsEnd = own.status === "ready" || own.status === "connect";
    own.disconnect();
    if (!emitsEnd) ending.now(failure);
  };
  const connect = async (): Promise<void> => {
    await own.connect();
    // ioredis 6.0 goes on in database 0 if it cannot select another one (`findings/ioredis_wrong_database.sh`).
    if (db) await own.call("SELECT", [`${db}`]);
  };
  try {
    await ending.open(connect, destroy, signal);
  } catch (error) {
    // "Connection is closed." says less than the error before it.
    throw failure ?? error;
  }
  return {
    database: own.options.db,
    send: ([command, ...args]) => own.call(command!, args),
    subscribe: (channels, sharded) => sharded ? own.ssubscribe(...channels) : own.subscribe(...channels),
    unsubscribe: (channels, sharded) => sharded ? own.sunsubscribe(...channels) : own.unsubscribe(...channels),
    destroy: () => ending.run(destroy),
  };
}
