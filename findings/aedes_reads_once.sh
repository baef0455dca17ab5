#!/usr/bin/env bash
# aedes 1.2.0 knows no client over WebSockets on Bun and Deno: it reads once for each event, and read() gives one chunk.
#
# Versions: aedes 1.2.0, mqtt 5.16.0, ws 8.23.0, bun 1.4.5, deno 2.9.6 (npm), node 20.
# Expected: a broker on aedes and ws, as its documentation shows, works on Bun and Deno as it does on Node 20: both pass
# the streams of Node, and their own node:stream is compatible.
# Seen: `read()` without a size gives all bytes that wait on Node 20, and one chunk only on Bun and Deno, which follow
# Node 26. aedes reads once for each event `readable`. mqtt.js sends its first packet in nine messages; they come in one
# segment, are nine chunks and one event, so the broker never has the packet whole, and the client gives up.
# What follows from it: `createWebSocketStream` of ours joins what waits in `read()`, which aedes then finds. Others need
# a stream whose chunks are whole packets, or an aedes that reads until null.
set -euo pipefail
command -v node >/dev/null || { echo "node is missing (apt-get install nodejs)" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund aedes@1.2.0 mqtt@5.16.0 ws@8.23.0 bun@1.4.5 deno@2.9.6

cat >chunks.mjs <<'JS'
import { Readable } from "node:stream";
const stream = new Readable({ read() {} });
for (let size = 1; size <= 3; size++) stream.push(Buffer.alloc(size));
stream.once("readable", () => console.log(`read() gives ${stream.read().length} of 6 bytes`));
JS
cat >broker.mjs <<'JS'
import { createRequire } from "node:module";
import { Aedes } from "aedes";
// By its path, since Bun has another module under that name.
const { WebSocketServer, createWebSocketStream } = createRequire(import.meta.url)("./node_modules/ws/index.js");
const broker = await Aedes.createBroker();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "mqtt" });
server.on("connection", (socket, request) => broker.handle(createWebSocketStream(socket), request));
server.on("listening", () => console.log(server.address().port));
JS
cat >client.mjs <<'JS'
import mqtt from "mqtt";
const client = mqtt.connect(`ws://127.0.0.1:${process.argv[2]}`, { connectTimeout: 3000, reconnectPeriod: 0 });
const end = (text) => {
  console.log(text);
  process.exit(0);
};
client.on("connect", () => end("connected"));
client.on("error", ({ message }) => end(message));
JS
play() {
  local name=$1 pid
  shift
  "$@" chunks.mjs | sed "s/^/$name: /"
  : >port
  "$@" broker.mjs >port &
  pid=$!
  until [ -s port ]; do sleep 0.1; done
  echo "$name: $(node client.mjs "$(cat port)")"
  kill "$pid"
  wait "$pid" 2>/dev/null || true
}
bun=$(npx --no-install bun -e 'console.log(process.execPath)')
deno=$(npx --no-install deno eval 'console.log(Deno.execPath())')
seen=$(
  play node node
  play bun "$bun"
  play deno "$deno" run -A
)
echo "$seen"
[ "$seen" = "node: read() gives 6 of 6 bytes
node: connected
bun: read() gives 1 of 6 bytes
bun: connack timeout
deno: read() gives 1 of 6 bytes
deno: connack timeout" ] || { echo "The behaviour has changed" >&2; exit 1; }
