#!/usr/bin/env bash
# npm:postgres fails the first statement on a new connection with the error that ended the connection before.
#
# Versions: postgres 3.4.9 and pg 8.23.1 (npm) on node, postgresql 15 (Debian 12).
# Expected: when an administrator ends a connection (`pg_terminate_backend`, `pg_ctl stop -m fast`, a fail-over), the statement that runs
# at that time rejects with 57P01, and the next one runs on a new connection. With npm:pg it is so.
# Seen: the statement that was running rejects with CONNECTION_CLOSED. The next one, an INSERT, opens a new connection, is never sent over
# it, and rejects with 57P01. The one after that is in order.
# What follows from it: with this client each connection that is ended costs two statements, and a code of PostgreSQL in a rejection
# tells nothing about the statement that it rejects.
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

cat >next.mjs <<'JS'
import pg from "pg";
import postgres from "postgres";
const [kind, port] = process.argv.slice(2);
const url = `postgres://me@127.0.0.1:${port}/postgres`;
const admin = new pg.Client(url);
await admin.connect();
await admin.query("CREATE TABLE IF NOT EXISTS t (kind text, n int)");
let run, end;
if (kind === "postgres") {
  const sql = postgres(url, { max: 1 });
  run = (text) => sql.unsafe(text);
  end = () => sql.end();
} else {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on("error", () => {});
  run = (text) => pool.query(text);
  end = () => pool.end();
}
const outcome = (promise) => promise.then(() => "resolves", ({ code }) => `rejects with ${code}`);
await run("SELECT 1");
const running = outcome(run("SELECT pg_sleep(60)"));
let ended = 0;
while (ended === 0) {
  const { rowCount } = await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'",
  );
  ended = rowCount;
}
const seen = [`the running one ${await running}`];
for (const n of [1, 2]) seen.push(`INSERT ${n} ${await outcome(run(`INSERT INTO t VALUES ('${kind}', ${n})`))}`);
const { rows } = await admin.query("SELECT n FROM t WHERE kind = $1 ORDER BY n", [kind]);
console.log(`${kind}: ${seen.join(", ")}, in the table: ${rows.map(({ n }) => n).join(" ")}`);
await end();
await admin.end();
JS
seen=$(for kind in postgres pg; do node next.mjs "$kind" "$port"; done)
echo "$seen"
[ "$seen" = "postgres: the running one rejects with CONNECTION_CLOSED, INSERT 1 rejects with 57P01, INSERT 2 resolves, in the table: 2
pg: the running one rejects with 57P01, INSERT 1 resolves, INSERT 2 resolves, in the table: 1 2" ] || { echo "The behaviour has changed" >&2; exit 1; }
