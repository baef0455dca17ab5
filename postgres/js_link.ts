/**
 * Connections with `npm:postgres`, lent by the program's client, since it has no way to make another client with the
 * same options.
 *
 * @module
 */

import { Buffer } from "node:buffer";
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
  readonly columns?: readonly { readonly type: number }[] | undefined;
};

interface Query extends Promise<unknown> {
  raw(): Promise<RawRows>;
}

interface Reserved {
  unsafe(text: string, values: readonly SqlValue[], options: QueryOptions): Query;
  release(): void;
}

interface Subscription {
  unlisten(): Promise<unknown>;
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

/**
 * Finds the connection behind a reservation, which does not report its end. A statement after the end would throw where
 * nobody can catch it.
 */
async function connectionOf(reserved: Reserved): Promise<Connection> {
  let found: Connection | undefined;
  await reserved.unsafe("SELECT 1", [], {
    onexecute(connection) {
      found = connection;
      return true;
    },
  });
  if (typeof found?.terminate === "function") return found;
  throw new Error("this version of npm:postgres is not known: use 3.4");
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
  let subscription: Promise<Subscription> | undefined;
  let running = 0;
  const connect = async (): Promise<void> => {
    const reserving = client.reserve() as Promise<Reserved>;
    reserved = await unlessAborted(reserving, signal, (late) => late.release());
    connection = await connectionOf(reserved);
    connection.onclose = (error) => ending.now(error);
  };
  const destroy = (): void => {
    subscription?.then((listening) => listening.unlisten()).catch(() => {});
    if (connection !== undefined && !ending.hasEnded) {
      connection.onclose = null;
      // One with a statement under way is of no use to the program.
      if (running > 0) connection.terminate();
      else reserved?.release();
    }
    ending.now(undefined);
  };
  await ending.open(connect, destroy, signal);
  return {
    async query(text, values = []) {
      if (ending.hasEnded) throw new Error("the connection was lost");
      running++;
      try {
        // Statements are prepared, which saves a round trip, unless the program has turned that off.
        return decode(await reserved!.unsafe(text, values, { prepare: values.length > 0 }).raw());
      } finally {
        running--;
      }
    },
    listen(channel) {
      return subscription = client.listen(channel, (payload) => handler.notified(payload)) as Promise<Subscription>;
    },
    destroy: () => ending.run(destroy),
  };
}
