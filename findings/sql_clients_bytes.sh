#!/usr/bin/env bash
# Bytes in another form than a Uint8Array reach a bytea column as other bytes, without an error, with two clients of PostgreSQL of three.
#
# Versions: pg 8.23.1 and postgres 3.4.9 (npm) on node, Bun.SQL of bun 1.4.5 (npm), postgresql 15 (Debian 12).
# Expected: an ArrayBuffer (of `fetch`, `crypto.subtle`), a DataView or a Uint16Array as the parameter of a bytea column is either
# refused, or its bytes are stored, as with Buffer.
# Seen: npm:pg makes JSON of an ArrayBuffer, and stores the two bytes "{}"; npm:postgres stores nothing of a DataView, and of each element
# of a Uint16Array the low byte; it takes an ArrayBuffer rightly, and pg the other two. Bun.SQL stores the right bytes of all of them.
# What follows from it: `await response.arrayBuffer()` given to npm:pg is lost silently, and code that was tested with one client stores
# other bytes with the next. A layer over several clients should make a Uint8Array of all it gets, and nothing else works with all.
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

cat >bytes.mjs <<'JS'
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
const { buffer } = new Uint8Array([1, 2, 3, 4]);
const forms = [new Uint8Array(buffer), buffer, new DataView(buffer), new Uint16Array([0x0102, 0x0304])];
const seen = [];
for (const form of forms) seen.push(`${form.constructor.name} "${await ask("SELECT encode($1::bytea, 'hex')", [form])}"`);
console.log(`${kind}: ${seen.join(", ")}`);
process.exit(0);
JS
seen=$(node bytes.mjs pg "$port"; node bytes.mjs postgres "$port"; npx --no-install bun bytes.mjs Bun.SQL "$port")
echo "$seen"
[ "$seen" = 'pg: Uint8Array "01020304", ArrayBuffer "7b7d", DataView "01020304", Uint16Array "02010403"
postgres: Uint8Array "01020304", ArrayBuffer "01020304", DataView "", Uint16Array "0204"
Bun.SQL: Uint8Array "01020304", ArrayBuffer "01020304", DataView "01020304", Uint16Array "02010403"' ] || { echo "The behaviour has changed" >&2; exit 1; }
