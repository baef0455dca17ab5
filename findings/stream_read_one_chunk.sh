#!/usr/bin/env bash
# `read()` of a stream without a size gives all bytes that wait on Node 20, and one chunk only on Bun and Deno.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20.
# Expected: the node:stream of the other two does as Node 20, on which code for Node is tried: without a size, `read()` gives all that waits.
# Seen: of three chunks that wait, Node 20 gives 6 bytes at the first `read()`, Bun and Deno 1. The event `readable` comes once for all of
# them.
# What follows from it: code that reads once for each event gets less than it waits for, and goes on waiting: the broker aedes 1.2 over the
# stream of `ws` never has a client's first packet whole there. Read until `null`, or join what waits in a `read()` of one's own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >chunks.mjs <<'JS'
import { Readable } from "node:stream";
const stream = new Readable({ read() {} });
let events = 0;
for (let size = 1; size <= 3; size++) stream.push(Buffer.alloc(size));
stream.on("readable", () => {
  if (++events === 1) console.log(`read() gives ${stream.read().length} of 6 bytes`);
});
JS
seen=$(
  node chunks.mjs
  npx --no-install deno run -A chunks.mjs
  npx --no-install bun chunks.mjs
)
echo "$seen"
[ "$seen" = "read() gives 6 of 6 bytes
read() gives 1 of 6 bytes
read() gives 1 of 6 bytes" ] || { echo "The behaviour has changed" >&2; exit 1; }
