#!/usr/bin/env bash
# Deno's node:zlib ignores the option `dictionary` of raw and of zlib streams, in both directions, without an error.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20.
# Expected: as in Node and Bun, a text that repeats its dictionary deflates to a few bytes, and those inflate with the dictionary.
# Seen: on Deno `deflateRawSync`, `createDeflateRaw` and their counterparts give and take the same bytes with `dictionary` as without; what
# another runtime has deflated with it fails with Z_DATA_ERROR "invalid distance too far back".
# What follows from it: a window cannot be kept from one call to the next by giving it as the dictionary; the stream itself must live on.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >zlib.mjs <<'JS'
import { createDeflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import process from "node:process";
const dictionary = Buffer.from("the quick brown fox jumps over the lazy dog");
const text = "the quick brown fox jumps over the lazy dog!";
const stream = createDeflateRaw({ dictionary });
const chunks = [];
stream.on("data", (chunk) => chunks.push(chunk)).end(text);
await new Promise((resolve) => stream.on("end", resolve));
const small = (bytes) => bytes.length < 10 ? "short" : "long";
let inflated;
try {
  inflated = inflateRawSync(Buffer.from(process.argv[2], "base64"), { dictionary }).toString() === text ? "the text" : "another text";
} catch (error) {
  inflated = error.code;
}
console.log(small(deflateRawSync(text, { dictionary })), small(Buffer.concat(chunks)), inflated);
JS
deflated=$(node -e 'console.log(require("zlib").deflateRawSync("the quick brown fox jumps over the lazy dog!", {
  dictionary: Buffer.from("the quick brown fox jumps over the lazy dog") }).toString("base64"))')
seen=$(
  node zlib.mjs "$deflated"
  npx --no-install deno run -A zlib.mjs "$deflated"
  npx --no-install bun zlib.mjs "$deflated"
)
echo "$seen"
[ "$seen" = "short short the text
long long Z_DATA_ERROR
short short the text" ] || { echo "The behaviour has changed" >&2; exit 1; }
