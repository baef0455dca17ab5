#!/usr/bin/env bash
# nginx and Caddy (with fail_duration) hold a node for dead for 10 s after one request that it answered early.
#
# Versions: nginx 1.22.1, Caddy 2.6.2, HAProxy 2.6.12 (Debian 12); node for the server and the client.
# Expected: the node has answered 413 and closed the connection, as RFC 9110 allows (15.5.14). The proxy passes that on, or at
# worst answers 502 to this request alone.
# Seen: bytes of the body that reach the closed connection make a reset, which overtakes the answer: 502. nginx counts that as a
# failure of the node (max_fails is 1 by default), as does Caddy with fail_duration: with a second node that is down, all requests
# get 502 or 503 for 10 s. HAProxy goes on. One unauthenticated request is enough, repeated each 10 s.
# What follows from it: a server behind a proxy must read a body on after an early answer; max_fails=3 alone does not suffice.
set -euo pipefail
for program in nginx haproxy caddy node; do
  command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 2; }
done
folder=$(mktemp -d)
chmod 711 "$folder"
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
base=$((20000 + RANDOM % 20000))
node=$base dead=$((base + 1)) nginx=$((base + 2)) haproxy=$((base + 3)) caddy=$((base + 4))

# A node: answers POST with 413 as soon as the head has come, and GET with 200.
cat >node.mjs <<'JS'
import { createServer } from "node:net";
createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (bytes) => {
    const isPost = bytes.toString("latin1").startsWith("POST");
    socket.end(`HTTP/1.1 ${isPost ? "413 Too Large" : "200 OK"}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () => socket.destroy());
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
JS
cat >ask.mjs <<'JS'
import { request } from "node:http";
const ask = (port, method, body) => new Promise((resolve) => {
  const outgoing = request({ port, host: "127.0.0.1", method, agent: false, headers: body ? { "content-length": body.length } : {} }, (response) => {
    response.resume();
    response.on("close", () => resolve(response.statusCode));
  });
  outgoing.on("error", (error) => resolve(error.code));
  outgoing.end(body);
});
const port = Number(process.argv[2]);
const first = await ask(port, "GET");
// Until one was lost: whether the reset comes first is a matter of time.
let lost = 0;
for (let tries = 0; tries < 50 && lost !== 502 && lost !== 503; tries++) lost = await ask(port, "POST", Buffer.alloc(8_000_000));
console.log(`${process.argv[3]}: GET ${first}, POST ${lost}, then GET ${await ask(port, "GET")}`);
process.exit(0);
JS
cat >nginx.conf <<CONF
daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
events {}
http {
  access_log off; client_max_body_size 100m; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream nodes { server 127.0.0.1:$node; server 127.0.0.1:$dead; }
  server { listen 127.0.0.1:$nginx; location / { proxy_pass http://nodes; } }
}
CONF
cat >haproxy.cfg <<CONF
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  option redispatch
frontend f
  bind 127.0.0.1:$haproxy
  default_backend b
backend b
  server one 127.0.0.1:$node check
  server two 127.0.0.1:$dead check
CONF
cat >Caddyfile <<CONF
{
  admin off
  auto_https off
}
http://127.0.0.1:$caddy {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:$node 127.0.0.1:$dead {
    lb_policy first
    fail_duration 10s
  }
}
CONF
listens() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done; }
node node.mjs "$node" &
listens "$node"
nginx -e stderr -p "$folder" -c nginx.conf &
haproxy -f haproxy.cfg 2>/dev/null &
HOME=$folder caddy run --adapter caddyfile --config Caddyfile 2>/dev/null &
for port in $nginx $haproxy $caddy; do listens "$port"; done
seen=$(
  node ask.mjs "$nginx" nginx
  node ask.mjs "$haproxy" haproxy
  node ask.mjs "$caddy" caddy
)
echo "$seen"
grep -q "nginx: GET 200, .*, then GET 502" <<<"$seen" && grep -q "haproxy: GET 200, .*, then GET 200" <<<"$seen" &&
  grep -q "caddy: GET 200, .*, then GET 50[23]" <<<"$seen"
