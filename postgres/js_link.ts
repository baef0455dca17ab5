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
 * no handler can catch it.
 */
async function connectionOf(reserved: Reserved): Promise<[connection: Connection, isDirect: boolean]> {
  let found: Connection | undefined;
  const rows = await reserved.unsafe("SELECT pg_backend_pid()::text", [], {
    onexecute(connection) {
      found = connection;
      return true;
    },
  }).raw();
  if (typeof found?.terminate !== "function") throw new Error("this version of npm:postgres is not known: use 3.4");
  return [found, decode(rows)[0]![0] === String(rows.state?.pid)];
}

/**
 * Reserves a connection. One that the client would have to open first never comes if `fetch_types` is off (3.4.9): a
 * statement opens it.
 */
async function reserveOpen(client: PostgresJsClient): Promise<Reserved> {
  const { fetch_types: fetchesTypes } = client.options as { readonly fetch_types?: boolean };
  if (fetchesTypes === false) await (client as PostgresJsClient & Reserved).unsafe("SELECT 1", [], { prepare: false });
  return await client.reserve() as Reserved;
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
  // A pooler has a process number of its own, and may lead each statement to another connection of the server, where
  // the name of a prepared one means another statement, or none.
  let isDirect = false;
  let running = 0;
  const connect = async (): Promise<void> => {
    reserved = await unlessAborted(reserveOpen(client), signal, (late) => late.release());
    [connection, isDirect] = await connectionOf(reserved);
    connection.onclose = (error) => {
      connection = undefined;
      ending.now(error);
    };
  };
  const destroy = (): void => {
    subscription?.then((listening) => listening.unlisten()).catch(() => {});
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
  await ending.open(connect, destroy, signal);
  return {
    async query(text, values = []) {
      if (ending.hasEnded) throw new Error("the connection was lost");
      running++;
      try {
        // Prepared statements save a round trip; the program may have turned them off.
        const prepare = isDirect && values.length > 0;
        return decode(await ending.guard(reserved!.unsafe(text, values, { prepare }).raw()));
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
