#!/usr/bin/env bash
# Deno's WebSocket gives the close event the code 0 when the connection ends without a close frame.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm); a server on node:net that ends TCP after the handshake.
# Expected: 1006 (RFC 6455 §7.1.5, and the WebSocket standard of the browsers), as on Bun.
# Seen: `event.code` is 0, a number that no other implementation gives and that no table of close codes has; `wasClean` is false.
# What follows from it: "lost" is `!event.wasClean`, not `event.code === 1006`.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:net";
const server = createServer((socket) => {
  let head = "";
  socket.on("error", () => {}).on("data", (bytes) => {
    head += bytes;
    if (!head.endsWith("\r\n\r\n")) return;
    const key = head.split("\r\n").find((line) => line.toLowerCase().startsWith("sec-websocket-key:")).slice(18).trim();
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const fields = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("\r\n")}\r\n\r\n`);
    setTimeout(() => socket.end(), 100);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
cat >client.mjs <<'JS'
import process from "node:process";
const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`);
socket.onclose = (event) => {
  console.log(event.code, event.wasClean);
  setTimeout(() => process.exit(), 50);
};
JS
node server.mjs >port &
until [ -s port ]; do sleep 0.1; done
seen=$(
  npx --no-install deno run -A client.mjs "$(cat port)"
  npx --no-install bun client.mjs "$(cat port)"
)
echo "$seen"
[ "$seen" = "0 false
1006 false" ] || { echo "The behaviour has changed" >&2; exit 1; }
