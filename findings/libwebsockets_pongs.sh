#!/usr/bin/env bash
# Of pings that arrive together, libwebsockets answers only the first.
#
# Version: libwebsockets 4.1.6 (Debian 12, libwebsockets-dev 4.1.6-3 with its event libraries).
# Expected: a pong for each ping, or for the last one (RFC 6455 §5.5.3: "MAY elect to send a Pong frame for only the most recently
# processed Ping frame").
# Seen: of five pings in one write, with the payloads 1 to 5, the pong of 1 comes alone. Pings sent one by one are all answered.
# What follows from it: the rule that a pong answers the earlier pings too does not help here. A keep-alive must take any pong behind
# its ping for an answer, and send the next ping in its time, which is answered if it is alone.
set -euo pipefail
for program in gcc node; do
  command -v "$program" >/dev/null || { echo "missing: $program" >&2; exit 2; }
done
for package in libwebsockets-dev libwebsockets-evlib-ev libwebsockets-evlib-glib libwebsockets-evlib-uv; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "missing: apt-get install $package" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

cat >server.c <<'C'
#include <libwebsockets.h>
#include <stdlib.h>
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) { return 0; }
static struct lws_protocols protocols[] = { { "any", on_event, 0, 1024 }, { 0 } };
int main(int count, char **values) {
  struct lws_context_creation_info info = { .port = atoi(values[1]), .iface = "127.0.0.1", .protocols = protocols };
  lws_set_log_level(0, NULL);
  struct lws_context *context = lws_create_context(&info);
  while (context != NULL && lws_service(context, 0) >= 0) {}
  return 1;
}
C
gcc -o server server.c -lwebsockets
cat >client.mjs <<'JS'
import { connect } from "node:net";
const socket = connect(Number(process.argv[2]), "127.0.0.1");
// Masked with the key 0, which changes nothing.
const ping = (text) => Buffer.concat([Buffer.of(0x89, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
let bytes = Buffer.alloc(0);
let open = false;
socket.on("data", (more) => {
  bytes = Buffer.concat([bytes, more]);
  const end = bytes.indexOf("\r\n\r\n");
  if (!open && end !== -1) {
    open = true;
    bytes = bytes.subarray(end + 4);
    socket.write(Buffer.concat(["1", "2", "3", "4", "5"].map(ping)));
    setTimeout(() => socket.write(ping("6")), 500);
    setTimeout(() => socket.write(ping("7")), 1000);
  }
  while (open && bytes.length >= 2 && bytes.length >= 2 + bytes[1]) {
    const payload = bytes.subarray(2, 2 + bytes[1]).toString();
    if (bytes[0] === 0x8a) console.log("pong", payload);
    if (payload === "7") process.exit();
    bytes = bytes.subarray(2 + bytes[1]);
  }
});
socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
JS
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
./server "$port" &
for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break || sleep 0.1; done
seen=$(timeout 20 node client.mjs "$port" || true)
echo "$seen"
[ "$seen" = "pong 1
pong 6
pong 7" ] || { echo "The behaviour has changed" >&2; exit 1; }
