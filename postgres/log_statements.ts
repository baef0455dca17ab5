/**
 * Functions and statements of the log: opening, lease of a node, appending, reading.
 *
 * A function that changes the log locks the row of `meta` first, and each of its statements sees what was committed
 * before it got the lock. The lock is waited for at most {@linkcode LOCK_TIMEOUT} ms: a server that waits for its
 * standby holds it, and clients that give up must not leave more and more waiting connections behind.
 *
 * @module
 */

/** Time for the lock of the log, in ms. */
export const LOCK_TIMEOUT = 2500;

/** Distance between the numbers of two epochs. */
const LEAP = 2 ** 20;
/** Maximum of epochs that are remembered. */
const MAX_ERAS = 16;
/** Maximum of lost ranges that are remembered. */
export const MAX_LOST = 32;

/** Functions of the log; `{schema}` stands for the schema. */
export const LOG_FUNCTIONS: string = `
-- The server that gives numbers: each start of a server is another one, since it may have other data. So is one whose
-- processes have crashed, which empties the table run, and one whose tables were put back from a copy. It names the
-- schema of all it calls instead of a path, which would take some time of each append.
CREATE OR REPLACE FUNCTION {schema}.server() RETURNS text LANGUAGE plpgsql STABLE AS $without_path$
BEGIN
  RETURN pg_catalog.concat_ws('.', extract(epoch FROM pg_catalog.pg_postmaster_start_time()),
    (SELECT pg_catalog.pg_relation_filenode(m.tableoid) FROM {schema}.meta m), (SELECT r.id FROM {schema}.run r));
END
$without_path$;

-- Opens the journal, or creates it. Arguments: ID of the journal that the node knows, or ""; an ID for a new journal;
-- the numbers that the node knows, "after until ...". Returns ID, last, trimmed, age, base, epochs and losses, with "|"
-- between them.
--
-- A number is never given twice, not even by a PostgreSQL that has forgotten some. Therefore an epoch begins whenever
-- another server gives the numbers: after a restart, or a fail-over, perhaps to a standby that was behind. Its numbers
-- begin at the time of day, in 1/2048 ms: above all that were given before, also by a server of unknown history, and
-- below 2^53 until the year 2109.
CREATE OR REPLACE FUNCTION {schema}.open(p_ours text, p_new text, p_known text) RETURNS text LANGUAGE plpgsql AS $tackline$
DECLARE
  m record;
  known bigint[] := coalesce(string_to_array(nullif(p_known, ''), ' '), '{}')::bigint[];
  eras bigint[];
  pairs bigint[];
  lost int8multirange := '{}';
  begins boolean;
  most bigint := 0;
  since bigint;
  ending bigint;
  lost_text text;
BEGIN
  PERFORM set_config('lock_timeout', '${LOCK_TIMEOUT}', true);
  INSERT INTO {schema}.meta (version) SELECT 1 WHERE NOT EXISTS (SELECT FROM {schema}.meta) ON CONFLICT DO NOTHING;
  SELECT * INTO m FROM {schema}.meta FOR UPDATE;
  IF m.id <> '' AND p_ours <> '' AND m.id <> p_ours THEN
    RETURN m.id;
  END IF;
  INSERT INTO {schema}.run (id) SELECT gen_random_uuid()::text WHERE NOT EXISTS (SELECT FROM {schema}.run);
  IF m.id = '' THEN
    m.id := CASE WHEN p_ours = '' THEN p_new ELSE p_ours END;
    -- Numbers were given already if only the row was deleted.
    begins := EXISTS (SELECT FROM {schema}.notification) OR EXISTS (SELECT FROM {schema}.digest);
    SELECT coalesce(max(n.seq), 0), coalesce(sum(octet_length(n.body)), 0) INTO m.last, m.bytes
      FROM {schema}.notification n;
  ELSE
    begins := m.run <> {schema}.server();
  END IF;
  eras := coalesce(string_to_array(nullif(m.eras, ''), ' '), '{}')::bigint[];
  FOR i IN 2 .. cardinality(known) BY 2 LOOP
    most := greatest(most, known[i]);
  END LOOP;
  IF begins OR most > greatest(m.last, m.base) THEN
    m.base := greatest(m.base + ${LEAP}, m.last + ${LEAP}, most + ${LEAP},
      (extract(epoch FROM clock_timestamp()) * 2048000)::bigint);
    eras := eras || m.base || m.last;
    eras := eras[greatest(1, cardinality(eras) - ${2 * MAX_ERAS - 1}):];
  END IF;
  pairs := coalesce(string_to_array(nullif(m.lost, ''), ' '), '{}')::bigint[];
  FOR i IN 2 .. cardinality(pairs) BY 2 LOOP
    lost := lost + int8multirange(int8range(pairs[i - 1], pairs[i], '(]'));
  END LOOP;
  -- Numbers that the node knows and PostgreSQL does not.
  FOR i IN 2 .. cardinality(known) BY 2 LOOP
    since := known[i - 1];
    ending := m.last;
    FOR e IN 2 .. cardinality(eras) BY 2 LOOP
      IF since < eras[e - 1] THEN
        ending := eras[e];
        EXIT;
      END IF;
    END LOOP;
    since := greatest(since, ending);
    IF known[i] > since THEN
      lost := lost + int8multirange(int8range(since, known[i], '(]'));
    END IF;
  END LOOP;
  SELECT coalesce(string_agg((lower(r) - 1) || ' ' || (upper(r) - 1), ' ' ORDER BY r), '') INTO lost_text
    FROM (SELECT r FROM unnest(lost) r WHERE upper(r) - 1 > m.trimmed ORDER BY r DESC LIMIT ${MAX_LOST}) newest;
  UPDATE {schema}.meta SET id = m.id, last = m.last, bytes = m.bytes, base = m.base, eras = array_to_string(m_eras, ' '), lost = lost_text,
    run = {schema}.server() FROM (SELECT eras AS m_eras) e;
  RETURN concat_ws('|', m.id, m.last, m.trimmed, m.age, m.base, array_to_string(eras, ' '), lost_text);
END
$tackline$;

-- Renews the lease of a node, and tells all nodes through the channel that this one hears it. Arguments: node, duration
-- in ms, channel or "". Returns base, last, trimmed and losses. A node without a lease waits for the append under way:
-- that one has seen no lease, and does not notify.
CREATE OR REPLACE FUNCTION {schema}.sign(p_node text, p_duration bigint, p_channel text) RETURNS text
LANGUAGE plpgsql AS $tackline$
DECLARE
  m record;
BEGIN
  -- A lease need not outlive the server, nor wait for its disk.
  PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '${LOCK_TIMEOUT}', true);
  IF NOT EXISTS (SELECT FROM {schema}.node WHERE id = p_node AND expires > now()) THEN
    PERFORM FROM {schema}.meta FOR UPDATE;
  END IF;
  INSERT INTO {schema}.node (id, expires) VALUES (p_node, now() + p_duration * interval '1 ms')
    ON CONFLICT (id) DO UPDATE SET expires = excluded.expires;
  DELETE FROM {schema}.node WHERE expires < now() - interval '1 minute';
  IF p_channel <> '' THEN
    PERFORM pg_notify(p_channel, '0 ' || p_node);
  END IF;
  SELECT * INTO m FROM {schema}.meta;
  RETURN concat_ws('|', m.base, m.last, m.trimmed, m.lost);
END
$tackline$;

-- Keeps notifications with different digests. Arguments: ID of the journal, base, greatest number this node knows, age,
-- maximum of bytes, channel, node; for each notification the place of its digest in the data, the lengths of digest,
-- body and signature, the time, and 1 to forward it; the data. Returns trimmed before and now, age, and for each
-- notification its number and 1 for a duplicate; or "EPOCH" if the node must open the journal again first, or "REPLACED".
CREATE OR REPLACE FUNCTION {schema}.append(p_id text, p_base bigint, p_known bigint, p_age bigint, p_max bigint,
  p_channel text, p_node text, p_items text, p_data bytea) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $tackline$
DECLARE
  m record;
  a bigint[] := string_to_array(p_items, ' ')::bigint[];
  before bigint;
  greatest_seq bigint;
  room bigint;
  numbers text;
  old record;
BEGIN
  PERFORM set_config('lock_timeout', '${LOCK_TIMEOUT}', true);
  SELECT * INTO m FROM {schema}.meta FOR UPDATE;
  IF m.id <> p_id THEN
    RETURN CASE WHEN m.id = '' THEN 'EPOCH' ELSE 'REPLACED' END;
  END IF;
  IF m.id IS NULL OR m.run <> {schema}.server() OR m.base <> p_base OR greatest(m.last, m.base) < p_known THEN
    RETURN 'EPOCH';
  END IF;
  m.age := greatest(m.age, p_age);
  WITH item AS MATERIALIZED (
    SELECT i, a[6 * i + 1]::int AS at, a[6 * i + 2]::int AS digest_size, a[6 * i + 3]::int AS body_size,
      a[6 * i + 4]::int AS signature_size, a[6 * i + 5] AS received, a[6 * i + 6] = 1 AS forward
    FROM generate_series(0, cardinality(a) / 6 - 1) i
  ), known AS MATERIALIZED (
    SELECT item.*, substring(p_data FROM at FOR digest_size) AS digest,
      -- A subquery, not a join: it uses the index, however few digests there were when the plan was made.
      (SELECT d.seq FROM {schema}.digest d WHERE d.digest = substring(p_data FROM item.at FOR item.digest_size)) AS seq
    FROM item
  ), fresh AS MATERIALIZED (
    SELECT i, at, digest_size, body_size, signature_size, received, forward, digest,
      greatest(m.last, m.base) + row_number() OVER (ORDER BY i) AS seq
    FROM known WHERE known.seq IS NULL
  ), digests AS (
    INSERT INTO {schema}.digest (digest, seq, age) SELECT digest, seq, m.age FROM fresh
  ), notifications AS (
    INSERT INTO {schema}.notification (seq, body, signature, received, age)
      SELECT seq, substring(p_data FROM at + digest_size FOR body_size),
        substring(p_data FROM at + digest_size + body_size FOR signature_size), received, m.age
      FROM fresh WHERE forward
  ), settled AS (
    SELECT i, seq, 1 AS duplicate, 0 AS size FROM known WHERE seq IS NOT NULL
    UNION ALL SELECT i, seq, 0, CASE WHEN forward THEN body_size ELSE 0 END FROM fresh
  )
  SELECT string_agg(seq || ' ' || duplicate, ' ' ORDER BY i), max(seq) FILTER (WHERE duplicate = 0), sum(size)
    INTO numbers, greatest_seq, room FROM settled;
  before := m.trimmed;
  IF p_max > 0 AND m.bytes + room > p_max THEN
    FOR old IN SELECT seq, octet_length(body) AS size FROM {schema}.notification
      WHERE seq > m.trimmed AND seq <= m.last ORDER BY seq
    LOOP
      EXIT WHEN m.bytes + room <= p_max;
      m.bytes := m.bytes - old.size;
      m.trimmed := old.seq;
    END LOOP;
  END IF;
  UPDATE {schema}.meta SET last = coalesce(greatest_seq, m.last), trimmed = m.trimmed, bytes = m.bytes + room,
    age = m.age;
  -- A node that is alone is not woken by itself.
  IF greatest_seq IS NOT NULL AND EXISTS (SELECT FROM {schema}.node WHERE id <> p_node AND expires > now()) THEN
    PERFORM pg_notify(p_channel, greatest_seq || ' ' || p_node);
  END IF;
  RETURN concat_ws('|', before, m.trimmed, m.age, numbers);
END
$tackline$;
`;

