/**
 * Connections with `npm:pg`, one client each, with the options of the program's pool or client.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Ending } from "../base/ending.ts";
import type { PgClient, PgPool } from "./client.ts";
import type { PostgresLink, PostgresLinkHandler, SqlColumn, SqlValue } from "./link.ts";

interface Answer {
  readonly rows: readonly (readonly SqlColumn[])[];
}

interface OwnPg {
  readonly connection?: { readonly stream?: { destroy(): void } | undefined } | undefined;
  on(event: string, listener: (event: { readonly payload?: string | undefined }) => void): unknown;
  connect(): Promise<unknown>;
  query(query: object): Promise<Answer | Answer[]>;
  end(): Promise<unknown>;
}

type PgClass = new (options: object) => OwnPg;

const BYTEA = 17;

/** Parsers of columns: the program may have changed those of the package. */
const TYPES = {
  getTypeParser: (type: number) => (text: string): SqlColumn =>
    type === BYTEA ? Buffer.from(text.slice(2), "hex") : text,
};

/** Makes a client with the options of the program's: those of a single client are kept in parts. */
function duplicate(client: PgPool | PgClient): OwnPg {
  if ("totalCount" in client) {
    const { Client, options } = client as PgPool & { readonly Client: PgClass };
    return new Client(options);
  }
  const { connectionParameters } = client as PgClient & { readonly connectionParameters: object };
  // Own properties only would leave the password out, which is hidden from lists.
  const options = Object.create(connectionParameters, { keepAlive: { value: true } });
  return new (client.constructor as PgClass)(options);
}

/**
 * Opens a connection with the options of a pool or client of `npm:pg`.
 *
 * @param client The program's client.
 * @param handler Takes the events, once the connection is open.
 * @param signal Aborts the opening.
 * @returns The open connection.
 */
export async function openPg(
  client: PgPool | PgClient,
  handler: PostgresLinkHandler,
  signal: AbortSignal,
): Promise<PostgresLink> {
  const ending = new Ending(handler);
  const own = duplicate(client);
  own.on("error", (error) => ending.now(error));
  own.on("end", () => ending.now(undefined));
  own.on("notification", ({ payload }) => handler.notified(payload ?? ""));
  const destroy = (): void => {
    own.end().catch(() => {});
    // A connection that is not open yet, or whose peer has vanished, does not end by itself.
    own.connection?.stream?.destroy();
    ending.now(undefined);
  };
  await ending.open(() => own.connect(), destroy, signal);
  // The client takes one query at a time.
  let last: Promise<unknown> = Promise.resolve();
  const query = (text: string, values: readonly SqlValue[] = []): Promise<readonly (readonly SqlColumn[])[]> => {
    const answer = last.then(async () => {
      if (ending.hasEnded) throw new Error("the connection was lost");
      const result = await own.query({ text, values, rowMode: "array", types: TYPES, binary: false });
      return Array.isArray(result) ? [] : result.rows;
    });
    last = answer.catch(() => {});
    return answer;
  };
  return {
    query,
    listen: (channel) => query(`LISTEN "${channel.replaceAll('"', '""')}"`),
    destroy: () => ending.run(destroy),
  };
}
