#!/usr/bin/env bash
# A signal listener that is added within a listener is called for the signal that is being handled.
#
# Versions: deno 2.9.6, bun 1.4.5 (npm), Node 20.
# Expected: "first" alone, as with Node and Bun: an EventEmitter calls what is added meanwhile for the next event only.
# Seen on Deno: "first second", for one signal.
# What follows from it: "stop in order at the first signal, at once at the second" needs one listener that counts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6 bun@1.4.5
cat >main.mjs <<'JS'
import process from "node:process";
process.once("SIGTERM", () => {
  console.log("first");
  process.once("SIGTERM", () => console.log("second"));
  setTimeout(() => process.exit(), 200);
});
setTimeout(() => {}, 10_000);
process.kill(process.pid, "SIGTERM");
JS
seen=$(
  echo "deno:" $(npx --no-install deno run -A main.mjs)
  echo "bun:" $(npx --no-install bun main.mjs)
  echo "node:" $(node main.mjs)
)
echo "$seen"
[ "$seen" = "deno: first second
bun: first
node: first" ] || { echo "The behaviour has changed" >&2; exit 1; }
