#!/usr/bin/env bash
# Bun reports each failure to connect over TCP as ECONNREFUSED, an unreachable network too, in node:net as well.
#
# Versions: bun 1.4.5, deno 2.9.6 (npm), node 20.
# Expected: the error of the system: ENETUNREACH for the broadcast address, to which TCP cannot connect. Node and Deno give it.
# Seen: "Failed to connect", ECONNREFUSED. A missing Unix socket (ENOENT) and an unknown name (ENOTFOUND) are told.
# What follows from it: ECONNREFUSED on Bun does not mean that the host is there and nothing listens.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5 deno@2.9.6
cat >connect.mjs <<'JS'
import { connect } from "node:net";
import process from "node:process";
const codeOf = (target) =>
  new Promise((resolve) => connect(target).on("error", (error) => resolve(error.code)).on("connect", () => resolve("connected")));
console.log(await codeOf({ host: "255.255.255.255", port: 1 }), await codeOf({ path: "./none.sock" }));
process.exit();
JS
seen=$(
  node connect.mjs
  npx --no-install deno run -A connect.mjs
  npx --no-install bun connect.mjs
)
echo "$seen"
[ "$seen" = "ENETUNREACH ENOENT
ENETUNREACH ENOENT
ECONNREFUSED ENOENT" ] || { echo "The behaviour has changed" >&2; exit 1; }
