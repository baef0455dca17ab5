#!/usr/bin/env bash
# On Deno `fetch` goes on reading and sending a body whose answer has come and was read to its end.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), node 20.
# Expected: a server that refuses an upload with 413 and is done with it ends the upload; Node and Bun stop pulling the stream.
# Seen: on Deno the stream is pulled until its end, though nobody will look at the rest; it is not cancelled. Only the request's signal ends it.
# What follows from it: an upload that can be refused early gets a signal, which is aborted once the answer has been read.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >upload.mjs <<'JS'
import { createServer } from "node:http";
import process from "node:process";
const server = createServer((request, response) => {
  request.on("error", () => {}).resume();
  response.writeHead(413, { "content-length": "2" }).end("no");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
let pulled = 0;
const body = new ReadableStream({
  async pull(controller) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (++pulled === 60) controller.close();
    else controller.enqueue(new Uint8Array(16 * 1024));
  },
});
const response = await fetch(`http://127.0.0.1:${server.address().port}/`, { method: "POST", body, duplex: "half" });
const text = await response.text();
const before = pulled;
await new Promise((resolve) => setTimeout(resolve, 600));
console.log(response.status, text, pulled - before > 5 ? "goes on" : "stops");
process.exit();
JS
seen=$(
  node upload.mjs 2>/dev/null
  npx --no-install deno run -A upload.mjs
  npx --no-install bun upload.mjs
)
echo "$seen"
[ "$seen" = "413 no stops
413 no goes on
413 no stops" ] || { echo "The behaviour has changed" >&2; exit 1; }
