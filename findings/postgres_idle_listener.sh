#!/usr/bin/env bash
# `idle_session_timeout` of PostgreSQL ends a session that LISTENs, however many notifications it gets.
#
# Versions: postgresql 15 (Debian 12), redis-server 7.0 (Debian 12), pg 8.23.1 and ioredis 6.0.0 (npm) on node.
# Expected: a listener that gets a notification every 100 ms is not idle, or listeners are exempt: Redis exempts subscribers from its own
# `timeout` for idle clients.
# Seen: only statements of the client count. With a limit of 1.5 s the listener gets notifications for 1.5 s, then error 57P05 and the end
# of its connection. A subscriber of Redis with `timeout 1` hears all 30 messages of 3 s.
# What follows from it: a service that sets the limit against forgotten sessions cuts all listeners, each time with a hole in what they
# hear. A listener needs statements of its own in less than the limit, which it can read: SHOW idle_session_timeout.
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
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
npm install --silent --no-audit --no-fund pg@8.23.1 ioredis@6.0.0
redis=$((port + 1))
redis-server --port "$redis" --bind 127.0.0.1 --save '' --dir "$folder" --timeout 1 >/dev/null &
trap 'kill %1 || true; "${as[@]}" "$bin/pg_ctl" -s -D "$folder/data" -m immediate stop || true; rm -rf "$folder"' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$redis") 2>/dev/null; do sleep 0.1; done

cat >idle.mjs <<'JS'
import Redis from "ioredis";
import pg from "pg";
const [port, redis] = process.argv.slice(2);
const url = `postgres://me@127.0.0.1:${port}/postgres`;
const listener = new pg.Client(url);
let heard = 0;
let ended = "still there";
listener.on("notification", () => heard++);
listener.on("error", ({ code }) => code && (ended = `ended with ${code}`));
await listener.connect();
await listener.query("SET idle_session_timeout = 1500");
await listener.query("LISTEN news");
const subscriber = new Redis(redis);
let messages = 0;
let reconnects = 0;
subscriber.on("message", () => messages++);
subscriber.on("reconnecting", () => reconnects++);
await subscriber.subscribe("news");
const sender = new pg.Client(url);
const publisher = new Redis(redis);
await sender.connect();
for (let n = 0; n < 30; n++) {
  await sender.query("NOTIFY news");
  await publisher.publish("news", "");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
console.log(`PostgreSQL: ${heard > 5 && heard < 20 ? "about half" : heard} of 30 heard, ${ended}`);
console.log(`Redis: ${messages} of 30 heard, ${reconnects} reconnects`);
process.exit(0);
JS
seen=$(node idle.mjs "$port" "$redis")
echo "$seen"
[ "$seen" = "PostgreSQL: about half of 30 heard, ended with 57P05
Redis: 30 of 30 heard, 0 reconnects" ] || { echo "The behaviour has changed" >&2; exit 1; }
