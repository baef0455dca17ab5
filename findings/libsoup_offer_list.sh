#!/usr/bin/env bash
# libsoup's server accepts every element of a list of permessage-deflate offers, not one of them.
#
# Version: libsoup 3.2.3 (Debian 12: libsoup-3.0-dev, gcc, pkg-config), python3 for the client.
# Expected: a client names the same extension several times, with other parameters, for a server to choose the first one that it can do
# (RFC 7692 §5.1 and the examples of §7.1.3); the answer has one element.
# Seen: the answer repeats all elements; an unknown extension is left out, as it should be.
# What follows from it: a strict client fails such a connection, so that a second choice, meant for servers that cannot do the first one,
# keeps it from servers of libsoup, which could.
set -euo pipefail
for package in libsoup-3.0-dev gcc pkg-config python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >server.c <<'C'
#include <libsoup/soup.h>
#include <stdio.h>
static void on_connection(SoupServer *server, SoupServerMessage *message, const char *path,
  SoupWebsocketConnection *connection, gpointer unused) {}
int main(void) {
  SoupServer *server = soup_server_new(NULL, NULL);
  soup_server_add_websocket_handler(server, NULL, NULL, NULL, on_connection, NULL, NULL);
  if (!soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, NULL)) return 1;
  printf("%d\n", g_uri_get_port(soup_server_get_uris(server)->data));
  fflush(stdout);
  g_main_loop_run(g_main_loop_new(NULL, FALSE));
}
C
# shellcheck disable=SC2046
gcc -o server server.c $(pkg-config --cflags --libs libsoup-3.0)
cat >client.py <<'PY'
import re, socket, sys
for offer in ("permessage-deflate", "unknown, permessage-deflate", "permessage-deflate; server_no_context_takeover, permessage-deflate"):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: " + offer.encode() + b"\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
    print(f"{offer} -> {re.search(rb'(?i)extensions: *(.*)' + bytes([13]), head)[1].decode()}")
PY
./server >port &
until [ -s port ]; do sleep 0.05; done
seen=$(timeout 20 python3 client.py "$(cat port)")
echo "$seen"
[ "$seen" = "permessage-deflate -> permessage-deflate
unknown, permessage-deflate -> permessage-deflate
permessage-deflate; server_no_context_takeover, permessage-deflate -> permessage-deflate; server_no_context_takeover, permessage-deflate" ] || {
  echo "The behaviour has changed" >&2
  exit 1
}
