/**
 * Tables and functions of the journal in PostgreSQL, in a schema of its own.
 *
 * | table          | content                                                                                         |
 * |----------------|-------------------------------------------------------------------------------------------------|
 * | `meta`         | one row; see below                                                                              |
 * | `run`          | one row, with an ID at random: it is gone after a crash of a process of the server              |
 * | `notification` | notifications; `received` by the wall clock, `age` by the age of the journal, in ms             |
 * | `digest`       | digests of bodies, by which a retry is recognised: number of the notification, and `age`        |
 * | `node`         | leases of nodes: a node is dead when its lease has expired                                      |
 * | `name`         | names of receivers: `seen` is the age of the journal at the last connection                     |
 * | `cursor`       | by name and node: start and cursor of the receiver there; node `held`: of nodes without it now  |
 * | `share`        | by name: last number delivered to the receivers that share it, and their filters                |
 * | `consumer`     | by name: parts of servers in a shared name: numbers that wait for acknowledgement; `gone`: left |
 *
 * Columns of `meta`:
 *
 * | column    | content                                                                                               |
 * |-----------|-------------------------------------------------------------------------------------------------------|
 * | `version` | version of the schema                                                                                 |
 * | `id`      | ID of the journal                                                                                     |
 * | `last`    | last number given                                                                                     |
 * | `trimmed` | number up to which retention has removed notifications                                                |
 * | `bytes`   | sum of the lengths of all bodies                                                                      |
 * | `age`     | age of the journal, in ms                                                                             |
 * | `run`     | the server that gives numbers: its start, the file of `meta`, and the ID in the table `run`           |
 * | `base`    | numbers of this epoch are greater                                                                     |
 * | `eras`    | "base last …": each epoch, and the last number of the one before it                                   |
 * | `lost`    | "after until …": numbers that a node knows and PostgreSQL has forgotten                               |
 *
 * The row of `meta` is locked by each change of the log until its commit. Thereby numbers are given without holes, and
 * in the order in which they become visible: no reader can overtake a transaction that is not committed yet.
 *
 * @module
 */

import { describe, JournalError, OptionError } from "../base/errors.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { stateOf } from "./journal_errors.ts";
import type { PostgresLink } from "./link.ts";
import { CURSOR_FUNCTIONS } from "./cursor_statements.ts";
import { LOG_FUNCTIONS } from "./log_statements.ts";
import { NAME_FUNCTIONS } from "./name_statements.ts";
import { RETENTION_FUNCTIONS } from "./retention_statements.ts";
import { quoteName } from "./runner.ts";
import { SHARED_FUNCTIONS } from "./shared_statements.ts";

/** Oldest server, as in `server_version_num`. */
const LEAST_SERVER = 140_000;
/** Maximum length of a name in PostgreSQL. */
const MAX_NAME_BYTES = 63;
/** SQLSTATE of a missing right. */
const INSUFFICIENT_PRIVILEGE = "42501";

/** Version of the schema. */
export const SCHEMA_VERSION = 1;

/** Tables; `{schema}` stands for the schema. */
export const TABLES: string = `
CREATE TABLE IF NOT EXISTS {schema}.meta (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  id text NOT NULL DEFAULT '',
  last bigint NOT NULL DEFAULT 0,
  trimmed bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  age bigint NOT NULL DEFAULT 0,
  run text NOT NULL DEFAULT '',
  base bigint NOT NULL DEFAULT 0,
  eras text NOT NULL DEFAULT '',
  lost text NOT NULL DEFAULT ''
) WITH (fillfactor = 10);
CREATE UNLOGGED TABLE IF NOT EXISTS {schema}.run (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id text NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.notification (
  seq bigint PRIMARY KEY,
  body bytea NOT NULL,
  signature bytea NOT NULL,
  received bigint NOT NULL,
  age bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.digest (
  digest bytea PRIMARY KEY,
  seq bigint NOT NULL,
  age bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS digest_age ON {schema}.digest (age);
CREATE TABLE IF NOT EXISTS {schema}.node (
  id text PRIMARY KEY,
  expires timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.name (
  name text COLLATE "C" PRIMARY KEY,
  seen bigint NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS {schema}.cursor (
  name text COLLATE "C" NOT NULL,
  node text COLLATE "C" NOT NULL,
  start bigint NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (name, node)
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {schema}.share (
  name text COLLATE "C" PRIMARY KEY,
  delivered bigint NOT NULL,
  wanted text
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {schema}.consumer (
  name text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  node text NOT NULL,
  pending int8multirange NOT NULL DEFAULT '{}',
  gone timestamptz,
  PRIMARY KEY (name, id)
) WITH (fillfactor = 50);
`;

/**
 * Functions that change the tables in one step each; `{schema}` stands for the schema. Each is created with
 * `CREATE OR REPLACE FUNCTION {schema}.…`, and names all tables with `{schema}.`.
 */
