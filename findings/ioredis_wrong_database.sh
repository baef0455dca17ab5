#!/usr/bin/env bash
# A client of npm `ioredis` that cannot select its database writes into database 0.
#
# Version: ioredis 6.0.0 on Node 20, redis-server 7.0 (Debian 12).
# Expected: a client whose `db` the server refuses does not connect: `connect()` rejects, as `createClient` of npm `redis` does, or
# each command does, as with the client built into Bun.
# Seen: `connect()` resolves, and commands succeed, in database 0. The refusal of `SELECT` comes as an event "error" only.
# What follows from it: a wrong number, or a server that has one database only, mixes the keys of two programs, or of two nodes of
# one; a connection has to be asked by a `SELECT` of one's own before anything is written.
set -euo pipefail
for program in redis-server node npm; do
  command -v "$program" >/dev/null || { echo "$program is missing (apt-get install redis-server nodejs npm)" >&2; exit 2; }
done
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit ioredis@6.0.0 >/dev/null
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" --databases 2 >/dev/null &
until [ "$(redis-cli -p "$port" PING 2>/dev/null)" = PONG ]; do sleep 0.1; done
cat >client.cjs <<'JS'
const { Redis } = require("ioredis");
const client = new Redis(Number(process.argv[2]), "127.0.0.1", { db: 5, lazyConnect: true, retryStrategy: () => null });
client.on("error", ({ message }) => console.log(`event: ${message}`));
client.connect().then(() => console.log("connect: resolved"), ({ message }) => console.log(`connect: ${message}`))
  .then(() => client.set("key", "value"))
  .then((answer) => console.log(`SET: ${answer}`), ({ message }) => console.log(`SET: ${message}`))
  .finally(() => client.disconnect());
JS
seen=$(node client.cjs "$port")
echo "$seen"
value=$(redis-cli -p "$port" -n 0 GET key)
echo "key in database 0: ${value:-none}"
grep -q '^connect: resolved$' <<<"$seen" && grep -q '^SET: OK$' <<<"$seen" && [ "$value" = value ] || { echo "this has changed"; exit 1; }
