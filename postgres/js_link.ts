/**
 * Connections with `npm:postgres`, lent by the program's client, since it has no way to make another client with the
 * same options.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { Ending } from "../base/ending.ts";
import { unlessAborted } from "../base/promises.ts";
import type { PostgresJsClient } from "./client.ts";
import type { PostgresLink, PostgresLinkHandler, SqlColumn, SqlValue } from "./link.ts";

/** A connection inside of the client. */
interface Connection {
  onclose: ((error: unknown) => void) | null | undefined;
  terminate(): void;
}

interface QueryOptions {
  readonly prepare?: boolean;
  onexecute?(connection: Connection): boolean;
}

/** Rows with the bytes of each column, as they came. */
type RawRows = readonly (readonly (Uint8Array | null)[])[] & {
  /** Process of the server, as it was told when the connection was opened. */
  readonly state?: { readonly pid: number } | undefined;
  readonly columns?: readonly { readonly type: number }[] | undefined;
};

interface Query extends Promise<unknown> {
  raw(): Promise<RawRows>;
}

interface Reserved {
  unsafe(text: string, values: readonly SqlValue[], options: QueryOptions): Query;
  release(): void;
}

const BYTEA = 17;

function decode(rows: RawRows): SqlColumn[][] {
  return rows.map((row) =>
    row.map((bytes, index) => {
      if (bytes === null) return null;
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return rows.columns?.[index]?.type === BYTEA ? Buffer.from(text.toString("latin1", 2), "hex") : text.toString();
    })
  );
}

/** A channel of a client, with the listeners of all links. */
interface Channel {
  readonly listeners: Set<(payload: string) => void>;
  readonly subscribed: Promise<unknown>;
}

/**
 * Channels of each client. The client listens again by itself after a loss, and then can no longer end the subscription
 * (3.4.9): so there is one, which ends with the client.
 */
const channelsOf = new WeakMap<PostgresJsClient, Map<string, Channel>>();

function subscribe(client: PostgresJsClient, name: string): Channel {
  const channels = channelsOf.get(client) ?? new Map<string, Channel>();
  channelsOf.set(client, channels);
  let channel = channels.get(name);
  if (channel === undefined) {
    const listeners: Channel["listeners"] = new Set();
    const subscribed = client.listen(name, (payload) => listeners.forEach((listener) => listener(payload)));
    channels.set(name, channel = { listeners, subscribed });
    // The next connection tries again.
    subscribed.catch(() => channels.delete(name));
  }
  return channel;
}

/**
 * Finds the connection behind a reservation, which does not report its end. A statement after the end would throw where
 * no handler can catch it.
 *
 * @returns `true` if there is no pooler.
 */
async function inspect(reserved: Reserved, found: (connection: Connection) => void): Promise<boolean> {
  let isKnown = false;
  const rows = await reserved.unsafe("SELECT pg_backend_pid()::text", [], {
    onexecute(connection) {
      isKnown = typeof connection?.terminate === "function";
      if (isKnown) found(connection);
      return true;
    },
  }).raw();
  if (!isKnown) throw new Error("this version of npm:postgres is not known: use 3.4");
  return decode(rows)[0]![0] === String(rows.state?.pid);
}

/**
 * Reserves a connection that is open. One that the client would have to open first never comes if `fetch_types` is off
 * (3.4.9): a statement opens it; another one, if a statement of the program has taken that meanwhile.
 */
async function reserve(client: PostgresJsClient, signal: AbortSignal): Promise<Reserved> {
  const touch = (): Promise<unknown> =>
    (client as PostgresJsClient & Reserved).unsafe("SELECT 1", [], { prepare: false });
  await touch();
  signal.throwIfAborted();
  const reserving = client.reserve() as Promise<Reserved>;
  const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
  const reserved = await Promise.race([reserving, turn]);
  if (reserved !== undefined) return reserved;
  try {
    return await Promise.race([reserving, touch().then(() => reserving)]);
  } catch (error) {
    reserving.then((late) => late.release(), () => {});
    throw error;
  }
}

/**
 * Takes a connection of a client of `npm:postgres`.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openPostgresJs(
  client: PostgresJsClient,
  handler: PostgresLinkHandler,
  signal: AbortSignal,
): Promise<PostgresLink> {
  const ending = new Ending(handler);
  let reserved: Reserved | undefined;
  let connection: Connection | undefined;
  let channel: Channel | undefined;
  const listener = (payload: string): void => handler.notified(payload);
  // A pooler has a process number of its own, and may lead each statement to another connection of the server, where
  // the name of a prepared one means another statement, or none.
  let isDirect = false;
  let running = 0;
  const run = async <Answer>(statement: () => Promise<Answer>): Promise<Answer> => {
    running++;
    try {
      return await ending.guard(statement());
    } finally {
      running--;
    }
  };
  const watch = (found: Connection): void => {
    connection = found;
    found.onclose = (error) => {
      connection = undefined;
      ending.now(error);
    };
  };
  const destroy = (): void => {
    channel?.listeners.delete(listener);
    // Only one that lives can be given back.
    if (connection !== undefined) {
      connection.onclose = null;
      // One with a statement under way is of no use to the program.
      if (running > 0) connection.terminate();
      else reserved?.release();
      connection = undefined;
    }
    ending.now(undefined);
  };
  const connect = async (): Promise<void> => {
    const lent = reserved = await unlessAborted(reserve(client, signal), signal, (late) => late.release());
    try {
      isDirect = await run(() => inspect(lent, watch));
    } catch (error) {
      destroy();
      throw error;
    }
  };
  await ending.open(connect, destroy, signal);
  return {
    async query(text, values = []) {
      // The client sends it a microtask later, and must not do so once the connection has ended. Ends of connections
      // come one after the other without microtasks in between: the next one is known only after all of them.
      await Promise.resolve();
      if (ending.hasEnded) throw new Error("the connection was lost");
      // Prepared statements save a round trip; the program may have turned them off.
      const prepare = isDirect && values.length > 0;
      return decode(await run(() => reserved!.unsafe(text, values, { prepare }).raw()));
    },
    listen(name) {
      channel = subscribe(client, name);
      channel.listeners.add(listener);
      return channel.subscribed;
    },
    destroy: () => ending.run(destroy),
  };
}
