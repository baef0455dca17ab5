#!/usr/bin/env bash
# npm:redis does not tell that a sharded channel has moved if any command waits for its answer at that moment; the channel stays deaf.
#
# Version: redis 6.3.1 (npm), node 20, redis-server 7.0 (Debian 12).
# Expected: when a cluster gives a slot to another server, the old one ends its sharded subscriptions by an unasked `sunsubscribe`. It is a
# push, which has nothing to do with the answers to commands: the client emits "sharded-channel-moved", whatever else is under way.
# Seen: it does so only while no command of the connection is unanswered. With one (here WAIT, which takes a second) it takes the push for
# a part of that answer, emits nothing, and keeps the listener. The server counts no subscription any more (`ssub=0`), the connection is
# well, and `sSubscribe` again to the same channel resolves without a command, since the client believes that it is subscribed.
# What follows from it: the event alone does not do for a subscriber that also sends commands, a PING every few seconds, say. It has to
# compare `ssub` of `CLIENT INFO` (7.0.3 or later) with its own count, and to make a new connection if it is too low.
set -euo pipefail
for program in redis-server node npm; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
from=$((20000 + RANDOM % 10000))
to=$((from + 1))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
for port in "$from" "$to"; do
  mkdir "$folder/$port"
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder/$port" --cluster-enabled yes --cluster-port $((port + 20000)) >/dev/null &
done
ask() { redis-cli -p "$@" 2>&1 | tr -d '\r'; }
until [ "$(ask "$from" PING)$(ask "$to" PING)" = PONGPONG ]; do sleep 0.1; done
ask "$from" CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null
ask "$from" CLUSTER MEET 127.0.0.1 "$to" $((to + 20000)) >/dev/null
until ask "$from" CLUSTER INFO | grep -q cluster_state:ok && ask "$to" CLUSTER INFO | grep -q cluster_state:ok; do sleep 0.1; done

cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund redis@6.3.1 >/dev/null
cat >subscriber.mjs <<'JS'
import { createClient } from "redis";
const [from, to] = process.argv.slice(2);
const connect = (port) => createClient({ socket: { port: Number(port) } }).on("error", () => {}).connect();
const [admin, target] = [await connect(from), await connect(to)];
const id = await target.sendCommand(["CLUSTER", "MYID"]);

for (const [channel, isBusy] of [["idle", false], ["busy", true]]) {
  const subscriber = await connect(from);
  let told = "not told";
  subscriber.on("sharded-channel-moved", () => told = "told");
  await subscriber.sSubscribe(channel, () => {});
  const slot = String(await admin.sendCommand(["CLUSTER", "KEYSLOT", channel]));
  // Sent and taken by the server, before the slot goes.
  const answer = isBusy ? subscriber.sendCommand(["WAIT", "9", "1000"]) : undefined;
  while (isBusy && !(await admin.sendCommand(["CLIENT", "LIST"])).includes("cmd=wait")) await new Promise(setImmediate);
  for (const server of [target, admin]) await server.sendCommand(["CLUSTER", "SETSLOT", slot, "NODE", id]);
  await answer;
  const info = await subscriber.sendCommand(["CLIENT", "INFO"]);
  console.log(`${channel}: ${told}, ${/ssub=\d+/.exec(info)[0]}`);
  if (isBusy) {
    const again = await subscriber.sSubscribe(channel, () => {}).then(() => "resolves", (error) => error.message.split(" ")[0]);
    console.log(`sSubscribe again: ${again}`);
  }
  subscriber.destroy();
}
admin.destroy();
target.destroy();
JS
seen=$(node subscriber.mjs "$from" "$to")
echo "$seen"
[ "$seen" = "idle: told, ssub=0
busy: not told, ssub=0
sSubscribe again: resolves" ] || {
  echo "The behaviour has changed" >&2
  exit 1
}
