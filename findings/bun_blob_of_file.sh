#!/usr/bin/env bash
# A Blob made of parts loses the bytes of a part that node:fs `openAsBlob` has made.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20.
# Expected: as in Node and Deno, `new Blob(["head", file, "tail"])` has all bytes: 4 + 1000 + 4.
# Seen: on Bun its size is 8; neither `size` nor `stream()` has the file. No error. The Blob alone has all its bytes.
# What follows from it: the body of a form is sent from its parts, in order, never as a Blob of Blobs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6

cat >blob.mjs <<'JS'
import { openAsBlob, writeFileSync } from "node:fs";
writeFileSync("file.bin", new Uint8Array(1000));
const file = await openAsBlob("file.bin");
const whole = new Blob(["head", file, "tail"]);
console.log(file.size, whole.size, (await whole.arrayBuffer()).byteLength);
JS
seen=$(
  node blob.mjs 2>/dev/null
  npx --no-install deno run -A blob.mjs
  npx --no-install bun blob.mjs
)
echo "$seen"
[ "$seen" = "1000 1008 1008
1000 1008 1008
1000 8 8" ] || { echo "The behaviour has changed" >&2; exit 1; }
