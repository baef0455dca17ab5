#!/usr/bin/env bash
# Deno's `createPrivateKey` takes a right pass phrase for a wrong one if the key was encrypted with the default hash of PBKDF2.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20, openssl 3.
# Expected: as in Node and Bun, a key of `openssl pkcs8 -topk8 -v2prf hmacWithSHA1` opens with its pass phrase. RFC 8018 makes HMAC-SHA-1 the
# default, so that such a file does not name its hash at all; older programs write no other.
# Seen: "bad decrypt" on Deno, the error of a wrong pass phrase; with HMAC-SHA-256, which is named in the file, the key opens. A key
# encrypted with triple DES is "unsupported" in PKCS#8, and opens in the traditional form (`openssl rsa -des3 -traditional`).
# What follows from it: "wrong pass phrase" on Deno may be the wrong complaint; encrypt keys with `-v2prf hmacWithSHA256 -v2 aes-256-cbc`.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 2; }
openssl genrsa -out plain.pem 2048 2>/dev/null
openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -in plain.pem -passout pass:phrase -out sha1.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in plain.pem -passout pass:phrase -out sha256.pem
openssl pkcs8 -topk8 -v2 des3 -in plain.pem -passout pass:phrase -out des3.pem
openssl rsa -des3 -traditional -in plain.pem -passout pass:phrase -out traditional.pem 2>/dev/null
cat >open.mjs <<'JS'
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
const results = ["sha1", "sha256", "des3", "traditional"].map((name) => {
  try {
    createPrivateKey({ key: readFileSync(`${name}.pem`), passphrase: "phrase" });
    return `${name} opens`;
  } catch (error) {
    return `${name} ${error.message.includes("bad decrypt") ? "bad decrypt" : error.message.includes("unsupported") ? "unsupported" : "fails"}`;
  }
});
console.log(results.join(", "));
JS
seen=$(
  node open.mjs
  npx --no-install deno run -A open.mjs
  npx --no-install bun open.mjs
)
echo "$seen"
right="sha1 opens, sha256 opens, des3 opens, traditional opens"
[ "$seen" = "$right
sha1 bad decrypt, sha256 opens, des3 unsupported, traditional opens
$right" ] || { echo "The behaviour has changed" >&2; exit 1; }
