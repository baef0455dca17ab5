/**
 * Tables and functions of the journal in PostgreSQL, in a schema of its own.
 *
 * | table          | content                                                                                         |
 * |----------------|-------------------------------------------------------------------------------------------------|
 * | `meta`         | one row; see below                                                                              |
 * | `notification` | notifications; `received` by the wall clock, `age` by the age of the journal, in ms             |
 * | `digest`       | digests of bodies, by which a retry is recognised: number of the notification, and `age`        |
 * | `node`         | leases of nodes: a node is dead when its lease has expired                                      |
 * | `name`         | names of receivers: `seen` is the age of the journal at the last connection                     |
 * | `cursor`       | by name and node: start and cursor of the receiver there; node `held`: of nodes without it now  |
 * | `share`        | by name: last number delivered to the receivers that share it, and their filters                |
 * | `taken`        | by name: numbers delivered and not acknowledged, and the consumer that works on them            |
 * | `consumer`     | by name: parts of servers in a shared name; `gone`: it has left                                 |
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
 * | `run`     | the server that gives numbers: its system identifier and timeline                                     |
 * | `base`    | numbers of this epoch are greater                                                                     |
 * | `eras`    | "base last …": each epoch, and the last number of the one before it                                   |
 * | `lost`    | "after until …": numbers that a node knows and PostgreSQL has forgotten                               |
 *
 * The row of `meta` is locked by each change of the log until its commit. Thereby numbers are given without holes, and
 * in the order in which they become visible: no reader can overtake a transaction that is not committed yet.
 *
 * @module
 */

/** Version of the schema. */
export const SCHEMA_VERSION = 1;

/** Tables; `{schema}` stands for the schema. */
export const TABLES = `
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
CREATE TABLE IF NOT EXISTS {schema}.notification (
  seq bigint PRIMARY KEY,
  body bytea NOT NULL,
  signature text NOT NULL,
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
  name text PRIMARY KEY,
  seen bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.cursor (
  name text NOT NULL,
  node text NOT NULL,
  start bigint NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (name, node)
);
CREATE TABLE IF NOT EXISTS {schema}.share (
  name text PRIMARY KEY,
  delivered bigint NOT NULL,
  wanted text NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.taken (
  name text NOT NULL,
  seq bigint NOT NULL,
  consumer text NOT NULL,
  PRIMARY KEY (name, seq)
);
CREATE TABLE IF NOT EXISTS {schema}.consumer (
  name text NOT NULL,
  id text NOT NULL,
  node text NOT NULL,
  gone boolean NOT NULL DEFAULT false,
  PRIMARY KEY (name, id)
);
`;

/**
 * Functions that change the log in one step; modules of receivers add theirs here. Each is created with
 * `CREATE OR REPLACE FUNCTION {schema}.…`, names all tables with `{schema}.`, and sets no search path.
 */
export const FUNCTIONS: readonly string[] = [];
