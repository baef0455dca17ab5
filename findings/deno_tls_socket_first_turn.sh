#!/usr/bin/env bash
# Bytes that are no TLS end a Deno program, if a TLSSocket gets them in the turn of the event loop in which it is made.
#
# Version: deno 2.9.6 (npm).
# Expected: as in Node, "error event: …", and the program goes on: "alive".
# Seen: "Uncaught TypeError: Cannot read properties of null (reading '_flushEncOut')" in TLSSocket._start, which runs at the next tick,
# when the error has destroyed the socket already. No listener for "error" sees it, and the program ends.
# What follows from it: any client could end a server that reads a PROXY header and gives the bytes behind it to a TLSSocket at once.
# They are given to it in a later turn (transport/proxy_gate.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
cat >server.mjs <<'JS'
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
const below = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
below.on("error", () => {});
const socket = new TLSSocket(below, { isServer: true });
socket.on("error", (error) => console.log("error event:", error.message));
queueMicrotask(() => below.push("GET / HTTP/1.1\r\n\r\n"));
setTimeout(() => console.log("alive"), 200);
JS
echo "Node:" && (node server.mjs || true)
echo "Deno:" && (npx deno run -A server.mjs 2>&1 | head -1 || true)
