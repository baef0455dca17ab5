/**
 * Functions and statements of the cursors that receivers of several nodes share. Each node has a consumer, with the
 * numbers that it has taken and not acknowledged; ranges of them in one value, so that a take of many notifications
 * writes two rows, and leaves no dead rows for each of them.
 *
 * @module
 */

import { isAlive, LAZILY } from "./cursor_statements.ts";
import { HEX_BYTES } from "./log_statements.ts";

/**
 * Makes the condition that a consumer still works.
 *
 * @param consumer Name of its row.
 * @returns The condition.
 */
export function isActive(consumer: string): string {
  return `(${consumer}.gone IS NULL AND ${isAlive(`${consumer}.node`)})`;
}

/**
 * Time for which the row of a consumer that has left is kept: a statement of a connection that was lost may still run,
 * and must not take anything for it.
 */
const KEPT = "interval '1 minute'";

/** Functions of shared cursors; `{schema}` stands for the schema. */
export const SHARED_FUNCTIONS: string = `
-- Moves a number past those that the journal has forgotten: "after until ...".
CREATE OR REPLACE FUNCTION {schema}.skip_lost(p_at bigint, p_lost text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE
AS $tackline$
DECLARE
  lost bigint[] := coalesce(string_to_array(nullif(p_lost, ''), ' '), '{}')::bigint[];
BEGIN
  FOR i IN 2 .. cardinality(lost) BY 2 LOOP
    IF lost[i - 1] <= p_at AND p_at < lost[i] THEN
      p_at := lost[i];
    END IF;
  END LOOP;
  RETURN p_at;
END
$tackline$;

-- Joins a shared cursor, unless it is joined already. Returns the last number that it has delivered; NULL if the
-- consumer has left; -1 if an active consumer has other filters, since a notification left out by one node is lost for
-- the others. The rows of the cursor and the consumer are locked.
CREATE OR REPLACE FUNCTION {schema}.join_share(p_name text, p_start bigint, p_wanted text, p_node text,
  p_consumer text) RETURNS bigint LANGUAGE plpgsql AS $tackline$
DECLARE
  s record;
  c record;
BEGIN
  SELECT * INTO s FROM {schema}.share WHERE name = p_name FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    INSERT INTO {schema}.name (name, seen) SELECT p_name, m.age FROM {schema}.meta m ON CONFLICT DO NOTHING;
    INSERT INTO {schema}.share (name, delivered) VALUES (p_name, p_start) ON CONFLICT DO NOTHING;
    SELECT * INTO s FROM {schema}.share WHERE name = p_name FOR NO KEY UPDATE;
  END IF;
  SELECT * INTO c FROM {schema}.consumer WHERE name = p_name AND id = p_consumer FOR NO KEY UPDATE;
  IF FOUND THEN
    RETURN CASE WHEN c.gone IS NULL THEN s.delivered END;
  END IF;
  IF s.wanted IS DISTINCT FROM p_wanted THEN
    IF EXISTS (SELECT FROM {schema}.consumer o WHERE o.name = p_name AND ${isActive("o")}) THEN
      RETURN -1;
    END IF;
    UPDATE {schema}.share SET wanted = p_wanted WHERE name = p_name;
  END IF;
  INSERT INTO {schema}.consumer (name, id, node) VALUES (p_name, p_consumer, p_node);
  RETURN s.delivered;
END
$tackline$;

-- Takes notifications that no other consumer works on: first those of consumers that are dead or gone, then new ones.
-- Arguments: name, start if the cursor is new, filters, node, consumer, count, maximum of bytes. Rows: kind "again" or
-- "new" with an entry; kind "state" with the last number delivered before, and as its time trimmed, the number up to
-- which no new entry exists, and losses, with "|" between them; or kind "conflict" alone.
CREATE OR REPLACE FUNCTION {schema}.take(p_name text, p_start bigint, p_wanted text, p_node text, p_consumer text,
  p_count bigint, p_bytes bigint)
RETURNS TABLE (kind text, seq bigint, body bytea, signature bytea, received text) LANGUAGE plpgsql AS $tackline$
#variable_conflict use_column
DECLARE
  m record;
  last bigint;
  skipped bigint;
  left_by text[];
BEGIN
  PERFORM ${HEX_BYTES};
  ${LAZILY}
  SELECT * INTO m FROM {schema}.meta;
  -- Most calls find nothing, since an entry wakes all nodes: they lock nothing, and write nothing.
  SELECT s.delivered INTO last FROM {schema}.share s JOIN {schema}.consumer c ON c.name = s.name AND c.id = p_consumer
    WHERE s.name = p_name AND c.gone IS NULL
      AND NOT EXISTS (SELECT FROM {schema}.notification n WHERE n.seq > s.delivered)
      AND NOT EXISTS (SELECT FROM {schema}.consumer o WHERE o.name = p_name AND NOT ${isActive("o")}
        AND (NOT isempty(o.pending) OR o.gone IS NULL OR o.gone < now() - ${KEPT}));
  IF FOUND AND last >= m.trimmed AND {schema}.skip_lost(last, m.lost) = last THEN
    RETURN QUERY SELECT 'state', last, NULL::bytea, NULL::bytea, concat_ws('|', m.trimmed, last, m.lost);
    RETURN;
  END IF;
  last := {schema}.join_share(p_name, p_start, p_wanted, p_node, p_consumer);
  SELECT * INTO m FROM {schema}.meta;
  IF last = -1 THEN
    RETURN QUERY SELECT 'conflict', last, NULL::bytea, NULL::bytea, '';
    RETURN;
  ELSIF last IS NULL THEN
    RETURN QUERY SELECT 'state', m.last, NULL::bytea, NULL::bytea, concat_ws('|', m.trimmed, m.last, m.lost);
    RETURN;
  END IF;
  -- Numbers that the journal has forgotten are skipped at once, and so are reported once.
  skipped := {schema}.skip_lost(greatest(last, m.trimmed), m.lost);
  DELETE FROM {schema}.consumer o WHERE o.name = p_name AND o.id <> p_consumer AND NOT ${isActive("o")}
    AND isempty(o.pending) AND (o.gone IS NULL OR o.gone < now() - ${KEPT});
  left_by := ARRAY(
    SELECT o.id FROM {schema}.consumer o WHERE o.name = p_name AND o.id <> p_consumer AND NOT ${isActive("o")}
      AND NOT isempty(o.pending) ORDER BY o.id FOR UPDATE
  );
  RETURN QUERY WITH left_entry AS (
    SELECT n.*, sum(octet_length(n.body)) OVER (ORDER BY n.seq) AS size
    FROM (
      SELECT n.* FROM {schema}.consumer o, unnest(o.pending) r JOIN {schema}.notification n
        ON n.seq >= lower(r) AND n.seq < upper(r)
      WHERE o.name = p_name AND o.id = ANY (left_by) AND n.seq > m.trimmed ORDER BY n.seq LIMIT p_count
    ) n
  ), again AS MATERIALIZED (
    SELECT * FROM left_entry WHERE size - octet_length(body) < p_bytes
  ), used AS MATERIALIZED (
    SELECT count(*) AS count, coalesce(max(size), 0) AS size, max(seq) AS seq FROM again
  ), new_entry AS (
    SELECT n.*, sum(octet_length(n.body)) OVER (ORDER BY n.seq) AS size
    FROM (
      SELECT n.* FROM {schema}.notification n WHERE n.seq > greatest(last, m.trimmed)
        ORDER BY n.seq LIMIT p_count - (SELECT used.count FROM used)
    ) n
  ), fresh AS MATERIALIZED (
    SELECT * FROM new_entry WHERE size - octet_length(body) < p_bytes - (SELECT used.size FROM used)
  ), moved AS (
    UPDATE {schema}.share SET delivered = coalesce((SELECT max(seq) FROM fresh), skipped)
      WHERE name = p_name AND delivered < coalesce((SELECT max(seq) FROM fresh), skipped)
  ), own AS (
    UPDATE {schema}.consumer SET pending = pending + (
      SELECT range_agg(int8range(seq, seq, '[]')) FROM (SELECT seq FROM again UNION ALL SELECT seq FROM fresh) taken
    ) WHERE name = p_name AND id = p_consumer AND (EXISTS (SELECT FROM again) OR EXISTS (SELECT FROM fresh))
  ), others AS (
    -- Those that retention has removed are gone for all.
    UPDATE {schema}.consumer SET pending = pending - int8multirange(int8range(NULL, (
      SELECT seq FROM used WHERE used.count >= p_count OR used.size >= p_bytes
    ), '[]')) WHERE name = p_name AND id = ANY (left_by)
  )
  SELECT 'again', again.seq, again.body, again.signature, again.received::text FROM again
  UNION ALL SELECT 'new', fresh.seq, fresh.body, fresh.signature, fresh.received::text FROM fresh
  UNION ALL SELECT 'state', last, NULL, NULL,
    concat_ws('|', m.trimmed, coalesce((SELECT min(seq) - 1 FROM fresh), skipped), m.lost)
  ORDER BY 1, 2;
END
$tackline$;

-- Acknowledges notifications. Arguments: name, consumer, numbers.
CREATE OR REPLACE FUNCTION {schema}.acknowledge(p_name text, p_consumer text, p_seqs text) RETURNS void
LANGUAGE plpgsql AS $tackline$
BEGIN
  ${LAZILY}
  UPDATE {schema}.consumer SET pending = pending - (
    SELECT range_agg(int8range(seq::bigint, seq::bigint, '[]')) FROM unnest(string_to_array(p_seqs, ' ')) seq
  ) WHERE name = p_name AND id = p_consumer;
END
$tackline$;

-- Removes a consumer; other consumers take over its unfinished notifications. Arguments: name, node, consumer.
CREATE OR REPLACE FUNCTION {schema}.leave_share(p_name text, p_node text, p_consumer text) RETURNS void
LANGUAGE plpgsql AS $tackline$
BEGIN
  ${LAZILY}
  INSERT INTO {schema}.consumer (name, id, node, gone)
    SELECT s.name, p_consumer, p_node, now() FROM {schema}.share s WHERE s.name = p_name
    ON CONFLICT (name, id) DO UPDATE SET gone = now();
END
$tackline$;
`;

/**
 * Takes notifications. Parameters: name, start, filters, node, consumer, count, maximum of bytes. Rows as the function
 * says: kind, and the columns of an entry.
 */
export const TAKE: string = "SELECT kind, seq::text, body, signature, received FROM {schema}.take($1::text, " +
  "$2::text::bigint, $3::text, $4::text, $5::text, $6::text::bigint, $7::text::bigint)";

/** Acknowledges notifications. Parameters: name, consumer, numbers with a space between them. */
export const ACKNOWLEDGE: string = "SELECT {schema}.acknowledge($1::text, $2::text, $3::text)::text";

/** Removes a consumer. Parameters: name, node, consumer. */
export const LEAVE: string = "SELECT {schema}.leave_share($1::text, $2::text, $3::text)::text";
