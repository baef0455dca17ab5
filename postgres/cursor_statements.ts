/**
 * Functions and statements of cursors of single receivers, by node.
 *
 * They lock rows in the order of the names, or skip locked rows, so that they never wait for each other in a circle.
 *
 * @module
 */

import { LOCK_TIMEOUT } from "./log_statements.ts";

/**
 * Makes the condition that a node is alive.
 *
 * @param node Expression of its ID.
 * @returns The condition.
 */
export function isAlive(node: string): string {
  return `EXISTS (SELECT FROM {schema}.node alive WHERE alive.id = ${node} AND alive.expires > now())`;
}

/**
 * Settings of a transaction that needs not wait for the disk, since it may be lost in a crash: receivers then get some
 * notifications twice.
 */
export const LAZILY: string =
  `PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '${LOCK_TIMEOUT}', true);`;

/** Functions of cursors; `{schema}` stands for the schema. */
export const CURSOR_FUNCTIONS: string = `
-- Cursors of receivers: the lowest of its nodes, or of the consumers that share it.
CREATE OR REPLACE VIEW {schema}.place AS
  SELECT n.name, coalesce(
    c.seq, least(s.delivered, p.seq),
    -- Another program has deleted its cursor.
    m.trimmed
  ) AS seq
  FROM {schema}.name n CROSS JOIN {schema}.meta m
  LEFT JOIN (SELECT name, min(seq) AS seq FROM {schema}.cursor GROUP BY name) c ON c.name = n.name
  LEFT JOIN {schema}.share s ON s.name = n.name
  LEFT JOIN (
    SELECT name, min(lower(pending)) - 1 AS seq FROM {schema}.consumer WHERE NOT isempty(pending) GROUP BY name
  ) p ON p.name = n.name;

-- Cursor of one receiver; NULL: the name is unknown.
CREATE OR REPLACE FUNCTION {schema}.least_cursor(p_name text) RETURNS bigint LANGUAGE sql STABLE AS $tackline$
  SELECT seq FROM {schema}.place WHERE name = p_name
$tackline$;

-- Deletes the cursors of nodes that are dead, or that receivers have left, and from which a node has gone on.
CREATE OR REPLACE FUNCTION {schema}.take_over(p_node text, p_names text[]) RETURNS void LANGUAGE sql AS $tackline$
  DELETE FROM {schema}.cursor WHERE (name, node) IN (
    SELECT dead.name, dead.node FROM {schema}.cursor own
      JOIN {schema}.cursor dead ON dead.name = own.name AND dead.node <> own.node AND dead.seq >= own.start
      WHERE own.node = p_node AND own.name = ANY (p_names) AND NOT ${isAlive("dead.node")}
      FOR UPDATE OF dead SKIP LOCKED
  )
$tackline$;

-- Keeps cursors of a node. Arguments: node; for each receiver its name, its start if it is new there, and its cursor.
CREATE OR REPLACE FUNCTION {schema}.save_cursors(p_node text, p_list text) RETURNS void LANGUAGE plpgsql AS $tackline$
BEGIN
  ${LAZILY}
  INSERT INTO {schema}.name (name, seen) SELECT e->>0, m.age FROM json_array_elements(p_list::json) e, {schema}.meta m
    ORDER BY 1 ON CONFLICT DO NOTHING;
  INSERT INTO {schema}.cursor AS own (name, node, start, seq)
    SELECT e->>0, p_node, (e->>1)::bigint, (e->>2)::bigint FROM json_array_elements(p_list::json) e ORDER BY 1
    ON CONFLICT (name, node) DO UPDATE SET seq = excluded.seq WHERE own.seq < excluded.seq;
  PERFORM {schema}.take_over(p_node, (SELECT array_agg(e->>0) FROM json_array_elements(p_list::json) e));
END
$tackline$;

-- Releases receivers from a node: a cursor is held for the next connection, unless another node covers it. Arguments:
-- node, names, age.
CREATE OR REPLACE FUNCTION {schema}.release_names(p_node text, p_list text, p_age bigint) RETURNS void
LANGUAGE plpgsql AS $tackline$
DECLARE
  names text[] := ARRAY(SELECT json_array_elements_text(p_list::json));
BEGIN
  ${LAZILY}
  -- Two nodes that release a name at once must not rely on each other.
  PERFORM FROM {schema}.name n WHERE n.name = ANY (names) ORDER BY n.name FOR NO KEY UPDATE;
  UPDATE {schema}.name n SET seen = greatest(n.seen, p_age) WHERE n.name = ANY (names);
  WITH own AS (
    DELETE FROM {schema}.cursor c WHERE c.name = ANY (names) AND c.node = p_node RETURNING c.name, c.seq
  )
  INSERT INTO {schema}.cursor AS held (name, node, start, seq)
    SELECT own.name, 'held', own.seq, own.seq FROM own WHERE NOT EXISTS (
      SELECT FROM {schema}.cursor other
      WHERE other.name = own.name AND other.node <> p_node AND other.start <= own.seq AND ${isAlive("other.node")}
    )
    ORDER BY 1
    ON CONFLICT (name, node) DO UPDATE SET
      start = least(held.start, excluded.start), seq = least(held.seq, excluded.seq);
END
$tackline$;
`;

/** Reads the cursor of a receiver. Parameter: name. One column; no row: the name is unknown. */
export const CURSOR: string = "SELECT seq::text FROM {schema}.place WHERE name = $1::text";

/** Reads the cursors from a number on, and below another one. Rows: name and cursor. */
export const OVERTAKEN: string =
  "SELECT name, seq::text FROM {schema}.place WHERE seq >= $1::text::bigint AND seq < $2::text::bigint";

/** Keeps cursors of a node. Parameters: node, and a list in JSON, as the function says. */
export const SAVE: string = "SELECT {schema}.save_cursors($1::text, $2::text)::text";

/** Releases receivers from a node. Parameters: node, names in JSON, age. */
export const RELEASE: string = "SELECT {schema}.release_names($1::text, $2::text, $3::text::bigint)::text";
