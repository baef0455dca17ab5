/**
 * Connections for the journal, made from the client of the program, or lent by it.
 *
 * @module
 */

import { unlessAborted } from "../base/promises.ts";
import { openBun } from "./bun_link.ts";
import {
  type BunSqlClient,
  isResolver,
  kindOf,
  type PgClient,
  type PgPool,
  type PostgresClient,
  type PostgresJsClient,
  type PostgresSource,
} from "./client.ts";
import type { PostgresLink, PostgresLinkHandler } from "./link.ts";
import { openPg } from "./pg_link.ts";
import { openPostgresJs } from "./js_link.ts";

/**
 * Opens a connection.
 *
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export type LinkOpener = (handler: PostgresLinkHandler, signal: AbortSignal) => Promise<PostgresLink>;

/**
 * Makes connections with the options of a client.
 *
 * @param source The program's client, or a function that gives one.
 * @returns Opens one connection a call.
 * @throws {OptionError} If the client is of an unknown kind.
 */
export function linkOpener(source: PostgresSource): LinkOpener {
  if (!isResolver(source)) {
    kindOf(source);
    return (handler, signal) => open(source, handler, signal);
  }
  return async (handler, signal) => {
    const client = await unlessAborted(Promise.resolve().then(source), signal);
    return await open(client, handler, signal);
  };
}

function open(client: PostgresClient, handler: PostgresLinkHandler, signal: AbortSignal): Promise<PostgresLink> {
  switch (kindOf(client)) {
    case "pool":
    case "client":
      return openPg(client as PgPool | PgClient, handler, signal);
    case "postgres":
      return openPostgresJs(client as PostgresJsClient, handler, signal);
    case "bun":
      return openBun(client as BunSqlClient, handler, signal);
  }
}
