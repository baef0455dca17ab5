/**
 * The clients for Redis that a program may have, by their shape: `npm:redis`, `npm:ioredis`, and Bun's own. From the one that is given,
 * connections of our own are made with the same address, credentials and TLS; it is not used for anything else.
 *
 * @module
 */

import { describe, OptionError } from "../base/errors.ts";

/** A client of `npm:redis` (5 or later), as `createClient` makes it; it need not be connected. */
export interface NodeRedisClient {
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** What it was made with. */
  readonly options?: object;
  /** Sends a command. */
  sendCommand(args: string[]): Promise<unknown>;
  /** Makes another one like it. */
  duplicate(overrides?: object): unknown;
}

/** A client of `npm:ioredis` (5 or later), as `new Redis` makes it. */
export interface IoRedisClient {
  /** Where it is in its life. */
  readonly status: string;
  /** Sends a command. */
  call(command: string, args: string[]): Promise<unknown>;
  /** Makes another one like it. */
  duplicate(overrides?: object): unknown;
}

/** The client that is built into Bun, `RedisClient`. */
export interface BunRedisClient {
  /** Whether it is connected. */
  readonly connected: boolean;
  /** Sends a command. */
  send(command: string, args: string[]): Promise<unknown>;
  /** Makes another one like it. */
  duplicate(): Promise<unknown>;
}

/** A client for Redis 7 or later that the program has. */
export type RedisClient = NodeRedisClient | IoRedisClient | BunRedisClient;

/** What happens on a {@linkcode RedisLink}. */
export interface RedisLinkHandler {
  /**
   * A message of a channel came.
   *
   * @param channel The channel.
   * @param text The message.
   */
  message(channel: string, text: string): void;
  /**
   * The connection is gone. Called once.
   *
   * @param error Why.
   */
  closed(error: unknown): void;
}

/** One connection to Redis. When it is gone it stays so: another one is opened. */
export interface RedisLink {
  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer. Rejects with what Redis says, or if the connection is gone.
   */
  send(args: string[]): Promise<unknown>;
  /** Begins to listen to channels. */
  subscribe(channels: string[]): Promise<unknown>;
  /** Ends it. */
  unsubscribe(channels: string[]): Promise<unknown>;
  /** Whether it is there still, where the client does not tell of its end. */
  isAlive?(): boolean;
  /**
   * Ends the connection; what is not answered rejects. Calling it again, or when it has ended, changes nothing.
   *
   * @returns Resolves when it has ended.
   */
  destroy(): Promise<void>;
}

/**
 * Opens a connection like that of a client.
 *
 * @param client The program's client.
 * @param handler Told what happens, once it is open.
 * @param signal Gives it up, while it is not open.
 * @returns The open connection.
 * @throws {OptionError} If the client is of no kind that is known.
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
 * @param client What the program gives.
 * @throws {OptionError} If it is of no kind that is known.
 */
export function assertRedisClient(client: RedisClient): void {
  kindOf(client);
}

function kindOf(client: unknown): "redis" | "ioredis" | "bun" {
  const given = (client ?? {}) as Record<string, unknown>;
  const can = (name: string): boolean => typeof given[name] === "function";
  // Their copies are made otherwise, or choose a server for each command.
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
  throw new OptionError("The Redis client is none of npm:redis, npm:ioredis and what is built into Bun");
}

/** Names a client that has several connections. */
function kindOfSeveral(given: Record<string, unknown>, can: (name: string) => boolean): string | undefined {
  if (given.isCluster === true) return "a Cluster of npm:ioredis";
  if (can("nodeClient")) return "a cluster of npm:redis (createCluster)";
  if (can("execute") && "totalClients" in given) return "a pool of npm:redis (createClientPool)";
  if (can("acquire")) return can("release") ? "a pool of clients" : "for sentinels (createSentinel of npm:redis)";
  return undefined;
}

/** The end of one connection. */
class Ending {
  #handler: RedisLinkHandler;
  #opened = false;
  #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #destroyed = false;

  constructor(handler: RedisLinkHandler) {
    this.#handler = handler;
  }

