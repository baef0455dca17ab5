/**
 * Connections with the client that is built into Bun. Its own reconnecting is turned off as far as it can be.
 *
 * @module
 */

import { Ending } from "../base/ending.ts";
import { describe } from "../base/errors.ts";
import { unlessAborted } from "../base/promises.ts";
import type { BunRedisClient } from "./client.ts";
import type { RedisLink, RedisLinkHandler } from "./link.ts";

interface OwnBun {
  onconnect: (() => void) | null;
  onclose: ((error: unknown) => void) | null;
  readonly connected: boolean;
  connect(): Promise<unknown>;
  send(command: string, args: string[]): Promise<unknown>;
  subscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  unsubscribe(channels: string[]): Promise<unknown>;
  close(): void;
}

/** Closed copies, by the program's client. */
const bunModels = new WeakMap<BunRedisClient, BunRedisClient>();

/** A copy is resolved only when it is connected, and by then it may not be needed any more. */
const discard = (late: OwnBun): void => late.close();

/**
 * Makes a copy that is not connected. From a connected client Bun makes a copy that connects at once, and hides the
 * reason of a failure. Therefore only the first copy is made from it, closed, and copied from then on.
 */
async function duplicateBun(client: BunRedisClient, signal: AbortSignal): Promise<OwnBun> {
  let model = bunModels.get(client);
  if (model === undefined) {
    const first = await unlessAborted(client.duplicate() as Promise<OwnBun>, signal, discard).catch((cause) => {
      const hint = "check address, certificate and password, since Bun hides the reason";
      throw signal.aborted ? cause : new Error(`${describe(cause)}: ${hint}`, { cause });
    });
    first.close();
    model = first as unknown as BunRedisClient;
    bunModels.set(client, model);
  }
  return await unlessAborted(model.duplicate() as Promise<OwnBun>, signal, discard);
}

/**
 * Connects with a command in the queue, which gets the error for a wrong password, certificate or database; `connect`
 * hides it.
 */
async function connectBun(own: OwnBun): Promise<void> {
  let failure: unknown;
  const answered = own.send("PING", []).catch((error) => failure = error);
  try {
    await own.connect();
  } catch (error) {
    await answered;
    throw failure ?? error;
  }
  await answered;
  // A user who may not send PING is connected.
  if (failure !== undefined && !describe(failure).startsWith("NOPERM")) throw failure;
}

/**
 * Opens a connection with the options of a client that is built into Bun.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openBun(
  client: BunRedisClient,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const ending = new Ending(handler);
  const own = await duplicateBun(client, signal);
  const destroy = (): void => {
    own.close();
    ending.now(undefined);
  };
  own.onclose = (error) => ending.now(error);
  await ending.open(() => connectBun(own), destroy, signal);
  const gone = (): Error => new Error("the connection was lost");
  // Bun 1.4 does not report a broken connection: it queues commands, reconnects, and forgets the subscriptions
  // (`findings/bun_redis_subscriptions.sh`).
  own.onconnect = () => ending.now(gone());
  const take = (text: string, channel: string): void => handler.message(channel, text);
  return {
    send: ([command, ...args]) => own.connected ? own.send(command!, args) : Promise.reject(gone()),
    isAlive: () => own.connected,
    subscribe: (channels) => own.subscribe(channels, take),
    unsubscribe: (channels) => own.unsubscribe(channels),
    // A broken client reconnects for ever, unless it is closed again.
    destroy: () => {
      destroy();
      return ending.run(destroy);
    },
  };
}
