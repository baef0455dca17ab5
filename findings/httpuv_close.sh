#!/usr/bin/env bash
# httpuv, the server under Shiny, ends TCP when a close frame comes, and never answers it.
#
# Version: r-cran-httpuv 1.6.9 (R 4.2.2, Debian 12); node.
# Expected: a close frame with 1000 (RFC 6455 §5.5.1: an endpoint that has not sent one "MUST send a Close frame in response"), then FIN.
# Seen: FIN alone, so that the client counts the connection as lost (1006).
# Its own close frames, by `ws$close(code)`, are sent.
# What follows from it: after its own close frame a client takes FIN for the end at once, and 1006 for no sign of trouble.
set -euo pipefail
for package in r-base-core r-cran-httpuv; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >serve.R <<'R'
library(httpuv)
runServer("127.0.0.1", as.integer(commandArgs(TRUE)[1]), list(
  onWSOpen = function(socket) socket$onMessage(function(isBinary, message) socket$send(message))
))
R
cat >client.mjs <<'JS'
import { connect } from "node:net";
const socket = connect(Number(process.argv[2]), "127.0.0.1");
const frame = (first, payload) => Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), payload]);
let isOpen = false;
socket.on("connect", () =>
  socket.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
socket.on("data", (bytes) => {
  if (isOpen) {
    console.log(`frame ${bytes.toString("hex")}`);
    if (bytes[0] === 0x81) socket.write(frame(0x88, Buffer.of(3, 232)));
    return;
  }
  isOpen = bytes.includes("\r\n\r\n");
  if (isOpen) socket.write(frame(0x81, Buffer.from("Hi")));
});
socket.on("end", () => console.log("FIN"));
socket.on("close", () => process.exit(0));
JS
port=$((20000 + RANDOM % 20000))
Rscript serve.R "$port" &
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
seen=$(timeout 20 node client.mjs "$port")
echo "$seen"
[ "$seen" = "frame 81024869
FIN" ] || { echo "The behaviour has changed" >&2; exit 1; }
