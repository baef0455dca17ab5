#!/usr/bin/env bash
# On Bun a listener that cannot be opened has a code in its error, except for a host name that does not exist.
#
# Version: bun 1.4.5 (npm).
# Expected: ENOTFOUND, as `Bun.connect` gives for such a name; or at least some `code`.
# Seen: "Failed to listen at NAME" without `code`, `errno` and `syscall`; an address of another machine gives the same text with
# EADDRNOTAVAIL, a port that is taken with EADDRINUSE.
# What follows from it: a program that tells errors apart by `code` has to look the name up itself to say what is wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5
cat >listen.mjs <<'JS'
const socket = { data() {}, error() {} };
const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
const targets = {
  "no such name": { hostname: "no-such-host.invalid", port: 0 },
  "not ours": { hostname: "192.0.2.1", port: 0 },
  taken: { hostname: "127.0.0.1", port: taken.port },
};
const results = Object.entries(targets).map(([name, target]) => {
  try {
    Bun.listen({ ...target, socket }).stop(true);
    return `${name}: listens`;
  } catch (error) {
    return `${name}: ${error.code}`;
  }
});
console.log(results.join(", "));
taken.stop(true);
JS
seen=$(npx --no-install bun listen.mjs)
echo "$seen"
[ "$seen" = "no such name: undefined, not ours: EADDRNOTAVAIL, taken: EADDRINUSE" ] || { echo "The behaviour has changed" >&2; exit 1; }
