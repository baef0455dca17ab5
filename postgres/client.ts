/**
 * Clients for PostgreSQL, told apart by their shape: `npm:pg`, `npm:postgres`, and Bun's own. The program's client
 * serves as a model for connections with the same address, credentials and TLS, or lends them.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";

/** A pool of `npm:pg` (8 or later), as `new Pool` makes it. */
export interface PgPool {
  /** Options of the pool. */
  readonly options: object;
  /** Number of its connections. */
  readonly totalCount: number;
  /** Takes a connection. */
  connect(): Promise<unknown>;
}

/** A client of `npm:pg` (8 or later), as `new Client` makes it; it need not be connected. */
export interface PgClient {
  /** Port of the server. */
  readonly port: number;
  /** Quotes a name. */
  escapeIdentifier(name: string): string;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Absent: a client that a pool lends has it, and cannot be used. */
  readonly release?: undefined;
}

/**
 * A client of `npm:postgres` (3.4 or later), as `postgres` makes it. A journal takes two of its connections (`max`, 10
 * by default), and one more to listen.
 */
export interface PostgresJsClient {
  /** Its options, complete. */
  readonly options: object;
  /** Lends a connection. */
  reserve(): Promise<unknown>;
  /** Listens to a channel. */
  listen(channel: string, listener: (payload: string) => void): Promise<unknown>;
  /** Streams changes; only this client has it. */
  subscribe(...args: never[]): Promise<unknown>;
}

/** The client built into Bun, `SQL`, for PostgreSQL. */
export interface BunSqlClient {
  /** Its options, complete. */
  readonly options: object;
  /** Lends a connection. */
  reserve(): Promise<unknown>;
  /** Flushes statements; only this client has it. */
  flush(): void;
}

/** A client for PostgreSQL 14 or later, made by the program. */
export type PostgresClient = PgPool | PgClient | PostgresJsClient | BunSqlClient;

/**
 * A function that gives a client for each attempt to connect, so that the address may be another one each time. It may
 * be the same client until the address changes; the function has to close those it does not give any more.
 *
 * An error, or no client within 5 s, counts as a PostgreSQL that is away, with the reason; another attempt follows.
 *
 * @returns The client.
 */
export type PostgresClientMaker = () => PostgresClient | Promise<PostgresClient>;

/**
 * PostgreSQL as a program gives it: a client, or a function that gives a client for each attempt to connect.
 *
 * @example
 * ```ts
 * import { PostgresJournal, type PostgresSource, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * // A pool of npm:pg, `postgres(url)` of npm:postgres, `new SQL(url)` of Bun, or `() => client`.
 * export async function makeServer(source: PostgresSource) {
 *   return new WhatsAppServer({ port: 443, journal: await PostgresJournal.open(source) });
 * }
 * ```
 */
export type PostgresSource = PostgresClient | PostgresClientMaker;

/** Number of connections that a client of `npm:postgres` lends to a journal; it opens one more to listen. */
const LENT = 2;

/** Kind of a client. */
export type PostgresClientKind = "pool" | "client" | "postgres" | "bun";

/**
 * Finds the kind of a client by its shape.
 *
 * @param client The program's client.
 * @returns The kind.
 * @throws {OptionError} If it is unknown, or a client that cannot be used.
 */
export function kindOf(client: unknown): PostgresClientKind {
  const given = (client ?? {}) as Record<string, unknown>;
  const can = (name: string): boolean => typeof given[name] === "function";
  if (can("unsafe")) {
    if (!can("reserve") || can("release")) {
      throw new OptionError("The PostgreSQL client is a transaction or a reserved connection");
    }
    if (can("subscribe")) return postgresJsKind(given.options);
    if (can("flush")) return bunKind(given.options);
  }
  if (can("connect") && can("query")) {
    if (typeof given.totalCount === "number") return "pool";
    if (can("release")) throw new OptionError("The PostgreSQL client is one of a pool: give the pool itself");
    if (can("escapeIdentifier") && typeof given.port === "number") return "client";
  }
  // A text may have a password in it, in more forms than those of a URL.
  const shown = typeof client === "string" ? "a text" : showValue(client);
  const hint =
    "give a pool or client of npm:pg, a client of npm:postgres, the one built into Bun (SQL), or a function " +
    "that gives one";
  throw new OptionError(`The PostgreSQL client is of no known kind (${shown}): ${hint}`);
}

/** A client of `npm:postgres` lends its own connections, of which it has a fixed maximum. */
function postgresJsKind(options: unknown): "postgres" {
  const { max } = (options ?? {}) as { max?: unknown };
  if (!(Number(max) < LENT)) return "postgres";
  throw new OptionError(
    `The client of npm:postgres has "max": ${max}, and a journal takes ${LENT} of its connections: give it more`,
  );
}

/** Clients of Bun are for other databases too. */
function bunKind(options: unknown): "bun" {
  const { adapter } = (options ?? {}) as { adapter?: unknown };
  if (adapter === "postgres") return "bun";
  throw new OptionError(`The SQL client is for another database: its adapter is "${String(adapter)}", not "postgres"`);
}

/**
 * Tells a client from a function that gives one: clients of two packages can be called themselves.
 *
 * @param source The argument of the program.
 * @returns `true` for a function that gives clients.
 */
export function isResolver(source: PostgresSource): source is PostgresClientMaker {
  return typeof source === "function" && !("unsafe" in source);
}
