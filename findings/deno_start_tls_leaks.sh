#!/usr/bin/env bash
# Deno keeps a TCP connection open after it was closed, if it was closed between Deno.startTls and the end of the handshake.
#
# Version: deno 2.9.6 (npm).
# Expected: `close()` on the connection that `Deno.startTls` gave ends the TCP connection, whatever state TLS is in: the server, which
# has not answered the handshake, sees the end at once. A connection without TLS that is closed does so.
# Seen: `close()` returns without an error, and the server sees no end for as long as the program lives. The handshake's promise
# rejects, and nothing is left by which the program could end the socket.
# What follows from it: a client that gives up servers which are silent inside TLS loses one socket for each attempt; node:tls does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
cat >silent.mjs <<'JS'
import { createServer } from "node:net";
// Says which connections have ended two seconds after the first bytes of each kind.
const ended = { plain: false, tls: false };
const server = createServer((socket) => {
  let kind;
  socket.on("data", (bytes) => kind ??= bytes[0] === 0x16 ? "tls" : "plain");
  socket.on("error", () => {});
  socket.on("close", () => ended[kind] = true);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.on("SIGUSR2", () => console.log(`plain ${ended.plain ? "ended" : "open"}, inside TLS ${ended.tls ? "ended" : "open"}`));
JS
cat >client.mjs <<'JS'
const port = Number(Deno.args[0]);
const plain = await Deno.connect({ hostname: "127.0.0.1", port });
await plain.write(new Uint8Array([1]));
const tls = await Deno.startTls(await Deno.connect({ hostname: "127.0.0.1", port }), { hostname: "localhost" });
const handshake = tls.handshake().catch(() => {});
await new Promise((resolve) => setTimeout(resolve, 300));
plain.close();
tls.close();
await handshake;
await new Promise((resolve) => setTimeout(resolve, 2000));
Deno.kill(Number(Deno.args[1]), "SIGUSR2");
await new Promise((resolve) => setTimeout(resolve, 500));
JS
node silent.mjs >log &
server=$!
until [ -s log ]; do sleep 0.1; done
npx --no-install deno run -A --no-check client.mjs "$(head -1 log)" "$server"
seen=$(tail -1 log)
echo "$seen"
[ "$seen" = "plain ended, inside TLS open" ] || { echo "The behaviour has changed" >&2; exit 1; }
