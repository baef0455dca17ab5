#!/usr/bin/env bash
# On Bun the peer's FIN is not reported to a socket that has sent its own: `end` never comes, only `close`.
#
# Version: bun 1.4.5 (npm); node for the client.
# Expected: with `allowHalfOpen: true` and after `shutdown()`, the peer's bytes come, then `end` for its FIN, then `close`, as for a peer that
# ends first.
# Seen: the bytes come, then `close` at once; `end` is left out. A peer that ends first is told by `end`.
# What follows from it: code that waits for `end` to know that a peer has said all, waits for ever after its own `shutdown()`.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bun@1.4.5
cat >server.mjs <<'JS'
const events = [];
const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  allowHalfOpen: true,
  socket: {
    data(socket, bytes) {
      events.push(String(bytes));
      if (String(bytes) === "end first") socket.shutdown();
    },
    end(socket) {
      events.push("end");
      socket.end();
    },
    close() {
      console.log(events.join(", ") + ", close");
      events.length = 0;
    },
    error() {},
  },
});
console.log(listener.port);
setTimeout(() => process.exit(), 10_000);
JS
cat >client.mjs <<'JS'
import { connect } from "node:net";
const [port, first] = process.argv.slice(2);
const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.write(first));
socket.resume();
if (first === "end first") socket.on("end", () => socket.end("rest"));
else setTimeout(() => socket.end("rest"), 200);
JS
npx --no-install bun server.mjs >log &
until [ -s log ]; do sleep 0.1; done
node client.mjs "$(head -1 log)" "end first"
until [ "$(wc -l <log)" -eq 2 ]; do sleep 0.1; done
node client.mjs "$(head -1 log)" "end second"
until [ "$(wc -l <log)" -eq 3 ]; do sleep 0.1; done
seen=$(tail -2 log)
echo "$seen"
[ "$seen" = "end first, rest, close
end second, rest, end, close" ] || { echo "The behaviour has changed" >&2; exit 1; }
