#!/usr/bin/env bash
# Crystal's WebSocket client makes a system call for each byte that it sends.
#
# Version: crystal 1.6.0 (Debian 12); node, strace.
# Expected: a message of 1,000 bytes is one `sendto`, or a few.
# Seen: more than 1,000 calls: a socket has no buffer by default, and the client writes each byte that it has masked by `write_byte`.
# What follows from it: a large message of such a client takes the receiver as many reads as the sender writes; 20 MiB took from 14 s to
# over a minute, with nothing wrong on either side.
set -euo pipefail
for program in crystal node strace; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.cr <<'CR'
require "http/web_socket"

socket = HTTP::WebSocket.new("127.0.0.1", "/", ARGV[0].to_i)
socket.send(Bytes.new(1000))
CR
CRYSTAL_CACHE_DIR="$folder/cache" crystal build --no-debug -o client client.cr
cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:http";
const server = createServer().on("upgrade", (request, socket) => {
  socket.on("error", () => {});
  const key = request.headers["sec-websocket-key"];
  const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.resume();
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
node server.mjs >port &
until [ -s port ]; do sleep 0.1; done
timeout 30 strace -f -e trace=sendto,write -o calls ./client "$(cat port)"
count=$(grep -c -E '(sendto|write)\(' calls)
[ "$count" -gt 1000 ] && seen="more than 1000 calls" || seen="$count calls"
echo "$seen"
[ "$seen" = "more than 1000 calls" ] || { echo "The behaviour has changed" >&2; exit 1; }