/** Opens the journal: one column, as the function says. */
export const OPEN: string = "SELECT {schema}.open($1::text, $2::text, $3::text)";

/** Renews the lease of a node: one column, as the function says. */
export const SIGN: string = "SELECT {schema}.sign($1::text, $2::text::bigint, $3::text)";

/** Gives up the lease of a node. */
export const RESIGN = "DELETE FROM {schema}.node WHERE id = $1::text";

/** Keeps notifications: one column, as the function says. */
export const APPEND: string =
  "SELECT {schema}.append($1::text, $2::text::bigint, $3::text::bigint, $4::text::bigint, " +
  "$5::text::bigint, $6::text, $7::text, $8::text, $9::bytea)";

/** Recognises a retry. Parameter: digest. One row if it is known. */
export const HAS: string = "SELECT 'y' FROM {schema}.digest WHERE digest = $1::bytea";

/**
 * Form of bytes in an answer, for the transaction: a role may have another one, which not all clients read.
 */
export const HEX_BYTES: string = "set_config('bytea_output', 'hex', true)";

/**
 * Columns of an entry, for {@linkcode decodeEntry}; the table is named `n`.
 */
export const ENTRY_COLUMNS: string = "n.seq::text, n.body, n.signature, n.received::text";

/**
 * Reads entries. Parameters: after, count, maximum of bytes, which the first entry may exceed. Rows: last, trimmed,
 * losses, and an entry; its columns are NULL if there is none.
 */
export const READ: string = `
SELECT m.last::text, m.trimmed::text, m.lost, ${ENTRY_COLUMNS}
FROM {schema}.meta m CROSS JOIN (SELECT ${HEX_BYTES}) bytes LEFT JOIN (
  SELECT page.*, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS bytes_before
  FROM (
    SELECT * FROM {schema}.notification
    WHERE seq > greatest($1::text::bigint, (SELECT trimmed FROM {schema}.meta)) ORDER BY seq LIMIT $2::text::bigint
  ) page
) n ON n.bytes_before < $3::text::bigint
ORDER BY n.seq`;
