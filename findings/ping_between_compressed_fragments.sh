#!/usr/bin/env bash
# A ping between the fragments of a compressed message ends the connection at aiohttp, tornado and wsproto.
#
# RFC 6455 §5.4 lets control frames come between the fragments of a message, and RFC 7692 §6 keeps RSV1 for the first fragment alone.
# The client here sends the text "Hello Hello" compressed in two fragments: without a ping, and on another connection with one between.
# Versions: python3-aiohttp 3.8.4, python3-tornado 6.2.0, python3-wsproto 1.2.0 (Debian 12).
# Expected: the text comes back from each of them, and the ping is answered.
# Seen: without the ping the text comes back. With it, aiohttp and wsproto close with 1007, and tornado ends the connection without a
# close frame: the control frame, which has no RSV1, resets or stands in for the state of the message around it.
# What follows from it: send no pings of one's own between fragments, legal though they are; and test control frames there with
# compression on, since the same peers take them in a message that is not compressed.
set -euo pipefail
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import aiohttp, tornado, wsproto' 2>/dev/null ||
  { echo "missing: apt-get install python3-aiohttp python3-tornado python3-wsproto" >&2; exit 2; }
seen=$(timeout 60 "$PYTHON" - 2>/dev/null <<'PY'
import asyncio, base64, os, zlib
from aiohttp import web
from tornado import httpserver, netutil, web as tornado_web, websocket

class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}
    def on_message(self, message):
        self.write_message(message)

async def aiohttp_echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if isinstance(message.data, str):
            await socket.send_str(message.data)
    return socket

async def wsproto_echo(reader, writer):
    from wsproto import ConnectionType, WSConnection, events
    from wsproto.extensions import PerMessageDeflate
    ws = WSConnection(ConnectionType.SERVER)
    text = ""
    while data := await reader.read(4096):
        try:
            ws.receive_data(data)
            for event in ws.events():
                if isinstance(event, events.Request):
                    writer.write(ws.send(events.AcceptConnection(extensions=[PerMessageDeflate()])))
                elif isinstance(event, events.Ping):
                    writer.write(ws.send(event.response()))
                elif isinstance(event, events.TextMessage):
                    text += event.data
                    if event.message_finished:
                        writer.write(ws.send(events.TextMessage(data=text)))
                elif isinstance(event, events.CloseConnection):
                    writer.write(ws.send(event.response()))
        except Exception as error:
            print("   raised", type(error).__name__)
            break
    writer.close()

def frame(first, payload):
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload

async def talk(port, with_ping):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write((f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode())
    await reader.readuntil(b"\r\n\r\n")
    deflate = zlib.compressobj(wbits=-15)
    payload = (deflate.compress(b"Hello Hello") + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frames = [frame(0x41, payload[:4])] + [frame(0x89, b"")] * with_ping + [frame(0x80, payload[4:])]
    for part in frames:
        writer.write(part)
        await writer.drain()
    try:
        while True:
            first, length = await asyncio.wait_for(reader.readexactly(2), 5)
            payload = await reader.readexactly(length)
            if first == 0x88:
                return f"closed with {int.from_bytes(payload[:2], 'big')}"
            if first & 0xf == 1:
                if first & 0x40:
                    payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff")
                return repr(payload.decode())
    except asyncio.TimeoutError:
        return "nothing"
    except (asyncio.IncompleteReadError, ConnectionError):
        return "ended without a close frame"
    finally:
        writer.close()

async def main():
    app = web.Application()
    app.router.add_get("/", aiohttp_echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    httpserver.HTTPServer(tornado_web.Application([("/", Echo)])).add_sockets(sockets)
    wsproto = await asyncio.start_server(wsproto_echo, "127.0.0.1", 0)
    ports = {
        "aiohttp": site._server.sockets[0].getsockname()[1],
        "tornado": sockets[0].getsockname()[1],
        "wsproto": wsproto.sockets[0].getsockname()[1],
    }
    for name, port in ports.items():
        print(name, "without a ping:", await talk(port, 0))
        print(name, "with a ping:", await talk(port, 1))

asyncio.run(main())
PY
)
echo "$seen"
[ "$seen" = "aiohttp without a ping: 'Hello Hello'
aiohttp with a ping: closed with 1007
tornado without a ping: 'Hello Hello'
tornado with a ping: ended without a close frame
wsproto without a ping: 'Hello Hello'
wsproto with a ping: closed with 1007" ] || { echo "The behaviour has changed" >&2; exit 1; }
