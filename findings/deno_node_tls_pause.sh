#!/usr/bin/env bash
# On Deno a paused socket of node:tls goes on reading: all that the peer sends is kept in memory.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20; openssl for the certificate.
# Expected: as in Node and Bun, after `socket.pause()` a buffer or two are read, then the peer's writes wait.
# Seen: on Deno the peer gets rid of all 64 MiB, and the server's memory grows by more than that, though it sees no byte; over node:net, without
# TLS, the peer waits there too.
# What follows from it: `pause()` is no protection against a peer that sends faster than a program reads; TLS over a Duplex whose `_read` stops
# reading below is one.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat >server.mjs <<'JS'
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { createServer as createTlsServer } from "node:tls";
const onConnection = (socket) => socket.on("error", () => {}).once("data", () => socket.pause());
const identity = { cert: readFileSync("cert.pem"), key: readFileSync("key.pem") };
const servers = { net: createServer(onConnection), tls: createTlsServer(identity, onConnection) };
const results = [];
for (const [kind, server] of Object.entries(servers)) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = spawn("node", ["client.cjs", kind, String(server.address().port)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  client.stdout.on("data", (bytes) => output += bytes);
  await new Promise((resolve) => client.on("close", resolve));
  results.push(`${kind}: ${output.trim()}`);
}
console.log(results.join(", "));
process.exit();
JS
cat >client.cjs <<'JS'
const [, , kind, port] = process.argv;
const socket = require(kind).connect({ port: Number(port), host: "127.0.0.1", rejectUnauthorized: false });
let taken = false;
socket.on("error", () => {});
socket.write(Buffer.alloc(64 * 1024 * 1024), () => taken = true);
setTimeout(() => {
  console.log(taken ? "all taken" : "waits");
  process.exit();
}, 3000);
JS
seen=$(
  node server.mjs
  npx --no-install deno run -A server.mjs
  npx --no-install bun server.mjs
)
echo "$seen"
[ "$seen" = "net: waits, tls: waits
net: waits, tls: all taken
net: waits, tls: waits" ] || { echo "The behaviour has changed" >&2; exit 1; }
