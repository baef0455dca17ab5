#!/usr/bin/env bash
# The client of ws4py loses messages that come with the answer to its handshake, all but the first.
#
# Version: ws4py 0.5.1 (Debian 12, python3-ws4py).
# Expected: a server may send as soon as the handshake is done (RFC 6455 §4.2.2), and TCP may bring the messages with the answer: the
# client gets all of them.
# Seen: of three messages in one write with the answer it gives the program the first; those that are written when the program knows
# that the connection is open all come.
# What follows from it: a server that greets its clients waits for their first message, if such clients may come.
set -euo pipefail
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import ws4py' 2>/dev/null || { echo "missing: apt-get install python3-ws4py" >&2; exit 2; }
seen=$("$PYTHON" - <<'PY'
import base64, hashlib, socket, threading
from ws4py.client.threadedclient import WebSocketClient

MESSAGES = [b"one", b"two", b"three"]
FRAMES = b"".join(bytes([0x81, len(text)]) + text for text in MESSAGES)

def play(early):
    opened, got = threading.Event(), []

    class Client(WebSocketClient):
        def opened(self):
            opened.set()

        def received_message(self, message):
            got.append(message.data.decode())

    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        key = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")][0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        answer = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        connection.sendall(answer + FRAMES if early else answer)
        opened.wait(10)
        if not early:
            connection.sendall(FRAMES)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    threading.Thread(target=serve, daemon=True).start()
    client = Client(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
    client.connect()
    client.run_forever()
    return got

print("with the answer:", *play(True))
print("when it is open:", *play(False))
PY
)
echo "$seen"
[ "$seen" = "with the answer: one
when it is open: one two three" ] || { echo "The behaviour has changed" >&2; exit 1; }
