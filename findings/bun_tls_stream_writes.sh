#!/usr/bin/env bash
# On Bun a TLSSocket over a stream calls a write done before the stream below has taken a byte of it.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20; openssl for the certificate.
# Expected: as in Node and Deno, while the stream below does not finish its first write, no callback of a write above comes, and
# `writableLength` tells all that waits.
# Seen: on Bun all callbacks of 4 MiB come and `writableLength` above is 0; the bytes are in the buffer of the stream below, whose high-water
# mark is not heeded. (`write` returns false on all three.)
# What follows from it: how much waits for a slow peer is to be read below TLS, not above it.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat >writes.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { Duplex } from "node:stream";
import * as tls from "node:tls";
const secureContext = tls.createSecureContext({ cert: readFileSync("cert.pem"), key: readFileSync("key.pem") });
const MIB = 1024 * 1024;
const server = createServer((socket) => {
  let holds = false;
  const below = new Duplex({
    read() {},
    write: (chunk, encoding, done) => void (holds || socket.write(chunk, encoding, done)),
    final: (done) => void socket.end(done),
  });
  socket.on("data", (bytes) => below.push(bytes)).on("end", () => below.push(null)).on("error", () => {});
  const above = new tls.TLSSocket(below, { isServer: true, secureContext });
  above.on("error", () => {}).once("data", () => {
    holds = true;
    let done = 0;
    for (let write = 0; write < 64; write++) above.write(Buffer.alloc(MIB / 16), () => done++);
    setTimeout(() => {
      console.log(`done ${done} of 64, waiting above ${above.writableLength / MIB} MiB, below ${below.writableLength > 4 * MIB ? "all" : "one part"}`);
      process.exit();
    }, 500);
  });
});
server.listen(0, "127.0.0.1", () => {
  const options = { port: server.address().port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false };
  const client = tls.connect(options, () => client.write("go")).on("error", () => {}).resume();
});
JS
seen=$(
  node writes.mjs
  npx --no-install deno run -A writes.mjs
  npx --no-install bun writes.mjs
)
echo "$seen"
right="done 0 of 64, waiting above 4 MiB, below one part"
[ "$seen" = "$right
$right
done 64 of 64, waiting above 0 MiB, below all" ] || { echo "The behaviour has changed" >&2; exit 1; }
