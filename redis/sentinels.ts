/**
 * Sentinels as each client of the program has them, in one form: with `npm:ioredis` from its options, with `npm:redis`
 * from those of `createSentinel`.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { hasMethods, showValue } from "../base/option_names.ts";
import { unlessAborted } from "../base/promises.ts";
import { type IoRedisClient, kindOf, type NodeRedisClient, type RedisClient } from "./client.ts";
import type { NodeRedisSentinel, RedisAddress, RedisSentinels } from "./source.ts";

/** Port of a sentinel, if none is given. */
const SENTINEL_PORT = 26379;
/** Time for an answer while a model is taken, in ms: a second sentinel is asked within the patience of a session. */
const MODEL_PATIENCE = 2000;

/**
 * Returns the sentinels of a client, each time a connection is to be made.
 *
 * @param signal Aborts the attempt.
 * @returns The sentinels.
 */
export type FindSentinels = (signal: AbortSignal) => Promise<RedisSentinels>;

/** Addresses in place of those that sentinels tell. */
type AddressMap = ((address: string) => RedisAddress | null | undefined) | Readonly<Record<string, RedisAddress>>;

function mapped({ host, port }: RedisAddress, map: AddressMap | null | undefined): RedisAddress {
  const key = `${host}:${port}`;
  return (typeof map === "function" ? map(key) : map?.[key]) ?? { host, port };
}

/**
 * Finds the sentinels of what the program gave.
 *
 * @param source A client, or {@linkcode RedisSentinels}.
 * @returns How to get the sentinels; `undefined` if it is a client of one Redis.
 * @throws {OptionError} If something of the sentinels is missing or wrong.
 */
export function findSentinels(source: object | null | undefined): FindSentinels | undefined {
  if (hasMethods(source, "acquire", "getSentinelNode")) return ofNodeRedis(source as NodeRedisSentinel);
  if (hasMethods(source, "duplicate")) {
    const { options } = source as { options?: IoRedisOptions | null | undefined };
    if (!Array.isArray(options?.sentinels) || kindOf(source) !== "ioredis") return undefined;
    const sentinels = ofIoRedis(source as IoRedisClient, options);
    return () => Promise.resolve(sentinels);
  }
  if (source === null || typeof source !== "object" || !("sentinels" in source)) return undefined;
  const given = source as RedisSentinels;
  assertSentinels(given);
  return () => Promise.resolve(given);
}

function assertSentinels({ name, sentinels, primary }: RedisSentinels): void {
  if (typeof name !== "string" || name === "") {
    throw new OptionError(
      `The name of the primary at the sentinels is ${showValue(name)}: give that of its "monitor" line`,
    );
  }
  if (!Array.isArray(sentinels) || sentinels.length === 0) {
    const given = Array.isArray(sentinels) ? "an empty array" : showValue(sentinels);
    throw new OptionError(`The sentinels of "${name}" are ${given}: give an array with a client for each sentinel`);
  }
  for (const sentinel of sentinels) kindOf(sentinel, name);
  if (typeof primary !== "function") {
    const hint = "give a function that makes a client for an address";
    throw new OptionError(`"primary" of the sentinels of "${name}" is ${showValue(primary)}: ${hint}`);
  }
}

// ---- npm:ioredis ----------------------------------------------------------------------------------------------------

/** Options of `npm:ioredis` that concern sentinels. */
interface IoRedisOptions {
  sentinels?: readonly { host?: string; port?: number; family?: number }[] | null;
  name?: string | null;
  natMap?: AddressMap | null;
  family?: number;
  tls?: object | null;
  enableTLSForSentinelMode?: boolean;
  sentinelTLS?: object;
  sentinelUsername?: string | null;
  sentinelPassword?: string | null;
}

/**
 * Has all sentinels asked at once. The client itself asks one after the other, and waits for ever for one that stands
 * still.
 */
function ofIoRedis(client: IoRedisClient, options: IoRedisOptions): RedisSentinels {
  const { name, natMap, tls, enableTLSForSentinelMode, sentinelTLS, sentinelUsername, sentinelPassword } = options;
  const copy = (overrides: object): RedisClient =>
    client.duplicate({ sentinels: null, lazyConnect: true, path: null, ...overrides }) as IoRedisClient;
  return {
    name: name ?? "",
    sentinels: options.sentinels!.map(({ host = "127.0.0.1", port = SENTINEL_PORT, family = options.family }) =>
      copy({
        host,
        port,
        family,
        tls: sentinelTLS,
        username: sentinelUsername ?? null,
        password: sentinelPassword ?? null,
        db: 0,
        readOnly: false,
        connectionName: null,
      })
    ),
    primary: (address) => copy({ ...mapped(address, natMap), tls: enableTLSForSentinelMode ? tls : undefined }),
  };
}

