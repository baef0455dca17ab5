#!/usr/bin/env bash
# Bun's own Redis client connects again after a cut, but forgets its subscriptions, and says nothing.
#
# Versions: bun 1.4.5 (npm), ioredis 6.0.0, redis 6.3.1 (npm), redis-server 7.0 (Debian).
# Expected: as with ioredis and node-redis, a subscriber that reconnects by itself hears what is published afterwards.
# Seen: `connected` is true again and `PUBSUB NUMSUB` is 0. The subscriber hears nothing more; no callback, no rejection.
# The database named in the URL is selected again, so state kept by the client is restored, but not this part of it.
# What follows from it: a subscriber on this client needs a probe of its own (a message to itself) and must subscribe again.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" >/dev/null &
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 ioredis@6.0.0 redis@6.3.1
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done

cat >subscribe.mjs <<'JS'
import Redis from "ioredis";
import { createClient } from "redis";
const [kind, port] = process.argv.slice(2);
const url = `redis://127.0.0.1:${port}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const other = new Redis(url);
const heard = [];
let databaseOf;
if (kind === "bun") {
  const client = new Bun.RedisClient(url);
  await client.subscribe("news", (message) => heard.push(message));
  const second = new Bun.RedisClient(url + "/5");
  await second.connect();
  databaseOf = async () => / db=(\d+)/.exec(String(await second.send("CLIENT", ["INFO"])))[1];
} else if (kind === "ioredis") {
  const client = new Redis(url);
  client.on("message", (_channel, message) => heard.push(message));
  await client.subscribe("news");
} else {
  const client = createClient({ url });
  client.on("error", () => {});
  await client.connect();
  await client.subscribe("news", (message) => heard.push(message));
}
await other.publish("news", "before");
const killed = await other.client("KILL", "TYPE", "pubsub");
if (databaseOf) await other.client("KILL", "TYPE", "normal", "SKIPME", "yes");
await pause(3000);
await other.publish("news", "after");
await pause(500);
console.log(`${kind}: killed ${killed}, heard ${heard.join(" ")}${databaseOf ? `, database ${await databaseOf()}` : ""}`);
process.exit(0);
JS
seen=$(
  npx --no-install bun subscribe.mjs bun "$port"
  node subscribe.mjs ioredis "$port"
  node subscribe.mjs node-redis "$port"
)
echo "$seen"
[ "$seen" = "bun: killed 1, heard before, database 5
ioredis: killed 1, heard before after
node-redis: killed 1, heard before after" ] || { echo "The behaviour has changed" >&2; exit 1; }
