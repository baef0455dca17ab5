#!/usr/bin/env bash
# Where a TLS client sends no server name, Bun checks the certificate against the host that the socket below is connected
# to, and over a Unix socket against `localhost`.
#
# Versions: bun 1.4.5 (npm), OpenSSL 3.0 (Debian).
# Expected: with `tls.serverName: ""` (RFC 6066 allows no addresses as server names) the program is told that no name of its
# own was checked, or can give an address to check.
# Seen: `socket.upgradeTLS` and `Bun.connect({ unix })` report success, `authorized: true` and no error for a certificate of
# 127.0.0.1 or `localhost`, whatever the program wants to reach. The tunnel of a proxy is upgraded so: a server behind it
# that is named by its address may show a certificate for the host name or address of the proxy.
# What follows from it: check the name after the handshake, with `tls.checkServerIdentity(address, certificate)`.
set -euo pipefail
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null

cat >connect.mjs <<'JS'
import { readFileSync } from "node:fs";
import { checkServerIdentity } from "node:tls";
const [cert, key] = ["cert.pem", "key.pem"].map((file) => readFileSync(file, "utf8"));
const idle = { data() {}, drain() {}, close() {}, end() {}, error() {} };
const socket = { ...idle, open: (raw) => void raw.upgradeTLS({ isServer: true, data: 0, tls: { cert, key }, socket: idle }) };
const port = Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
Bun.listen({ unix: "./a.sock", socket });
const wanted = "192.0.2.9";
const tls = { ca: cert, serverName: "" };
const verdict = (resolve) => ({
  ...idle,
  handshake(peer, success, error) {
    const own = checkServerIdentity(wanted, peer.getPeerCertificate())?.code;
    resolve(`success ${success}, error ${error?.code}, authorized ${peer.authorized}; checkServerIdentity: ${own}`);
  },
});
const upgraded = await new Promise((resolve) =>
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: { ...idle, open: (raw) => void raw.upgradeTLS({ isServer: false, data: 0, tls, socket: verdict(resolve) }) },
  })
);
const unix = await new Promise((resolve) => Bun.connect({ unix: "./a.sock", tls, socket: verdict(resolve) }));
console.log(`upgraded: ${upgraded}\nunix: ${unix}`);
process.exit(0);
JS
seen=$(npx --no-install bun connect.mjs)
echo "$seen"
wrong="success true, error undefined, authorized true; checkServerIdentity: ERR_TLS_CERT_ALTNAME_INVALID"
[ "$seen" = "upgraded: $wrong
unix: $wrong" ] || { echo "The behaviour has changed" >&2; exit 1; }
