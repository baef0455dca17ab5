#!/usr/bin/env bash
# Bun's SQL client opens all connections of its pool with the first statement.
#
# Versions: bun 1.4.5, pg 8.23.1, postgres 3.4.9 (npm), postgresql 15 (Debian 12).
# Expected: a pool opens connections as they are needed: after one statement there is one, as with npm:pg (`Pool`) and npm:postgres, whose
# limit is ten, too.
# Seen: after one `SELECT 1` PostgreSQL has ten connections of Bun, and five with `max: 5`.
# What follows from it: each process on Bun takes `max` connections of the server as soon as it says anything: ten processes take the
# hundred that PostgreSQL allows by default. A client that is given to a library as a model needs `max: 1`.
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
npm install --silent --no-audit --no-fund bun@1.4.5 postgres@3.4.9 pg@8.23.1

cat >count.mjs <<'JS'
import pg from "pg";
import postgres from "postgres";
const [kind, port] = process.argv.slice(2);
const url = `postgres://me@127.0.0.1:${port}/postgres`;
const makers = {
  bun: () => new Bun.SQL(url),
  "bun with max 5": () => new Bun.SQL(url, { max: 5 }),
  postgres: () => postgres(url),
  pg: () => new pg.Pool({ connectionString: url }),
};
const client = makers[kind]();
await (client.unsafe?.("SELECT 1") ?? client.query("SELECT 1"));
await new Promise((resolve) => setTimeout(resolve, 1000));
const admin = new pg.Client(url);
await admin.connect();
const { rows: [{ n }] } = await admin.query(
  "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
);
console.log(`${kind}: ${n}`);
process.exit(0);
JS
seen=$(
  for kind in bun "bun with max 5"; do npx --no-install bun count.mjs "$kind" "$port"; done
  for kind in postgres pg; do node count.mjs "$kind" "$port"; done
)
echo "$seen"
[ "$seen" = "bun: 10
bun with max 5: 5
postgres: 1
pg: 1" ] || { echo "The behaviour has changed" >&2; exit 1; }
