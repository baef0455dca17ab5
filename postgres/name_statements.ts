/**
 * Functions and statements of the names of receivers: a bounded number of names, each kept for a limited time without a
 * connection.
 *
 * @module
 */

import { isAlive } from "./cursor_statements.ts";
import { LOCK_TIMEOUT } from "./log_statements.ts";
import { isActive } from "./shared_statements.ts";

/** Part of `maxReceiverAge` by which the written time of the last connection may be behind. */
const SEEN_SLACK = 0.01;

/** Functions of names; `{schema}` stands for the schema. */
export const NAME_FUNCTIONS: string = `
-- Forgets the names without a connection for too long. Arguments: age, maximum age of a name, and the names that are
-- connected to this node. Returns the forgotten names.
CREATE OR REPLACE FUNCTION {schema}.expire_names(p_age bigint, p_max_age bigint, p_here text) RETURNS json
LANGUAGE plpgsql AS $tackline$
DECLARE
  here text[] := ARRAY(SELECT json_array_elements_text(p_here::json));
  old text[];
BEGIN
  IF p_max_age = 0 THEN
    RETURN '[]';
  END IF;
  UPDATE {schema}.name n SET seen = p_age WHERE n.seen < p_age - p_max_age * ${SEEN_SLACK} AND n.name = ANY (here);
  old := ARRAY(SELECT n.name FROM {schema}.name n WHERE n.seen < p_age - p_max_age FOR UPDATE SKIP LOCKED);
  UPDATE {schema}.name n SET seen = p_age WHERE n.name = ANY (old) AND (
    EXISTS (SELECT FROM {schema}.cursor c WHERE c.name = n.name AND ${isAlive("c.node")})
    OR EXISTS (SELECT FROM {schema}.consumer c WHERE c.name = n.name AND ${isActive("c")})
  );
  WITH gone AS (
    DELETE FROM {schema}.name n WHERE n.name = ANY (old) AND n.seen < p_age - p_max_age RETURNING n.name
  )
  SELECT array_agg(gone.name ORDER BY gone.name) INTO old FROM gone;
  DELETE FROM {schema}.cursor c WHERE c.name = ANY (old);
  DELETE FROM {schema}.share s WHERE s.name = ANY (old);
  DELETE FROM {schema}.consumer c WHERE c.name = ANY (old);
  RETURN to_json(coalesce(old, '{}'));
END
$tackline$;

-- Admits a receiver. Arguments: node, name, start if the name is new, 1 if its cursor is shared, age, maximum of names,
-- maximum age of a name. Returns its cursor, or null for too many names; and the names that expired to make room.
CREATE OR REPLACE FUNCTION {schema}.admit(p_node text, p_name text, p_start bigint, p_shared boolean, p_age bigint,
  p_max bigint, p_max_age bigint) RETURNS json LANGUAGE plpgsql AS $tackline$
DECLARE
  at bigint := {schema}.least_cursor(p_name);
  age bigint := greatest(p_age, (SELECT m.age FROM {schema}.meta m));
  gone json := '[]';
BEGIN
  PERFORM set_config('lock_timeout', '${LOCK_TIMEOUT}', true);
  IF at IS NULL THEN
    -- New names come one after the other, so that they can be counted.
    PERFORM pg_advisory_xact_lock(hashtext('tackline'), (SELECT m.tableoid::int FROM {schema}.meta m));
    at := {schema}.least_cursor(p_name);
  END IF;
  IF at IS NULL THEN
    IF p_max > 0 AND (SELECT count(*) FROM {schema}.name) >= p_max THEN
      gone := {schema}.expire_names(age, p_max_age, '[]');
      IF (SELECT count(*) FROM {schema}.name) >= p_max THEN
        RETURN json_build_array(NULL, gone);
      END IF;
    END IF;
    at := p_start;
    IF p_shared THEN
      INSERT INTO {schema}.share (name, delivered) VALUES (p_name, at) ON CONFLICT DO NOTHING;
    END IF;
  END IF;
  -- Written in any case: the commit then is on disk with all that was written for the name before.
  INSERT INTO {schema}.name AS n (name, seen) VALUES (p_name, age)
    ON CONFLICT (name) DO UPDATE SET seen = greatest(n.seen, excluded.seen);
  IF NOT p_shared THEN
    INSERT INTO {schema}.cursor (name, node, start, seq) VALUES (p_name, p_node, at, at) ON CONFLICT DO NOTHING;
    PERFORM {schema}.take_over(p_node, ARRAY[p_name]);
  END IF;
  RETURN json_build_array(at, gone);
END
$tackline$;
`;

/**
 * Admits a receiver. Parameters: node, name, start, "true" if its cursor is shared, age, maximum of names, maximum age.
 * One column in JSON, as the function says.
 */
export const ADMIT: string = "SELECT {schema}.admit($1::text, $2::text, $3::text::bigint, $4::text::boolean, " +
  "$5::text::bigint, $6::text::bigint, $7::text::bigint)::text";

/**
 * Forgets the names without a connection for too long. Parameters: age, maximum age, names that are connected to this
 * node in JSON. One column: the forgotten names in JSON.
 */
export const EXPIRE: string =
  "SELECT {schema}.expire_names(greatest($1::text::bigint, m.age), $2::text::bigint, $3::text)::text " +
  "FROM {schema}.meta m";
