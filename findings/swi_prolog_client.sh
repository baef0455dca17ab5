#!/usr/bin/env bash
# SWI-Prolog's WebSocket client speaks HTTP/1.0 until an unrelated library is loaded, and has the same key in each handshake.
#
# Version: swi-prolog-nox 9.0.4 (Debian 12); node.
# Expected: "GET / HTTP/1.1" (RFC 6455 §4.1: "at least 1.1") and a Sec-WebSocket-Key "selected randomly for each connection".
# Seen: with library(http/websocket) alone, as in the example of its documentation, "HTTP/1.0"; a server that is strict refuses it.
# Once library(http/http_stream) is loaded too (library(http/thread_httpd) loads it), "HTTP/1.1". The key is the base64 of
# "___SWI-Prolog___" in every process.
# What follows from it: such a client need not be let in by loosening the check of the version: one line in the program mends it.
# And the key of a handshake identifies nothing.
set -euo pipefail
for program in swipl node; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >server.mjs <<'JS'
import { createServer } from "node:net";
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (bytes) => {
    const head = bytes.toString("latin1");
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
    console.error(`${head.split("\r\n")[0]}, key of "${Buffer.from(key, "base64")}"`);
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  });
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
node server.mjs >port 2>seen &
until [ -s port ]; do sleep 0.1; done
connect="catch(http_open_websocket('ws://127.0.0.1:$(cat port)/', _, []), _, true), halt"
swipl -q -g "use_module(library(http/websocket)), $connect"
swipl -q -g "use_module(library(http/websocket)), use_module(library(http/http_stream)), $connect"
cat seen
[ "$(cat seen)" = 'GET / HTTP/1.0, key of "___SWI-Prolog___"
GET / HTTP/1.1, key of "___SWI-Prolog___"' ] || { echo "The behaviour has changed" >&2; exit 1; }
