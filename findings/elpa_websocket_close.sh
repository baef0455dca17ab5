#!/usr/bin/env bash
# Emacs's websocket package masks all frames of a client but the close frame, and answers no close frame.
#
# Version: elpa-websocket 1.13 with emacs-nox 28.2 (Debian 12), python3 for the server.
# Expected: a client masks every frame (RFC 6455 §5.1), and an end that gets a close frame sends one (§5.5.1).
# Seen: `websocket-close` sends a masked text before, but a close frame of the two bytes 88 00, without mask. A close frame that comes only
# ends the connection.
# What follows from it: a strict server takes each such end for a protocol error, or for a lost connection (1006); the messages before are
# whole.
set -euo pipefail
for package in elpa-websocket emacs-nox python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.el <<'EL'
(package-initialize)
(require 'websocket)
(defvar ended nil)
(let ((socket (websocket-open (format "ws://127.0.0.1:%s/" (getenv "PORT")) :on-close (lambda (_) (setq ended t)))))
  (while (not (or ended (eq (websocket-ready-state socket) 'open))) (accept-process-output nil 0.1))
  (unless ended (websocket-send-text socket "hello"))
  (when (getenv "CLOSE") (websocket-close socket))
  (while (not ended) (accept-process-output nil 0.1)))
EL
# Prints opcode and mask of the frames that come; sends a close frame after the first one, or not.
cat >server.py <<'PY'
import base64, hashlib, re, socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], file=open("port", "w"), flush=True)
    connection, _ = server.accept()
stream = connection.makefile("rb")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += stream.readline()
key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
while header := stream.read(2):
    masked = header[1] & 128 != 0
    stream.read((header[1] & 127) + (4 if masked else 0))
    print(f"opcode {header[0] & 15} {'masked' if masked else 'not masked'}")
    if sys.argv[1] == "closes":
        connection.sendall(b"\x88\x02\x03\xe8")
PY
play() {
  rm -f port
  python3 server.py "$1" >seen &
  until [ -s port ]; do sleep 0.05; done
  PORT=$(cat port) timeout 30 emacs --batch --load client.el >/dev/null 2>&1
  wait
  cat seen
}
seen=$(
  echo "the client closes"
  CLOSE=yes play waits
  echo "the server closes"
  play closes
)
echo "$seen"
[ "$seen" = "the client closes
opcode 1 masked
opcode 8 not masked
the server closes
opcode 1 masked" ] || { echo "The behaviour has changed" >&2; exit 1; }
