#!/usr/bin/env bash
# Of several offers of permessage-deflate wsproto takes the last one, though they stand in the order of preference.
#
# Version: wsproto 1.2.0 (Debian 12, python3-wsproto); hypercorn and uvicorn with `--ws wsproto` are built on it.
# Expected: the first offer that it can take (RFC 7692 §5.1: offers are in the order of the client's preference). It can take windows
# of 10 bits, as the single offer shows.
# Seen: "permessage-deflate; server_max_window_bits=10, permessage-deflate" is answered without the window.
# What follows from it: a plain offer behind a wish, for servers that cannot fulfil it, makes this one forget the wish.
set -euo pipefail
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import wsproto' 2>/dev/null || { echo "missing: apt-get install python3-wsproto" >&2; exit 2; }
seen=$("$PYTHON" - <<'PY'
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection
from wsproto.extensions import PerMessageDeflate

WISH = "permessage-deflate; server_max_window_bits=10"
for offers in [WISH, WISH + ", permessage-deflate"]:
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data((f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n").encode())
    list(server.events())
    answer = server.send(AcceptConnection(extensions=[PerMessageDeflate()])).decode()
    [accepted] = [line for line in answer.split("\r\n") if line.lower().startswith("sec-websocket-extensions")]
    print(offers, "->", accepted.split(": ", 1)[1].strip())
PY
)
echo "$seen"
[ "$seen" = "permessage-deflate; server_max_window_bits=10 -> permessage-deflate; server_max_window_bits=10
permessage-deflate; server_max_window_bits=10, permessage-deflate -> permessage-deflate" ] || { echo "The behaviour has changed" >&2; exit 1; }