const FUNCTIONS: readonly string[] = [
  LOG_FUNCTIONS,
  CURSOR_FUNCTIONS,
  NAME_FUNCTIONS,
  SHARED_FUNCTIONS,
  RETENTION_FUNCTIONS,
];

/**
 * Where functions, types and operators are looked for: not where another user may have put some whose parameters fit
 * better than those of the system's own.
 */
const PATH = "search_path = pg_catalog, pg_temp";
const SET_PATH = `SET LOCAL ${PATH};\n`;

/**
 * Writes the statements that make the tables and functions, in one transaction.
 *
 * @param schema Name of the schema.
 * @returns SQL for an administrator.
 * @throws {OptionError} If the name cannot be used.
 */
export function schemaText(schema: string): string {
  assertSchemaName(schema);
  const name = quoteName(schema);
  return `BEGIN;\n${SET_PATH}CREATE SCHEMA IF NOT EXISTS ${name};${creation(name)}COMMIT;\n`;
}

function creation(name: string): string {
  const functions = FUNCTIONS.join("").replaceAll("AS $tackline$", `SET ${PATH} AS $tackline$`);
  const all = `${TABLES}${functions}`.replaceAll("{schema}", name);
  return `${all}INSERT INTO ${name}.meta (version) VALUES (${SCHEMA_VERSION}) ON CONFLICT DO NOTHING;\n`;
}

/**
 * Checks the name of a schema.
 *
 * @param name The name.
 * @throws {OptionError} If it is empty, longer than PostgreSQL allows, or has a control character or "$".
 */
export function assertSchemaName(name: string): void {
  assertWellFormed("The schema", name);
  const length = new TextEncoder().encode(name).length;
  if (length === 0 || length > MAX_NAME_BYTES) {
    throw new OptionError(`The schema has a name of ${length} bytes: give it 1 to ${MAX_NAME_BYTES}`);
  }
  // deno-lint-ignore no-control-regex -- they are what is refused
  if (/[\0-\x1f$]/.test(name)) throw new OptionError('The name of the schema has a control character or "$"');
}

/** State of the server and of the schema, as a new connection finds it. */
const STATE = `
SELECT current_setting('server_version_num'), current_setting('transaction_read_only'),
  (n.oid IS NOT NULL)::text, (c.oid IS NOT NULL)::text, current_setting('transaction_isolation')
FROM (VALUES (1)) one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1::text
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'meta'`;

/**
 * Checks the server, and makes the schema unless it is there.
 *
 * @param link The connection.
 * @param schema Name of the schema.
 * @throws {JournalError} With `ERR_JOURNAL_OPEN` if the server is too old, or the schema is newer or cannot be made.
 */
export async function ensureSchema(link: PostgresLink, schema: string): Promise<void> {
  const [state] = await link.query(STATE, [schema]);
  const [server, readOnly, hasSchema, hasTables, isolation] = state!;
  if (Number(server) < LEAST_SERVER) {
    throw refused(`PostgreSQL ${Math.floor(Number(server) / 10_000)} is too old: 14 or later is needed`);
  }
  if (isolation !== "read committed") {
    const hint = "ALTER ROLE … SET default_transaction_isolation = 'read committed'";
    throw refused(`transactions are "${isolation}" by default, and "read committed" is needed: ${hint}`);
  }
  if (readOnly === "on") throw new Error("PostgreSQL is a standby or read-only, and a primary is needed");
  const name = quoteName(schema);
  try {
    if (hasTables !== "true") await create(link, name, hasSchema === "true");
    const [row] = await link.query(`SELECT version::text FROM ${name}.meta`);
    const version = Number(row?.[0] ?? SCHEMA_VERSION);
    if (version > SCHEMA_VERSION) {
      throw refused(`the schema ${name} has version ${version}, and this package knows ${SCHEMA_VERSION}: update it`);
    }
  } catch (cause) {
    if (stateOf(cause) !== INSUFFICIENT_PRIVILEGE) throw cause;
    const hint = `an administrator has to run the SQL of PostgresJournal.schema(${
      JSON.stringify(schema)
    }), and to grant`;
    throw refused(`${describe(cause)}: ${hint} rights on the schema ${name}`, cause);
  }
}

/** Makes the tables and functions. One text is one transaction; nodes that start at the same time take turns. */
async function create(link: PostgresLink, name: string, hasSchema: boolean): Promise<void> {
  const lock =
    "SELECT pg_advisory_xact_lock(hashtextextended('tackline', 0));\nSET LOCAL client_min_messages = warning;\n";
  await link.query(`${SET_PATH}${lock}${hasSchema ? "" : `CREATE SCHEMA IF NOT EXISTS ${name};`}${creation(name)}`);
}

function refused(why: string, cause?: unknown): JournalError {
  return new JournalError("ERR_JOURNAL_OPEN", `Cannot open the journal in PostgreSQL: ${why}`, { cause });
}
