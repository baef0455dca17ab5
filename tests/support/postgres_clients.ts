/** The clients of programs for PostgreSQL, each real, by the runtimes that have them. */

import { createRequire } from "node:module";
import { join } from "node:path";
import type { PostgresClient } from "../../postgres/client.ts";
import { find } from "./needs.ts";

const onDeno = "Deno" in globalThis;

/** A row, by the names of its columns. */
export type SqlRow = Record<string, unknown>;

/** A client of a program, and how the program uses and closes it. */
export class PostgresProgram implements AsyncDisposable {
  #query: (text: string, values?: unknown[]) => Promise<SqlRow[]>;
  #end: () => Promise<void>;
  #closing: Promise<void> | undefined;

  /**
   * @param client The client.
   * @param query Runs a statement of the program itself, and gives its rows in any form.
   * @param end Closes the client.
   */
  constructor(
    readonly client: PostgresClient,
    query: (text: string, values?: unknown[]) => Promise<SqlRow[]>,
    end: () => Promise<void>,
  ) {
    this.#query = query;
    this.#end = end;
  }

  /** Runs a statement of the program itself. */
  async query(text: string, values?: unknown[]): Promise<SqlRow[]> {
    return [...await this.#query(text, values)].map((row) => ({ ...row }));
  }

  /** Closes it; does nothing more the second time. */
  close(): Promise<void> {
    return this.#closing ??= this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Makes a client, connected. */
export type PostgresMaker = (url: string) => Promise<PostgresProgram>;

/** Imports a package of npm. */
// deno-lint-ignore no-explicit-any -- its types need those of Node, which would come into `deno check` with them
function npm(need: "npm:pg@8.23.1" | "npm:postgres@3.4.9"): Promise<any> {
  const found = find(need);
  if (found === undefined) return Promise.reject(new Error(`Cannot fetch ${need}`));
  if (onDeno) return import(found[0]!);
  const [name] = need.slice("npm:".length).split("@");
  return Promise.resolve(createRequire(join(found[0]!, "index.js"))(name!));
}

/** Connects with `Client` of npm:pg. */
export async function connectPg(url: string): Promise<PostgresProgram> {
  const module = await npm("npm:pg@8.23.1");
  const client = new (module.Client ?? module.default.Client)({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  const query = async (text: string, values?: unknown[]): Promise<SqlRow[]> => {
    const result = await client.query(text, values);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  };
  return new PostgresProgram(client, query, () => client.end());
}

async function makePool(url: string): Promise<PostgresProgram> {
  const module = await npm("npm:pg@8.23.1");
  const pool = new (module.Pool ?? module.default.Pool)({ connectionString: url });
  pool.on("error", () => {});
  await pool.query("SELECT 1");
  return new PostgresProgram(pool, async (text, values) => (await pool.query(text, values)).rows, () => pool.end());
}

/**
 * Connects with npm:postgres.
 *
 * @param options More options of the package.
 */
export async function connectPostgresJs(url: string, options: object = {}): Promise<PostgresProgram> {
  const { default: postgres } = await npm("npm:postgres@3.4.9");
  // Otherwise it asks for types with each connection, and does not handle the rejection if that is lost meanwhile.
  const sql = postgres(url, { fetch_types: false, onnotice: () => {}, ...options });
  await sql`SELECT 1`;
  return new PostgresProgram(sql, (text, values = []) => sql.unsafe(text, values), () => sql.end({ timeout: 0 }));
}

async function makeBun(url: string): Promise<PostgresProgram> {
  const { SQL } = await import("bun" as string);
  // It opens all connections that it may have with the first statement: ten, if not told otherwise.
  const sql = new SQL(url, { max: 2, prepare: false });
  await sql`SELECT 1`;
  return new PostgresProgram(sql, (text, values = []) => sql.unsafe(text, values), () => sql.close({ timeout: 0 }));
}

/** The clients that this runtime can have. */
export const POSTGRES_CLIENTS: ReadonlyMap<string, PostgresMaker> = new Map([
  ["npm:pg Pool", makePool],
  ["npm:pg Client", connectPg],
  ["npm:postgres", (url: string) => connectPostgresJs(url)],
  ...onDeno ? [] : [["Bun.sql", makeBun] as const],
]);
