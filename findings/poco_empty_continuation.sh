#!/usr/bin/env bash
# POCO's documented sign of a closed connection comes for a valid frame as well: an empty continuation.
#
# Version: POCO 1.11.0 (Debian 12: libpoco-dev, g++), python3 for the server.
# Expected: `receiveFrame` returns 0 and sets the flags to 0 when the peer has closed the connection, as its documentation says; a frame
# without payload has flags that are not 0.
# Seen: a text in three frames, the middle one empty (RFC 6455 §5.4 allows it), gives 6 with flags 1, then 0 with flags 0, which is the sign
# of the end, and yet the third frame comes when one reads on. The real end looks the same.
# What follows from it: a program that follows the documentation drops such connections; send no empty frames between the first and the
# last one of a message, and in POCO read once more before taking the sign for the end.
set -euo pipefail
for package in libpoco-dev g++ python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.cpp <<'CPP'
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/WebSocket.h>
#include <cstdio>
#include <cstdlib>
using namespace Poco::Net;
int main(int, char **argv) {
  HTTPClientSession session("127.0.0.1", std::atoi(argv[1]));
  HTTPRequest request(HTTPRequest::HTTP_GET, "/", HTTPMessage::HTTP_1_1);
  HTTPResponse response;
  WebSocket socket(session, request, response);
  for (int count = 0; count < 4; count++) {
    char buffer[100];
    int flags = -1;
    const int size = socket.receiveFrame(buffer, sizeof buffer, flags);
    std::printf("%d bytes, flags %d\n", size, flags);
  }
}
CPP
g++ -o client client.cpp -lPocoNet -lPocoFoundation
cat >server.py <<'PY'
import base64, hashlib, re, socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += connection.recv(1)
key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
for first, part in ((0x01, b"Hello "), (0x00, b""), (0x80, b"world")):
    connection.sendall(bytes((first, len(part))) + part)
connection.shutdown(socket.SHUT_WR)
while connection.recv(4096):
    pass
PY
python3 server.py >port &
until [ -s port ]; do sleep 0.05; done
seen=$(timeout 20 ./client "$(cat port)")
echo "$seen"
[ "$seen" = "6 bytes, flags 1
0 bytes, flags 0
5 bytes, flags 128
0 bytes, flags 0" ] || { echo "The behaviour has changed" >&2; exit 1; }
