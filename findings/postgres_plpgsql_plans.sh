#!/usr/bin/env bash
# PL/pgSQL plans a statement over the elements of an array parameter anew in each call, for ever, and most of the time goes into that.
#
# Version: postgresql 15 (Debian 12).
# Expected: PL/pgSQL keeps the plans of its statements: after some calls a statement that is always the same is not planned any more.
# Seen: with `generate_series(1, cardinality(parameter))` the plan for the known value is estimated cheaper than the plan for any value, which
# counts with 1000 rows; so the server makes a custom plan each time. With `SET plan_cache_mode = force_generic_plan` at the function
# the same calls take less than two thirds of the time.
# What follows from it: functions that take a batch as arrays need that setting; the journal's append became twice as fast by it.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] || { echo "postgresql-15 is missing (apt-get install postgresql-15)" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 12000))
as=()
[ "$(id -u)" != 0 ] || { as=(setpriv --reuid=postgres --clear-groups); chown postgres "$folder"; }
trap '"${as[@]}" "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop || true; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
"${as[@]}" "$bin/initdb" -D "$folder/data" --no-sync --auth=trust --username=me >/dev/null
"${as[@]}" "$bin/pg_ctl" -s -w -D "$folder/data" -l "$folder/data/log" -o "-p $port -k $folder -c listen_addresses=127.0.0.1" start
cat >plans.sql <<'SQL'
CREATE TABLE item (id bigint PRIMARY KEY, n bigint);
CREATE FUNCTION count_known(p bigint[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found_count bigint;
BEGIN
  WITH given AS MATERIALIZED (SELECT i, p[i] AS id FROM generate_series(1, cardinality(p)) i),
    known AS MATERIALIZED (SELECT given.i, (SELECT item.n FROM item WHERE item.id = given.id) AS n FROM given),
    numbered AS MATERIALIZED (SELECT i, n, row_number() OVER (ORDER BY i) AS at FROM known WHERE n IS NULL),
    kept AS (INSERT INTO item SELECT -at, n FROM numbered WHERE false)
  SELECT count(*) INTO found_count FROM numbered;
  RETURN found_count;
END $$;
CREATE FUNCTION time_of(calls integer) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE begun timestamptz := clock_timestamp(); n integer;
BEGIN
  FOR n IN 1 .. calls LOOP PERFORM count_known(ARRAY[1, 2, 3, n]); END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - begun);
END $$;
CREATE FUNCTION best_of(calls integer) RETURNS double precision LANGUAGE sql AS
$$ SELECT min(time_of(calls)) FROM generate_series(1, 5) g WHERE g > 0 $$;
SELECT time_of(50);
SELECT best_of(2000) AS kept \gset
ALTER FUNCTION count_known SET plan_cache_mode = force_generic_plan;
SELECT time_of(50);
SELECT best_of(2000) AS forced \gset
SELECT 'the time with force_generic_plan is ' || CASE WHEN :forced < :kept * 0.67 THEN 'less' ELSE 'not less' END || ' than two thirds';
SQL
seen=$("$bin/psql" -h 127.0.0.1 -p "$port" -U me -d postgres -qAt -f plans.sql | tail -n 1)
echo "$seen"
[ "$seen" = "the time with force_generic_plan is less than two thirds" ] || { echo "The behaviour has changed" >&2; exit 1; }
