/**
 * Clients for Redis, told apart by their shape: `npm:redis`, `npm:ioredis`, and Bun's own. The program's client serves
 * as a model for connections with the same address, credentials and TLS; it is not used otherwise.
 *
 * @module
 */

import { describe, OptionError } from "../base/errors.ts";

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

/** A client for Redis 7 or later, made by the program. */
export type RedisClient = NodeRedisClient | IoRedisClient | BunRedisClient;

/** Events of a {@linkcode RedisLink}. */
export interface RedisLinkHandler {
  /**
   * Called with a message of a channel.
   *
   * @param channel The channel.
   * @param text The message.
   */
  message(channel: string, text: string): void;
  /**
   * Called once, when the connection is lost.
   *
   * @param error Reason.
   */
  closed(error: unknown): void;
}

/** One connection to Redis, which does not reconnect. */
export interface RedisLink {
  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer. Rejects with the error of Redis, or if the connection is lost.
   */
  send(args: string[]): Promise<unknown>;
  /** Subscribes to channels. */
  subscribe(channels: string[]): Promise<unknown>;
  /** Unsubscribes from channels. */
  unsubscribe(channels: string[]): Promise<unknown>;
  /** Returns whether it is open; only for clients that do not report the end of a connection. */
  readonly isAlive?: (() => boolean) | undefined;
  /**
   * Closes the connection; commands without an answer reject. Ignored if it is closed already.
   *
   * @returns Resolves when it is closed.
   */
  destroy(): Promise<void>;
}

/**
 * Opens a connection with the options of a client.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 * @throws {OptionError} If the client is of an unknown kind.
 */
export function openRedisLink(
  client: RedisClient,
  handler: RedisLinkHandler,
  signal: AbortSignal,
): Promise<RedisLink> {
  const ending = new Ending(handler);
  switch (kindOf(client)) {
    case "ioredis":
      return openIoRedis(client as IoRedisClient, handler, ending, signal);
    case "redis":
      return openNodeRedis(client as NodeRedisClient, handler, ending, signal);
    case "bun":
      return openBun(client as BunRedisClient, handler, ending, signal);
  }
}

/**
 * Checks a client.
 *
 * @param client The program's client.
 * @throws {OptionError} If it is of an unknown kind.
 */
export function assertRedisClient(client: RedisClient): void {
  kindOf(client);
}

function kindOf(client: unknown): "redis" | "ioredis" | "bun" {
  const given = (client ?? {}) as Record<string, unknown>;
  const can = (name: string): boolean => typeof given[name] === "function";
  // Copies of such clients are made in another way, or choose a server for each command.
  const several = kindOfSeveral(given, can);
  if (several !== undefined) {
    throw new OptionError(`The Redis client is ${several}: give a client with one connection to one Redis`);
  }
  if (can("duplicate")) {
    // ioredis has a sendCommand too.
    if (can("call") && typeof given.status === "string") return "ioredis";
    if (can("sendCommand") && "isReady" in given) return "redis";
    if (can("send") && "connected" in given) return "bun";
  }
  throw new OptionError("The Redis client is of none of these kinds: npm:redis, npm:ioredis, built into Bun");
}

/** Names a kind of client that has several connections. */
function kindOfSeveral(given: Record<string, unknown>, can: (name: string) => boolean): string | undefined {
  if (given.isCluster === true) return "a Cluster of npm:ioredis";
  if (can("nodeClient")) return "a cluster of npm:redis (createCluster)";
  if (can("execute") && "totalClients" in given) return "a pool of npm:redis (createClientPool)";
  if (can("acquire")) return can("release") ? "a pool of clients" : "for sentinels (createSentinel of npm:redis)";
  return undefined;
}

/** End of one connection, reported once. */
class Ending {
  #handler: RedisLinkHandler;
  #opened = false;
  #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #destroyed = false;

  constructor(handler: RedisLinkHandler) {
    this.#handler = handler;
  }

