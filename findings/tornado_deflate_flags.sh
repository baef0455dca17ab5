#!/usr/bin/env bash
# Tornado does not read parameters of permessage-deflate that have no value: both "no context takeover" are ignored.
#
# Version: tornado 6.2 (Debian 12, python3-tornado 6.2.0).
# Expected: the answer to an offer with server_no_context_takeover has it too, or declines the offer (RFC 7692 §7.1.1.1); parameters
# with and without value are read alike.
# Seen: the answer to "permessage-deflate; server_no_context_takeover" is "permessage-deflate" alone, while "server_max_window_bits=10"
# is taken. Its parser for header parameters keeps those with "=" only.
# What follows from it: a client that asks it for no context takeover has to refuse its answer, or to offer plain compression besides;
# its client goes on with the context when a server told it not to.
set -euo pipefail
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import tornado' 2>/dev/null || { echo "missing: apt-get install python3-tornado" >&2; exit 2; }
seen=$("$PYTHON" - <<'PY'
import asyncio, base64, os
from tornado import httpserver, netutil, web, websocket

class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}

async def answer(port, extensions):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write((f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n").encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    return [line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-extensions")]

async def main():
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    httpserver.HTTPServer(web.Application([("/", Echo)])).add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    for offer in ["permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_no_context_takeover"]:
        print(offer, "->", *await answer(port, offer))

asyncio.run(main())
PY
)
echo "$seen"
[ "$seen" = "permessage-deflate; server_max_window_bits=10 -> permessage-deflate; server_max_window_bits=10
permessage-deflate; server_no_context_takeover -> permessage-deflate" ] || { echo "The behaviour has changed" >&2; exit 1; }
