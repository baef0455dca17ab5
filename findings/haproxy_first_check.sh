#!/usr/bin/env bash
# The first health check of HAProxy alone takes a node down, whatever `fall` says.
#
# Version: haproxy 2.6.12 (Debian 12); node for the server and the client.
# Expected: `fall 3`: a node is down after three failed checks; a node that is slow once goes on getting requests.
# Seen: a node whose first check gets 500 is down at once (its clients get 503); a node whose second check gets 500 stays up.
# What follows from it: a node that is still loading when the balancer starts, or is reloaded, is out until `rise` checks have passed;
# a test that starts both waits until the check has passed.
set -euo pipefail
for program in haproxy node; do
  [ -n "$(PATH=$PATH:/usr/sbin command -v $program)" ] || { echo "$program is missing" >&2; exit 2; }
done
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
# Answers "/check" with 500 for the check of that number, all else with 200; says when three checks have come.
cat >node.mjs <<'JS'
import { createServer } from "node:http";
let checks = 0;
createServer((request, response) => {
  const isCheck = request.url === "/check";
  if (isCheck) checks++;
  if (request.url === "/checks") return response.end(String(checks));
  response.statusCode = isCheck && checks === Number(process.argv[3]) ? 500 : 200;
  response.end();
}).listen(Number(process.argv[2]), "127.0.0.1");
JS
cat >ask.mjs <<'JS'
const [node, proxy] = process.argv.slice(2);
const statuses = new Set();
const checks = async () => Number(await (await fetch(`http://127.0.0.1:${node}/checks`)).text());
// From behind the first check until behind the second.
while (await checks() < 1) await new Promise((resolve) => setTimeout(resolve, 20));
await new Promise((resolve) => setTimeout(resolve, 200));
while (await checks() < 3) {
  statuses.add((await fetch(`http://127.0.0.1:${proxy}/`)).status);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log([...statuses].sort().join(" "));
JS
listens() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.05; done; }
seen=""
for failing in 1 2; do
  node=$((20000 + RANDOM % 5000)) proxy=$((26000 + RANDOM % 5000))
  cat >"haproxy$failing.cfg" <<CONF
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend f
  bind 127.0.0.1:$proxy
  default_backend b
backend b
  option httpchk GET /check
  default-server check inter 1s fall 3 rise 2
  server one 127.0.0.1:$node
CONF
  node node.mjs "$node" "$failing" &
  listens "$node"
  haproxy -f "haproxy$failing.cfg" 2>/dev/null &
  listens "$proxy"
  seen+="check $failing fails: $(node ask.mjs "$node" "$proxy")"$'\n'
done
echo -n "$seen"
[ "$seen" = "check 1 fails: 503
check 2 fails: 200
" ] || { echo "The behaviour has changed" >&2; exit 1; }
