#!/usr/bin/env bash
# npm:postgres stores false for 1 and for "true" in a boolean column, and Bun.SQL rounds 1.7 in an integer column; neither reports anything.
#
# Versions: pg 8.23.1 and postgres 3.4.9 (npm) on node, Bun.SQL of bun 1.4.5 (npm), postgresql 15 (Debian 12).
# Expected: a parameter that is no value of the column's type is read as PostgreSQL reads its text (1 and "true" are true), or is refused,
# as PostgreSQL refuses "1.7" for an integer (22P02).
# Seen: npm:postgres turns whatever is not exactly true into false: 1, "true" and "t" too. Bun.SQL stores 2 for 1.7 and for 2.5 where
# pg and npm:postgres reject, and refuses 1 for a boolean (42804). npm:pg does what PostgreSQL does with the text.
# What follows from it: a flag that comes as 1 or as text, from JSON, a form or another database, becomes false silently when a program
# moves to npm:postgres; an amount in a wrong unit is rounded silently with Bun.SQL. Flags have to be booleans before they are given,
# numbers checked with Number.isInteger; a layer over several clients casts from text in SQL (`$1::text::bigint`).
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
npm install --silent --no-audit --no-fund postgres@3.4.9 pg@8.23.1 bun@1.4.5

cat >coerced.mjs <<'JS'
import pg from "pg";
import postgres from "postgres";
const [kind, port] = process.argv.slice(2);
const url = `postgres://me@127.0.0.1:${port}/postgres`;
let ask;
if (kind === "pg") {
  const client = new pg.Client(url);
  await client.connect();
  ask = async (text, values) => (await client.query({ text, values, rowMode: "array" })).rows[0][0];
} else {
  const sql = kind === "postgres" ? postgres(url, { max: 1 }) : new Bun.SQL(url, { max: 1 });
  ask = async (text, values) => (await sql.unsafe(text, values).values())[0][0];
}
const seen = [];
for (const [type, value] of [["boolean", 1], ["boolean", "true"], ["boolean", "t"], ["integer", 1.7], ["integer", 2.5]]) {
  await ask(`CREATE TEMP TABLE t${seen.length} (x ${type})`, []).catch(() => {});
  const stored = ask(`INSERT INTO t${seen.length} VALUES ($1) RETURNING x`, [value]);
  seen.push(`${type} ${JSON.stringify(value)} ${await stored.then(String, ({ code, errno }) => errno ?? code)}`);
}
console.log(`${kind}: ${seen.join(", ")}`);
process.exit(0);
JS
seen=$(node coerced.mjs pg "$port"; node coerced.mjs postgres "$port"; npx --no-install bun coerced.mjs Bun.SQL "$port")
echo "$seen"
[ "$seen" = 'pg: boolean 1 true, boolean "true" true, boolean "t" true, integer 1.7 22P02, integer 2.5 22P02
postgres: boolean 1 false, boolean "true" false, boolean "t" false, integer 1.7 22P02, integer 2.5 22P02
Bun.SQL: boolean 1 42804, boolean "true" true, boolean "t" true, integer 1.7 2, integer 2.5 2' ] || { echo "The behaviour has changed" >&2; exit 1; }
