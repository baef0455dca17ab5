#!/usr/bin/env bash
# A statement that waits for a synchronous standby knows no statement_timeout, and to cancel it makes it succeed.
#
# Versions: postgresql 15 (Debian 12), pg 8.23.1 and postgres 3.4.9 (npm) on node.
# Expected: with `synchronous_standby_names` and no standby an INSERT waits. `statement_timeout = '500ms'` ends it with 57014, and so does
# `pg_cancel_backend`, as with any other statement that waits.
# Seen: the time limit is switched off before the commit, so the INSERT waits for ever. After `pg_cancel_backend` it resolves like one that
# a standby has, and the row is there for all to see; only a warning tells otherwise, which neither client passes to the caller.
# What follows from it: a program that relies on synchronous replication must bound its wait by a limit of its own, and must close the
# connection then; a client that cancels the statement instead turns "not replicated" into a success.
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
npm init -y >/dev/null
npm install --silent --no-audit --no-fund postgres@3.4.9 pg@8.23.1

cat >cancel.mjs <<'JS'
import pg from "pg";
import postgres from "postgres";
const url = `postgres://me@127.0.0.1:${process.argv[2]}/postgres`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const admin = new pg.Client(url);
await admin.connect();
await admin.query("CREATE TABLE t (kind text)");
await admin.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
await admin.query("SELECT pg_reload_conf()");
await pause(500);
const client = new pg.Client(url);
await client.connect();
const sql = postgres(url, { max: 1, onnotice: () => {} });
for (const [kind, run] of [["pg", (text) => client.query(text)], ["postgres", (text) => sql.unsafe(text)]]) {
  await run("SET statement_timeout = '500ms'");
  const asleep = await run("SELECT pg_sleep(60)").then(() => "resolves", ({ code }) => code);
  let outcome = "waits";
  const insert = run(`INSERT INTO t VALUES ('${kind}')`).then(() => outcome = "resolves", ({ code }) => outcome = code);
  await pause(2000);
  const later = outcome;
  await admin.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  await insert;
  const { rows: [{ n }] } = await admin.query("SELECT count(*)::int AS n FROM t WHERE kind = $1", [kind]);
  console.log(`${kind}: asleep ${asleep}; inserting ${later} after 2 s, cancelled ${outcome}, rows ${n}`);
}
process.exit(0);
JS
seen=$(node cancel.mjs "$port")
echo "$seen"
[ "$seen" = "pg: asleep 57014; inserting waits after 2 s, cancelled resolves, rows 1
postgres: asleep 57014; inserting waits after 2 s, cancelled resolves, rows 1" ] || { echo "The behaviour has changed" >&2; exit 1; }
