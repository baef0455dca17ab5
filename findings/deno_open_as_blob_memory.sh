#!/usr/bin/env bash
# Deno's `openAsBlob` reads the whole file into memory, and the stream of that Blob is one piece.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20.
# Expected: the purpose of the function: a Blob "whose data is backed by the given file". Node and Bun read what is asked for.
# Seen: on Deno ten bytes of a file of 200 MB cost more than 200 MB of memory, before anything was read; `stream()` gives one chunk of the
# size of the file, where Node and Bun give many.
# What follows from it: a large file on Deno is read by `open` and `read`; and a Blob is cut by `slice` before it is sent, so that progress shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
head -c 200000000 /dev/zero >large.bin
cat >blob.mjs <<'JS'
import { openAsBlob } from "node:fs";
import process from "node:process";
const before = process.memoryUsage().rss;
const blob = await openAsBlob("large.bin");
const { byteLength } = await blob.slice(0, 10).arrayBuffer();
const grown = process.memoryUsage().rss - before;
let chunks = 0;
for await (const _ of blob.stream()) if (++chunks > 1) break;
console.log(byteLength, grown > 150e6 ? "all in memory" : "read when asked", chunks > 1 ? "many chunks" : "one chunk");
process.exit();
JS
seen=$(
  node blob.mjs 2>/dev/null
  npx --no-install deno run -A blob.mjs
  npx --no-install bun blob.mjs
)
echo "$seen"
[ "$seen" = "10 read when asked many chunks
10 all in memory one chunk
10 read when asked many chunks" ] || { echo "The behaviour has changed" >&2; exit 1; }
