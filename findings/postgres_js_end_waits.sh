#!/usr/bin/env bash
# npm:postgres: `end()` never resolves after a connection was lost during a statement.
#
# Versions: postgres 3.4.9 and pg 8.23.1 (npm) on node, postgresql 15 (Debian 12).
# Expected: a connection that is lost is no connection any more: the statement rejects, and `end()` resolves at once, as with npm:pg.
# Seen: the statement rejects; `end()` waits for the lost connection without end (here for 3 s), unless the client opens it again first.
# What follows from it: a program that shuts down after a fail-over hangs. It has to give a limit, `end({ timeout: 5 })`, with which it ends.
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

cat >end.mjs <<'JS'
import pg from "pg";
import postgres from "postgres";
const [kind, port] = process.argv.slice(2);
const url = `postgres://me@127.0.0.1:${port}/postgres`;
const admin = new pg.Client(url);
await admin.connect();
let run, end;
if (kind === "pg") {
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {});
  run = (text) => pool.query(text);
  end = () => pool.end();
} else {
  const sql = postgres(url);
  run = (text) => sql.unsafe(text);
  end = kind === "postgres" ? () => sql.end() : () => sql.end({ timeout: 0.1 });
}
const outcome = run("SELECT pg_sleep(60)").then(() => "resolves", () => "rejects");
for (let ended = 0; ended === 0;) {
  const { rowCount } = await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'",
  );
  ended = rowCount;
}
const statement = await outcome;
const late = new Promise((resolve) => setTimeout(resolve, 3000, "does not resolve"));
console.log(`${kind}: the statement ${statement}, end() ${await Promise.race([end().then(() => "resolves"), late])}`);
process.exit();
JS
seen=$(for kind in pg postgres "postgres with a timeout"; do node end.mjs "$kind" "$port"; done)
echo "$seen"
[ "$seen" = "pg: the statement rejects, end() resolves
postgres: the statement rejects, end() does not resolve
postgres with a timeout: the statement rejects, end() resolves" ] || { echo "The behaviour has changed" >&2; exit 1; }
