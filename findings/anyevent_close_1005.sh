#!/usr/bin/env bash
# AnyEvent::WebSocket::Client puts the code 1005 on the wire: in each answer to a close frame, and for `close` without arguments.
#
# Version: libanyevent-websocket-client-perl 0.54 (Debian 12); python3 for the server.
# Expected: `$connection->close`, as in its synopsis, sends an empty close frame or 1000; an answer repeats the code that came. 1005 is
# reserved: no close frame may hold it (RFC 6455 §7.4.1).
# Seen: both send 1005, also in the answer to 1000.
# What follows from it: a strict peer takes the end of each such connection for a protocol error, whichever side begins it; only
# `close(1000)`, begun by the client, ends cleanly.
set -euo pipefail
for package in libanyevent-websocket-client-perl python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.pl <<'PL'
use strict;
use warnings;
use AnyEvent;
use AnyEvent::WebSocket::Client;
my ($port, @close) = @ARGV;
my $connection = AnyEvent::WebSocket::Client->new->connect("ws://127.0.0.1:$port/")->recv;
my $ended = AnyEvent->condvar;
$connection->on(finish => sub { $ended->send });
if (@close) { $connection->close($close[0] ? @close : ()) }
$ended->recv;
PL
# Prints the code of the close frame that comes; sends one with 1000 before, or not.
cat >server.py <<'PY'
import base64, hashlib, re, socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], file=open("port", "w"), flush=True)
    connection, _ = server.accept()
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += connection.recv(1)
key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
if sys.argv[1] == "closes":
    connection.sendall(b"\x88\x02\x03\xe8")
frame = b""
while part := connection.recv(4096):
    frame += part
mask = frame[2:6]
payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame[6:]))
print(f"opcode {frame[0] & 15}, code {int.from_bytes(payload[:2], 'big') if payload else 'none'}")
PY
play() {
  rm -f port
  python3 server.py "$1" >seen &
  until [ -s port ]; do sleep 0.05; done
  timeout 20 perl client.pl "$(cat port)" "${@:2}"
  wait
  cat seen
}
seen="close: $(play waits '')
close(1000): $(play waits 1000)
answer to 1000: $(play closes)"
echo "$seen"
[ "$seen" = "close: opcode 8, code 1005
close(1000): opcode 8, code 1000
answer to 1000: opcode 8, code 1005" ] || { echo "The behaviour has changed" >&2; exit 1; }
