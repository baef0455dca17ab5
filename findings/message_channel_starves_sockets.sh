#!/usr/bin/env bash
# Work that is cut into pieces by messages of a MessageChannel leaves the sockets of the program no turn, on Node, Deno and Bun alike.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20.
# Expected: a message is a task of its own; between two tasks the loop looks at its sockets, as it does between two timers. (In browsers this
# is the usual way to yield without the delay of a timer.)
# Seen: beside pieces of 0.3 ms that follow each other by messages, a connection makes none to three round trips a second on all three; with
# a timer of 0 ms between them thousands.
# What follows from it: a MessageChannel is no substitute for `setImmediate` or a timer in a server.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >server.mjs <<'JS'
import { createServer } from "node:net";
import process from "node:process";
const { port1, port2 } = new MessageChannel();
let resume;
port1.onmessage = () => resume();
const pauses = {
  timer: (done) => setTimeout(done, 0),
  message: (done) => {
    resume = done;
    port2.postMessage(0);
  },
};
const pause = pauses[process.argv[2]];
const server = createServer((socket) => socket.on("error", () => {}).on("data", (bytes) => socket.write(bytes)));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
setTimeout(() => process.exit(), 20_000);
while (true) {
  const end = performance.now() + 0.3;
  while (performance.now() < end);
  await new Promise(pause);
}
JS
cat >client.cjs <<'JS'
const socket = require("net").connect(Number(process.argv[2]), "127.0.0.1", () => socket.write("x"));
socket.setNoDelay(true);
let trips = 0;
socket.on("error", () => {});
socket.on("data", () => {
  trips++;
  socket.write("x");
});
setTimeout(() => {
  console.log(trips);
  process.exit();
}, 2000);
JS
rate() {
  "${@:2}" server.mjs "$1" >log &
  local server=$!
  until [ -s log ]; do sleep 0.1; done
  node client.cjs "$(head -1 log)"
  kill "$server"
  wait "$server" 2>/dev/null || true
  : >log
}
bin=node_modules/.bin
for kind in message timer; do
  for runtime in node "$bin/deno run -A" "$bin/bun"; do
    trips=$(rate $kind $runtime)
    echo "$kind ${runtime#"$bin/"}: $trips in 2 s" >&2
    if [ "$trips" -lt 50 ]; then word=none; elif [ "$trips" -lt 800 ]; then word=some; else word=many; fi
    line="${line:+$line }$word"
  done
done
echo "$line"
[ "$line" = "none none none many many many" ] || { echo "The behaviour has changed" >&2; exit 1; }