  /** Opens the connection; from then on its end is reported. */
  async open(connect: () => Promise<unknown>, destroy: () => unknown, signal: AbortSignal): Promise<void> {
    const abort = (): void => void this.run(destroy);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      await connect();
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", abort);
    }
    this.#opened = true;
  }

  /**
   * Notes that the connection has ended.
   *
   * @param error Reason; `undefined` if the client gives none.
   */
  now(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ended.resolve();
    if (this.#opened) this.#handler.closed(error ?? new Error("the connection was closed"));
  }

  /** Closes the connection. */
  run(destroy: () => unknown): Promise<void> {
    if (this.#hasEnded || this.#destroyed) return this.#ended.promise;
    this.#destroyed = true;
    try {
      destroy();
    } catch (error) {
      // The client was closed already.
      this.now(error);
    }
    return this.#ended.promise;
  }
}

// Reconnecting and queueing of the clients is turned off: it queues without bound, comes late, or gives up, and differs
// between them.

interface OwnNodeRedis {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(args: string[]): Promise<unknown>;
  subscribe(channels: string[], listener: (text: string, channel: string) => void): Promise<unknown>;
  unsubscribe(channels: string[]): Promise<unknown>;
  destroy(): void;
}

async function openNodeRedis(
  client: NodeRedisClient,
  handler: RedisLinkHandler,
  ending: Ending,
  signal: AbortSignal,
): Promise<RedisLink> {
  const { socket } = (client.options ?? {}) as { socket?: object | undefined };
  const overrides = { socket: { ...socket, reconnectStrategy: false }, disableOfflineQueue: true };
  const own = client.duplicate(overrides) as OwnNodeRedis;
  own.on("error", (error) => ending.now(error));
  own.on("end", () => ending.now(undefined));
  const destroy = (): void => {
    own.destroy();
    ending.now(undefined);
  };
  await ending.open(() => own.connect(), destroy, signal);
  const take = (text: string, channel: string): void => handler.message(channel, text);
  return {
    send: (args) => own.sendCommand(args),
    subscribe: (channels) => own.subscribe(channels, take),
    unsubscribe: (channels) => own.unsubscribe(channels),
    destroy: () => ending.run(destroy),
  };
}

interface OwnIoRedis {
  readonly status: string;
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  call(command: string, args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}

/** Decides whether an error of Redis requires another connection: `false` or 0 for no. */
type ReconnectOnError = (error: Error) => boolean | number;

async function openIoRedis(
  client: IoRedisClient,
  handler: RedisLinkHandler,
  ending: Ending,
  signal: AbortSignal,
): Promise<RedisLink> {
  let failure: unknown;
  const { reconnectOnError } = ((client as { options?: unknown }).options ?? {}) as {
    reconnectOnError?: ReconnectOnError | null | undefined;
  };
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
  }) as OwnIoRedis;
  own.on("error", (error) => failure = error);
  own.on("end", () => ending.now(failure));
  own.on("message", (channel: string, text: string) => handler.message(channel, text));
  const destroy = (): void => {
    if (own.status === "close" || own.status === "end") return ending.now(failure);
    // Between two states ioredis emits no "end".
    const emitsEnd = own.status === "ready" || own.status === "connect";
    own.disconnect();
    if (!emitsEnd) ending.now(failure);
  };
  try {
    await ending.open(() => own.connect(), destroy, signal);
  } catch (error) {
    // "Connection is closed." says less than the error before it.
    throw failure ?? error;
  }
  return {
    send: ([command, ...args]) => own.call(command!, args),
    subscribe: (channels) => own.subscribe(...channels),
    unsubscribe: (channels) => own.unsubscribe(...channels),
    destroy: () => ending.run(destroy),
  };
}

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

/**
 * Makes a copy that is not connected. From a connected client Bun makes a copy that connects at once, and hides the
 * reason of a failure. Therefore only the first copy is made from it, closed, and copied from then on.
 */
async function duplicateBun(client: BunRedisClient, signal: AbortSignal): Promise<OwnBun> {
  let model = bunModels.get(client);
  if (model === undefined) {
    const first = await unlessAborted(client.duplicate() as Promise<OwnBun>, signal).catch((cause) => {
      const hint = "check address, certificate and password, since Bun hides the reason";
      throw signal.aborted ? cause : new Error(`${describe(cause)}: ${hint}`, { cause });
    });
    first.close();
    model = first as unknown as BunRedisClient;
    bunModels.set(client, model);
  }
  return await unlessAborted(model.duplicate() as Promise<OwnBun>, signal);
}

/** Waits for a copy, unless it is aborted; Bun resolves it only when it is connected. */
async function unlessAborted(made: Promise<OwnBun>, signal: AbortSignal): Promise<OwnBun> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason);
    // The copy is not used any more.
    made.then((own) => own.close(), () => {});
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([made, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Connects with a command in the queue, which gets the error for a wrong password or certificate; `connect` hides it.
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
}

async function openBun(
  client: BunRedisClient,
  handler: RedisLinkHandler,
  ending: Ending,
  signal: AbortSignal,
): Promise<RedisLink> {
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
