#!/usr/bin/env bash
# The same `keyPrefix` in ioredis and in node-redis gives other keys to commands sent by name, and neither prefixes channels.
#
# Versions: ioredis 6.0.0, redis 6.3.1 (npm), redis-server 7.0 (Debian).
# Expected: an option of the same name does the same: either commands that are sent by their names (`call`, `sendCommand`) are left
# alone in both, since the client does not know them, or keys are prefixed in both.
# Seen: ioredis finds the keys of `call` in a table of commands, those of EVAL and XREAD too, and prefixes them; node-redis prefixes
# its methods only, and leaves `sendCommand` alone. What a script makes from ARGV, and channels, have no prefix in either.
# What follows from it: a library that sends commands by name has other keys with each client, and two parts of a service that
# differ in client or in this option only do not see each other's keys, while they hear each other's messages.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" >/dev/null &
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ioredis@6.0.0 redis@6.3.1
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done

cat >keys.mjs <<'JS'
import Redis from "ioredis";
import { createClient } from "redis";
const url = `redis://127.0.0.1:${process.argv[2]}`;
const admin = new Redis(url);
const script = "redis.call('SET', KEYS[1] .. '-keys', '1') redis.call('SET', ARGV[1] .. '-argv', '1')";
const both = { ioredis: new Redis(url, { keyPrefix: "x:" }), "node-redis": createClient({ url, keyPrefix: "x:" }) };
await both["node-redis"].connect();
for (const [name, client] of Object.entries(both)) {
  const byName = (...command) =>
    name === "ioredis" ? client.call(command[0], command.slice(1)) : client.sendCommand(command);
  await admin.flushall();
  await client.set("method", "1");
  await byName("SET", "raw", "1");
  await byName("EVAL", script, "1", "script", "script");
  const subscriber = client.duplicate();
  if (name === "ioredis") await subscriber.subscribe("channel");
  else {
    await subscriber.connect();
    await subscriber.subscribe("channel", () => {});
  }
  const keys = (await admin.keys("*")).sort();
  console.log(`${name}: ${keys.join(" ")}; channels ${await admin.pubsub("CHANNELS")}`);
  await (name === "ioredis" ? subscriber.quit() : subscriber.close());
}
process.exit(0);
JS
seen=$(node keys.mjs "$port")
echo "$seen"
[ "$seen" = "ioredis: script-argv x:method x:raw x:script-keys; channels channel
node-redis: raw script-argv script-keys x:method; channels channel" ] || { echo "The behaviour has changed" >&2; exit 1; }
