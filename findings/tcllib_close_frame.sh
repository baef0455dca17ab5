#!/usr/bin/env bash
# The WebSocket package of tcllib never sends a close frame, whoever closes.
#
# Version: tcllib 1.21 (Debian 12), python3 for the server.
# Expected: `::websocket::close $sock 1000` sends a close frame with that code, as its documentation says, and a close frame that comes is
# answered with another.
# Seen: not one byte is sent in either case, only the end of the connection; the handler hears "close" with the code all the same. Its sender
# refuses in silence, since the connection is marked as closed just before.
# What follows from it: with this peer no connection ends cleanly (1006 at the other side); the code must go in a message if it matters.
set -euo pipefail
for package in tcllib python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.tcl <<'TCL'
package require http
package require websocket
lassign $argv port own
proc on_event {socket type message} {
  switch -- $type {
    connect { if {$::own ne ""} { ::websocket::send $socket text hello; ::websocket::close $socket $::own } }
    close { puts "handler: close $message" }
    disconnect { set ::ended 1 }
  }
}
::websocket::open "ws://127.0.0.1:$port/" on_event
vwait ended
TCL
# Prints the opcodes of the frames that come; sends a close frame with 1001 before, or not.
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
    connection.sendall(b"\x88\x02\x03\xe9")
frames = b""
while part := connection.recv(4096):
    frames += part
opcodes = []
while frames:
    opcodes.append(frames[0] & 15)
    frames = frames[6 + (frames[1] & 127):]
print("opcodes that came:", *opcodes)
PY
play() {
  rm -f port
  python3 server.py "$1" >seen &
  until [ -s port ]; do sleep 0.05; done
  timeout 20 tclsh client.tcl "$(cat port)" "${@:2}" 2>/dev/null
  wait
  cat seen
}
seen=$(
  echo "the client closes with 1000"
  play waits 1000
  echo "the server closes with 1001"
  play closes
)
echo "$seen"
[ "$seen" = "the client closes with 1000
handler: close 1000 {Normal closure}
opcodes that came: 1
the server closes with 1001
handler: close 1001 {Endpoint going away}
opcodes that came:" ] || { echo "The behaviour has changed" >&2; exit 1; }