// ---- npm:redis ------------------------------------------------------------------------------------------------------

/** Options of `createSentinel`. */
interface NodeSentinelOptions {
  name: string;
  sentinelRootNodes: readonly RedisAddress[];
  nodeClientOptions?: { socket?: object };
  sentinelClientOptions?: { socket?: object };
  nodeAddressMap?: AddressMap;
}

/** Sentinels of `npm:redis` as a copy of our own has them. */
interface OwnNodeSentinel {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  _execute<Result>(isReadonly: boolean, action: (client: NodeRedisClient) => Promise<Result>): Promise<Result>;
  destroy(): Promise<void>;
}

function ofNodeRedis(client: NodeRedisSentinel): FindSentinels {
  const options = optionsOf(client);
  let found: RedisSentinels | undefined;
  let attempts = 0;
  return async (signal) => {
    if (found !== undefined) return found;
    // A sentinel that stands still would hold up each attempt.
    const { sentinelRootNodes: roots } = options;
    const first = attempts++ % roots.length;
    const sentinelRootNodes = [...roots.slice(first), ...roots.slice(0, first)];
    return found ??= fromModel(await takeModel(client, { ...options, sentinelRootNodes }, signal), options);
  };
}

/** Reads the options, which a sentinel hides: `duplicate` gives them to the constructor of its `this`. */
function optionsOf(client: NodeRedisSentinel): NodeSentinelOptions {
  let options: NodeSentinelOptions | undefined;
  class Reader {
    readonly _self = (client as { _self?: object })._self ?? client;
    readonly commandOptions = undefined;

    constructor(given?: NodeSentinelOptions) {
      options = given;
    }
  }
  if (hasMethods(client, "duplicate", "_execute")) client.duplicate.call(new Reader() as unknown as NodeRedisSentinel);
  if (!Array.isArray(options?.sentinelRootNodes)) {
    const why = "createSentinel of npm:redis in a version that does not show its options";
    throw new OptionError(`The Redis client is of ${why}: take version 6, or give { name, sentinels, primary }`);
  }
  return options;
}

/** Sets a limit for answers. */
function impatient(options: { socket?: object } | undefined): object {
  return { ...options, socket: { ...options?.socket, socketTimeout: MODEL_PATIENCE } };
}

/** Takes a client of one Redis, for its class and options: a copy of the sentinels is connected and closed again. */
async function takeModel(
  client: NodeRedisSentinel,
  options: NodeSentinelOptions,
  signal: AbortSignal,
): Promise<NodeRedisClient> {
  const overrides = {
    sentinelRootNodes: options.sentinelRootNodes,
    // Without a limit it waits for ever, and so does `destroy`.
    sentinelClientOptions: impatient(options.sentinelClientOptions),
    nodeClientOptions: impatient(options.nodeClientOptions),
    masterPoolSize: 1,
    replicaPoolSize: 0,
    reserveClient: false,
    scanInterval: 0,
    maxCommandRediscovers: 0,
    clientSideCache: undefined,
  };
  const own = client.duplicate(overrides) as OwnNodeSentinel;
  let failure: unknown;
  own.on("error", (error) => failure ??= error);
  const taken = own.connect()
    .then(() => own._execute(false, (model) => Promise.resolve({ model })))
    .finally(() => own.destroy());
  try {
    return (await unlessAborted(taken, signal)).model;
  } catch (error) {
    throw failure ?? error;
  }
}

function fromModel(model: NodeRedisClient, options: NodeSentinelOptions): RedisSentinels {
  const { nodeClientOptions, sentinelClientOptions, nodeAddressMap } = options;
  const copy = (address: RedisAddress, own: { socket?: object } | undefined): RedisClient => {
    const socket = { ...own?.socket, ...mapped(address, nodeAddressMap) };
    // Those of the model are the credentials for the primary.
    const none = { username: undefined, password: undefined, credentialsProvider: undefined, database: undefined };
    return model.duplicate({ ...none, ...own, clientSideCache: undefined, socket }) as NodeRedisClient;
  };
  return {
    name: options.name,
    sentinels: options.sentinelRootNodes.map((address) => copy(address, sentinelClientOptions)),
    primary: (address) => copy(address, nodeClientOptions),
  };
}
