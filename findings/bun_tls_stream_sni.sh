#!/usr/bin/env bash
# On Bun a TLS server over a stream never asks its `SNICallback`; a server of `tls.createServer` does.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20; openssl for the certificate.
# Expected: `new TLSSocket(stream, { isServer: true, SNICallback })` asks for the certificate of the name that the client sends, as in Node and
# Deno.
# Seen: on Bun the function is not called, and the handshake succeeds with the default certificate.
# What follows from it: who speaks TLS over a stream, as behind a PROXY header, reads the name from the ClientHello, and chooses first.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat >names.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { Duplex } from "node:stream";
import * as tls from "node:tls";
const identity = { cert: readFileSync("cert.pem"), key: readFileSync("key.pem") };
const secureContext = tls.createSecureContext(identity);
const streamOver = (socket) => {
  const stream = new Duplex({
    read() {},
    write: (chunk, encoding, done) => void socket.write(chunk, encoding, done),
    final: (done) => void socket.end(done),
  });
  socket.on("data", (bytes) => stream.push(bytes)).on("end", () => stream.push(null)).on("error", () => {});
  return stream;
};
const results = [];
for (const kind of ["server", "stream"]) {
  let asked = "not asked";
  const SNICallback = (name, done) => {
    asked = `asked for ${name}`;
    done(null, secureContext);
  };
  const onStream = (socket) => {
    new tls.TLSSocket(streamOver(socket), { isServer: true, secureContext, SNICallback }).on("error", () => {}).resume();
  };
  const server = kind === "server" ? tls.createServer({ ...identity, SNICallback }) : createServer(onStream);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const options = { port: server.address().port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false };
  await new Promise((resolve, reject) => tls.connect(options, resolve).on("error", reject));
  results.push(`${kind} ${asked}`);
}
console.log(results.join(", "));
process.exit();
JS
seen=$(
  node names.mjs
  npx --no-install deno run -A names.mjs
  npx --no-install bun names.mjs
)
echo "$seen"
right="server asked for localhost, stream asked for localhost"
[ "$seen" = "$right
$right
server asked for localhost, stream not asked" ] || { echo "The behaviour has changed" >&2; exit 1; }
