#!/usr/bin/env bash
# Mojolicious ignores every parameter of permessage-deflate, as a server and as a client.
#
# Version: libmojolicious-perl 9.31 (Debian 12); python3 for the other side.
# Expected: a server accepts an offer with the parameters that it understands, or declines it: what a client asks of it with
# `server_no_context_takeover` must be in the answer (RFC 7692 §7.1.1.1), and likewise `server_max_window_bits`. A client that is told
# `client_no_context_takeover` begins each message anew, or fails the connection.
# Seen: the server answers such an offer with a bare `permessage-deflate`, and its second message refers to the first one. The client, told
# not to, does so too, and goes on.
# What follows from it: ask Mojolicious for plain permessage-deflate only; offer it as the second choice, since the first is answered as if
# it were that one.
set -euo pipefail
for package in libmojolicious-perl python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
port=$((20000 + RANDOM % 20000))
# Both send the same text twice.
cat >server.pl <<'PL'
use Mojolicious::Lite -signatures;
websocket '/' => sub ($c) {
  $c->tx->with_compression;
  $c->send('x' x 20 . join ' ', 1 .. 100) for 1, 2;
  $c->finish(1000);
};
app->log->level('fatal');
app->start('daemon', '-l', "http://127.0.0.1:$ENV{PORT}");
PL
cat >client.pl <<'PL'
use Mojo::Base -strict, -signatures;
use Mojo::UserAgent;
use Mojo::IOLoop;
my $agent = Mojo::UserAgent->new;
my %headers = ('Sec-WebSocket-Extensions' => 'permessage-deflate; client_no_context_takeover');
$agent->websocket("ws://127.0.0.1:$ENV{PORT}/" => \%headers => sub ($agent, $connection) {
  $connection->send('x' x 20 . join ' ', 1 .. 100) for 1, 2;
  $connection->finish(1000);
  Mojo::IOLoop->stream($connection->connection)->on(close => sub { Mojo::IOLoop->stop });
});
Mojo::IOLoop->start;
PL
cat >other.py <<'PY'
import base64, hashlib, re, socket, struct, sys, time, zlib
role, port = sys.argv[1], int(sys.argv[2])
def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head
if role == "client":
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate; "
                       b"server_no_context_takeover; server_max_window_bits=9\r\n\r\n")
    print("its server answers:", re.search(rb"(?i)extensions: *(.*)\r", read_head(connection))[1].decode())
else:
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
    head = read_head(connection)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept +
                       b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n")
    print("its client is told: permessage-deflate; client_no_context_takeover")
stream = connection.makefile("rb")
for number in (1, 2):
    first, size = stream.read(2)
    masked, size = size & 128, size & 127
    if size == 126:
        size = struct.unpack(">H", stream.read(2))[0]
    mask = stream.read(4) if masked else bytes(4)
    payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(stream.read(size)))
    try:
        alone = len(zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff"))
    except zlib.error:
        alone = "not inflated"
    print(f"message {number} on its own: {alone}")
PY
export PORT=$port
perl server.pl >/dev/null 2>&1 &
seen=$(timeout 30 python3 other.py client "$port")
PORT=$((port + 1))
timeout 30 python3 other.py server "$PORT" >told &
other=$!
until ss -ltn | grep -q "127.0.0.1:$PORT "; do sleep 0.05; done
timeout 30 perl client.pl >/dev/null 2>&1
wait "$other"
seen+=$'\n'$(cat told)
echo "$seen"
[ "$seen" = "its server answers: permessage-deflate
message 1 on its own: 311
message 2 on its own: not inflated
its client is told: permessage-deflate; client_no_context_takeover
message 1 on its own: 311
message 2 on its own: not inflated" ] || { echo "The behaviour has changed" >&2; exit 1; }
