#!/usr/bin/env bash
# One published message above `client-output-buffer-limit` closes a Redis subscriber that reads, and PUBLISH counts it as a receiver.
#
# Version: redis-server 7.0 (Debian 12).
# Expected: the limit is for subscribers that do not read: one that reads all the time gets a message of any size that PUBLISH takes, or
# PUBLISH refuses it, or at least does not count a receiver that gets nothing of it.
# Seen: with a hard limit of 32kb and a message of 100 000 bytes, PUBLISH answers 1, and the subscriber, which waits for messages, gets
# none of these bytes: Redis closes its connection without a word. A message below the limit arrives.
# What follows from it: the number that PUBLISH answers says nothing about delivery, and a limit set for slow subscribers is also the
# greatest size of a message; each such message costs every subscriber of its channel the connection.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing (apt-get install redis-server)" >&2; exit 2; }
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" --client-output-buffer-limit pubsub 32kb 0 0 >/dev/null &
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
until [ "$(redis-cli -p "$port" PING 2>/dev/null)" = PONG ]; do sleep 0.1; done

cat >"$folder/subscriber.mjs" <<'JS'
import { connect } from "node:net";
const port = process.argv[2];
let got = "";
const socket = connect(Number(port), "127.0.0.1");
socket.on("data", (data) => got += data);
const closed = new Promise((resolve) => socket.on("close", () => resolve("closed")));
socket.write("SUBSCRIBE news\r\n");
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};
await until(() => got.includes(":1\r\n"));
// Asked over another connection, while this program goes on to read.
const publisher = connect(Number(port), "127.0.0.1");
const publish = (size) =>
  new Promise((resolve) => {
    publisher.once("data", (data) => resolve(String(data).trim()));
    publisher.write(`*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$${size}\r\n${"x".repeat(size)}\r\n`);
  });
const bytes = () => (got.match(/x/g) ?? []).length;
const small = await publish(1000);
await until(() => bytes() === 1000);
console.log(`1000 bytes: answer ${small}, came ${bytes()}`);
got = "";
const large = await publish(100_000);
const pause = new Promise((resolve) => setTimeout(() => resolve("open"), 2000));
const state = await Promise.race([closed, pause]);
console.log(`100000 bytes: answer ${large}, came ${bytes()}, the subscriber is ${state}`);
process.exit(0);
JS
seen=$(node "$folder/subscriber.mjs" "$port")
echo "$seen"
[ "$seen" = "1000 bytes: answer :1, came 1000
100000 bytes: answer :1, came 0, the subscriber is closed" ] || { echo "The behaviour has changed" >&2; exit 1; }