  /** Opens the connection; from then on the handler is told of its end. */
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
   * The connection has ended.
   *
   * @param error Why; `undefined`: the client does not tell.
   */
  now(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ended.resolve();
    if (this.#opened) this.#handler.closed(error ?? new Error("the connection was closed"));
  }

  /** Brings it about. */
  run(destroy: () => unknown): Promise<void> {
    if (this.#hasEnded || this.#destroyed) return this.#ended.promise;
    this.#destroyed = true;
    try {
      destroy();
    } catch (error) {
      // It was closed already.
      this.now(error);
    }
    return this.#ended.promise;
  }
}

// Reconnecting and queueing is ours, the same for all three: theirs keeps without bound, comes late, or gives up.

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
  const { socket } = (client.options ?? {}) as { socket?: object };
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

/** Tells whether an error of Redis calls for another connection: `false` or 0 for no. */
type ReconnectOnError = (error: Error) => boolean | number;

async function openIoRedis(
  client: IoRedisClient,
  handler: RedisLinkHandler,
  ending: Ending,
  signal: AbortSignal,
): Promise<RedisLink> {
  let failure: unknown;
  const { reconnectOnError } = ((client as { options?: unknown }).options ?? {}) as {
    reconnectOnError?: ReconnectOnError | null;
  };
  const own = client.duplicate({
    retryStrategy: () => null,
    // Another connection is ours to make. What Redis refused is not sent again (2): its sender is told, and decides.
    reconnectOnError: typeof reconnectOnError !== "function" ? null : (error: Error) => {
      if (!reconnectOnError(error)) return false;
      failure = new Error(`reconnectOnError wants another connection: ${describe(error)}`, { cause: error });
      return true;
    },
    enableOfflineQueue: false,
    lazyConnect: true,
    // While Redis loads its file it refuses what is asked: that is noticed by itself.
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
  }) as OwnIoRedis;
  own.on("error", (error) => failure = error);
  own.on("end", () => ending.now(failure));
  own.on("message", (channel: string, text: string) => handler.message(channel, text));
  const destroy = (): void => {
    if (own.status === "close" || own.status === "end") return ending.now(failure);
    // Between two states it would say nothing any more.
    const says = own.status === "ready" || own.status === "connect";
    own.disconnect();
    if (!says) ending.now(failure);
  };
  try {
    await ending.open(() => own.connect(), destroy, signal);
  } catch (error) {
    // "Connection is closed." says less than what came before it.
    throw failure ?? error;
  }
  return {
    send: ([command, ...args]) => own.call(command, args),
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

/** Copies that are closed, by the program's client. */
const bunModels = new WeakMap<BunRedisClient, BunRedisClient>();

/**
 * Makes a copy that is not connected. Of a client that is connected Bun makes one that connects at once, and does not tell what goes wrong
 * then: only the first copy, of which the others are made, is made so.
 */
async function duplicateBun(client: BunRedisClient, signal: AbortSignal): Promise<OwnBun> {
  let model = bunModels.get(client);
  if (model === undefined) {
    const first = await unlessAborted(client.duplicate() as Promise<OwnBun>, signal).catch((cause) => {
      const hint = "Bun does not tell whether address, certificate or password are wrong";
      throw signal.aborted ? cause : new Error(`${describe(cause)}: ${hint}`, { cause });
    });
    first.close();
    model = first as unknown as BunRedisClient;
    bunModels.set(client, model);
  }
  return await unlessAborted(model.duplicate() as Promise<OwnBun>, signal);
}

/** Waits for a connection, unless it is aborted; making one lasts as long as Bun takes to connect. */
async function unlessAborted(made: Promise<OwnBun>, signal: AbortSignal): Promise<OwnBun> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason);
    // Nobody waits for it any more.
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

/** A wrong password or certificate is told to a command that waits; `connect` says "Connection closed" then. */
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
  // Bun 1.4 does not tell when a connection breaks. It keeps commands, connects again by itself, and forgets the subscriptions.
  own.onconnect = () => ending.now(gone());
  const take = (text: string, channel: string): void => handler.message(channel, text);
  return {
    send: ([command, ...args]) => own.connected ? own.send(command, args) : Promise.reject(gone()),
    isAlive: () => own.connected,
    subscribe: (channels) => own.subscribe(channels, take),
    unsubscribe: (channels) => own.unsubscribe(channels),
    // What is left of a broken one connects again for ever, if it is not closed.
    destroy: () => {
      destroy();
      return ending.run(destroy);
    },
  };
}
