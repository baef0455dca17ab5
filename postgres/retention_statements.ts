/**
 * Functions and statements of retention.
 *
 * Retention only moves `trimmed` of `meta`: notifications up to this number are removed for all readers. Their rows
 * are deleted later, in portions, and without the lock of the log, so that no append waits for it.
 *
 * Autovacuum gives the room of deleted rows to new ones: with its defaults it runs when a fifth of a table is dead, so
 * that `notification` and `digest` take up to 1.3 times the room of what they keep. The rows that change often (`meta`,
 * `node`, `cursor`, `share`, `consumer`) are updated in place, as no index has the columns that change, and pages have
 * room: their tables do not grow.
 *
 * @module
 */

import { LAZILY } from "./cursor_statements.ts";
import { MAX_LOST } from "./log_statements.ts";

/** Maximum of rows that one transaction looks at, or deletes. */
export const PORTION = 1000;

/** Functions of retention; `{schema}` stands for the schema. */
export const RETENTION_FUNCTIONS: string = `
-- Removes old notifications, and deletes old digests: a portion of them. Arguments: age, maximum age of notifications
-- or 0, maximum age of digests. Returns trimmed before and now, age, and 1 if there may be more.
CREATE OR REPLACE FUNCTION {schema}.trim(p_age bigint, p_max_age bigint, p_digest_age bigint) RETURNS text
LANGUAGE plpgsql AS $tackline$
DECLARE
  m record;
  old record;
  digests bytea[];
BEGIN
  ${LAZILY}
  digests := ARRAY(
    SELECT d.digest FROM {schema}.digest d
      WHERE d.age < greatest(p_age, (SELECT meta.age FROM {schema}.meta)) - p_digest_age
      ORDER BY d.age LIMIT ${PORTION} FOR UPDATE SKIP LOCKED
  );
  DELETE FROM {schema}.digest d WHERE d.digest = ANY (digests);
  SELECT * INTO m FROM {schema}.meta FOR UPDATE;
  m.age := greatest(m.age, p_age);
  SELECT max(n.seq) AS seq, sum(octet_length(n.body)) AS bytes, count(*) AS count INTO old FROM (
    SELECT * FROM {schema}.notification WHERE seq > m.trimmed ORDER BY seq LIMIT ${PORTION}
  ) n WHERE p_max_age > 0 AND n.age < m.age - p_max_age;
  UPDATE {schema}.meta SET age = m.age, trimmed = coalesce(old.seq, trimmed), bytes = bytes - coalesce(old.bytes, 0);
  RETURN concat_ws('|', m.trimmed, coalesce(old.seq, m.trimmed), m.age,
    (old.count = ${PORTION} OR cardinality(digests) = ${PORTION})::int);
END
$tackline$;

-- Deletes rows of removed notifications: a portion of those after a number. Returns the last number, or NULL if no
-- more are left.
CREATE OR REPLACE FUNCTION {schema}.sweep(p_after bigint) RETURNS bigint LANGUAGE plpgsql AS $tackline$
DECLARE
  old bigint[];
BEGIN
  ${LAZILY}
  old := ARRAY(
    SELECT n.seq FROM {schema}.notification n WHERE n.seq > p_after AND n.seq <= (SELECT m.trimmed FROM {schema}.meta m)
      ORDER BY n.seq LIMIT ${PORTION} FOR UPDATE SKIP LOCKED
  );
  DELETE FROM {schema}.notification n WHERE n.seq = ANY (old);
  RETURN old[${PORTION}];
END
$tackline$;

-- Adds ranges to those that are lost.
CREATE OR REPLACE FUNCTION {schema}.add_lost(p_lost text, p_more int8multirange) RETURNS text LANGUAGE plpgsql IMMUTABLE
AS $tackline$
DECLARE
  before bigint[] := string_to_array(nullif(p_lost, ''), ' ')::bigint[];
BEGIN
  RETURN (
    WITH range AS (
      SELECT int8range(before[i - 1], before[i], '(]') AS r FROM generate_series(2, cardinality(before), 2) i
      UNION ALL SELECT r FROM unnest(p_more) r
    ), newest AS (
      SELECT r FROM unnest((SELECT range_agg(r) FROM range)) r ORDER BY r DESC LIMIT ${MAX_LOST}
    )
    SELECT coalesce(string_agg((lower(r) - 1) || ' ' || (upper(r) - 1), ' ' ORDER BY r), '') FROM newest
  );
END
$tackline$;

-- Notes the notifications that another program has deleted, as lost: retention deletes removed ones only.
CREATE OR REPLACE FUNCTION {schema}.note_deleted() RETURNS trigger LANGUAGE plpgsql AS $tackline$
DECLARE
  m record;
BEGIN
  IF NOT EXISTS (SELECT FROM deleted d, {schema}.meta meta WHERE d.seq > meta.trimmed) THEN
    RETURN NULL;
  END IF;
  SELECT * INTO m FROM {schema}.meta FOR UPDATE;
  UPDATE {schema}.meta SET (lost, bytes) = (
    SELECT {schema}.add_lost(m.lost, range_agg(int8range(d.seq - 1, d.seq, '(]'))),
      m.bytes - coalesce(sum(octet_length(d.body)), 0)
    FROM deleted d WHERE d.seq > m.trimmed
  );
  RETURN NULL;
END
$tackline$;
CREATE OR REPLACE TRIGGER note_deleted AFTER DELETE ON {schema}.notification
  REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION {schema}.note_deleted();

-- Notes that another program has emptied the table.
CREATE OR REPLACE FUNCTION {schema}.note_truncated() RETURNS trigger LANGUAGE plpgsql AS $tackline$
BEGIN
  UPDATE {schema}.meta SET bytes = 0, lost = {schema}.add_lost(lost, int8multirange(int8range(trimmed, last, '(]')));
  RETURN NULL;
END
$tackline$;
CREATE OR REPLACE TRIGGER note_truncated AFTER TRUNCATE ON {schema}.notification
  FOR EACH STATEMENT EXECUTE FUNCTION {schema}.note_truncated();
`;

/** Removes old notifications and digests. Parameters: age, maximum ages of both. One column, as the function says. */
export const TRIM: string = "SELECT {schema}.trim($1::text::bigint, $2::text::bigint, $3::text::bigint)";

/** Deletes rows of removed notifications. Parameter: number to begin after. One column: the last number, or NULL. */
export const SWEEP: string = "SELECT {schema}.sweep($1::text::bigint)::text";
