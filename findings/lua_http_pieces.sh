#!/usr/bin/env bash
# lua-http raises an error for a message of 126 to 65,535 bytes whose payload comes a moment later than its header.
#
# Version: lua-http 0.4 with lua5.1 (Debian 12); node.
# Expected: `receive` waits for the rest of a frame, as TCP promises nothing about pieces.
# Seen: with a payload of 60,000 bytes `receive` raises "read: Connection timed out" at once, although no timeout is set; the same message in
# one piece comes, and so do those of 100 and of 70,000 bytes in two pieces. The library waits for the whole frame before it reads it,
# and adds the payload to what it waits for only if the length has 7 or 64 bits, not 16. It is rare on loopback; over TLS, where 16 KiB
# come at a time, it is not.
# What follows from it: header and payload go out in one write; over TLS a peer on lua-http is sent less than 16 KiB, or 64 KiB and more.
set -euo pipefail
for package in lua5.1 lua-http; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
# The path says how many bytes a message has, and whether its payload comes 300 ms after its header.
cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:net";
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (bytes) => {
    const head = bytes.toString("latin1");
    const [, size, isCut] = /^GET \/(\d+)(\/cut)?/.exec(head);
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const payload = Buffer.alloc(Number(size), "x");
    const header = Buffer.alloc(size < 126 ? 2 : size < 65536 ? 4 : 10);
    header[0] = 0x81;
    if (header.length === 2) header[1] = payload.length;
    else if (header.length === 4) header.writeUIntBE(126 * 65536 + payload.length, 1, 3);
    else header.writeBigUInt64BE(BigInt(payload.length), 2), header[1] = 127;
    if (!isCut) return socket.write(Buffer.concat([header, payload]));
    socket.write(header);
    setTimeout(() => socket.write(payload), 300);
  });
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
cat >client.lua <<'LUA'
local websocket = require "http.websocket"
for _, path in ipairs { "100", "100/cut", "60000", "60000/cut", "70000", "70000/cut" } do
  local socket = websocket.new_from_uri("ws://127.0.0.1:" .. arg[1] .. "/" .. path)
  assert(socket:connect())
  local is_well, message = pcall(socket.receive, socket)
  print(path .. ": " .. (is_well and message and #message or tostring(message):match("read: .*")))
end
LUA
node server.mjs >port &
until [ -s port ]; do sleep 0.1; done
seen=$(timeout 30 lua5.1 client.lua "$(cat port)")
echo "$seen"
[ "$seen" = "100: 100
100/cut: 100
60000: 60000
60000/cut: read: Connection timed out
70000: 70000
70000/cut: 70000" ] || { echo "The behaviour has changed" >&2; exit 1; }
