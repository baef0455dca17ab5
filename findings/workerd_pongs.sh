#!/usr/bin/env bash
# Of pings that arrive together, workerd answers the first and the last.
#
# Version: workerd 1.20261117.1 (npm).
# Expected: a pong for each ping, as most do, or for the last one (RFC 6455 §5.5.3: "MAY elect to send a Pong frame for only the most
# recently processed Ping frame").
# Seen: of five pings in one write, with the payloads 1 to 5, the pongs of 1 and 5 come, and no others.
# What follows from it: a keep-alive that waits for the pong of its own ping gives up a living peer, once other pings were sent with it.
# Any pong behind a ping has to count as a sign of life.
set -euo pipefail
command -v node >/dev/null || { echo "missing: node" >&2; exit 2; }
command -v npm >/dev/null || { echo "missing: npm" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund workerd@1.20261117.1

cat >worker.mjs <<'JS'
export default {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
  },
};
JS
cat >config.capnp <<'CAPNP'
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "main", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-11-01",
);
CAPNP
cat >client.mjs <<'JS'
import { connect } from "node:net";
const socket = connect(Number(process.argv[2]), "127.0.0.1");
// Masked with the key 0, which changes nothing.
const frame = (opcode, text) => Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
let bytes = Buffer.alloc(0);
let open = false;
socket.on("data", (more) => {
  bytes = Buffer.concat([bytes, more]);
  const end = bytes.indexOf("\r\n\r\n");
  if (!open && end !== -1) {
    open = true;
    bytes = bytes.subarray(end + 4);
    socket.write(Buffer.concat(["1", "2", "3", "4", "5"].map((text) => frame(9, text))));
    // Its echo comes behind all pongs.
    setTimeout(() => socket.write(frame(1, "end")), 200);
  }
  while (open && bytes.length >= 2 && bytes.length >= 2 + bytes[1]) {
    const payload = bytes.subarray(2, 2 + bytes[1]).toString();
    if (bytes[0] === 0x8a) console.log("pong", payload);
    if (bytes[0] === 0x81) process.exit();
    bytes = bytes.subarray(2 + bytes[1]);
  }
});
socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
JS
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
node_modules/.bin/workerd serve config.capnp --socket-addr "main=127.0.0.1:$port" &
for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break || sleep 0.1; done
seen=$(timeout 20 node client.mjs "$port")
echo "$seen"
[ "$seen" = "pong 1
pong 5" ] || { echo "The behaviour has changed" >&2; exit 1; }
