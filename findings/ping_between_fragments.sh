#!/usr/bin/env bash
# A ping between two fragments of a text costs Crystal the first half of the text.
#
# Versions: crystal 1.6.0 (Debian 12); node.
# Expected: a pong and the whole text, "Hello world", since control frames may come between the fragments of a message
# (RFC 6455 §5.4: "an endpoint MUST be capable of handling control frames in the middle of a fragmented message").
# Seen: it answers the ping of "?" with a pong of "Hello ?" and gives "world" to the program: both kinds share one buffer. No error.
# What follows from it: no ping of one's own goes out while a message that is written in pieces is unfinished. (SWI-Prolog 9.0.4 takes such
# a ping for an error.)
set -euo pipefail
for program in crystal node; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

cat >echo.cr <<'CR'
require "http/server"

handler = HTTP::WebSocketHandler.new do |socket|
  socket.on_message { |text| socket.send(text) }
end
server = HTTP::Server.new([handler])
server.bind_tcp("127.0.0.1", ARGV[0].to_i)
server.listen
CR
CRYSTAL_CACHE_DIR="$folder/cache" crystal build --no-debug -o echo echo.cr

cat >client.mjs <<'JS'
import { connect } from "node:net";
const [port] = process.argv.slice(2);
const socket = connect(Number(port), "127.0.0.1");
const frame = (first, text) => Buffer.concat([Buffer.of(first, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
const KINDS = { 0x81: "text", 0x8a: "pong", 0x88: "close" };
let bytes = Buffer.alloc(0);
let isOpen = false;
socket.on("connect", () =>
  socket.write(
    `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
socket.on("data", (piece) => {
  bytes = Buffer.concat([bytes, piece]);
  if (!isOpen) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return;
    isOpen = true;
    bytes = bytes.subarray(end + 4);
    socket.write(Buffer.concat([frame(0x01, "Hello "), frame(0x89, "?"), frame(0x80, "world")]));
  }
  while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]) {
    const kind = KINDS[bytes[0]];
    console.log(`${kind} "${bytes.subarray(2, 2 + bytes[1])}"`);
    bytes = bytes.subarray(2 + bytes[1]);
    if (kind === "text") process.exit(0);
  }
});
socket.on("close", () => console.log("TCP ended"));
socket.on("error", () => {});
JS
listens() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done; }
port=$((20000 + RANDOM % 20000))
./echo "$port" &
listens "$port"
seen=$(timeout 20 node client.mjs "$port")
echo "$seen"
[ "$seen" = 'pong "Hello ?"
text "world"' ] || { echo "The behaviour has changed" >&2; exit 1; }
