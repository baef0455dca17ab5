#!/usr/bin/env bash
# libwebsockets answers the first of several pings that arrive together, where the RFC's short cut is the last.
#
# Version: libwebsockets 4.1.6 (Debian 12: libwebsockets-dev with its event libraries, gcc), python3 for the client.
# Expected: a pong for each ping, or, as RFC 6455 §5.5.3 allows, for the most recent one only.
# Seen: of the pings "1", "2" and "3" in one segment, "1" is answered and the others never are. One that comes after an answer gets its own.
# What follows from it: who counts a ping as lost when its own payload does not come back drops a living peer; any pong that comes after a
# ping is a sign of life.
set -euo pipefail
for package in libwebsockets-dev libwebsockets-evlib-ev libwebsockets-evlib-glib libwebsockets-evlib-uv gcc python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
port=$((20000 + RANDOM % 20000))
cat >server.c <<'C'
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) { return 0; }
static const struct lws_protocols protocols[] = { { "any", callback, 0, 4096 }, { NULL, NULL, 0, 0 } };
int main(int argc, char **argv) {
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  lws_set_log_level(LLL_ERR, NULL);
  info.port = atoi(argv[1]);
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.gid = info.uid = -1;
  struct lws_context *context = lws_create_context(&info);
  while (context != NULL && lws_service(context, 0) >= 0);
  return 1;
}
C
gcc -o server server.c -lwebsockets
cat >client.py <<'PY'
import socket, sys, time
while True:
    try:
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
stream = connection.makefile("rb")
while stream.readline() != b"\r\n":
    pass
def frame(opcode, payload):  # the mask is zero
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload
def answer():
    first, size = stream.read(2)
    return f"{'pong' if first & 15 == 10 else 'close'} {stream.read(size)!r}"
connection.sendall(b"".join(frame(9, payload) for payload in (b"1", b"2", b"3")))
print("three together:", answer())
connection.sendall(frame(9, b"4"))
print("one more:", answer())
connection.sendall(frame(8, b"\x03\xe8"))
print("the end:", answer())
PY
./server "$port" &
seen=$(timeout 20 python3 client.py "$port")
echo "$seen"
[ "$seen" = "three together: pong b'1'
one more: pong b'4'
the end: close b'\\x03\\xe8'" ] || { echo "The behaviour has changed" >&2; exit 1; }
