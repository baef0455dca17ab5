"""Python's websockets: `client URL COMPRESSION` against an echo, or `server COMPRESSION`, an echo that prints its port.

COMPRESSION is JSON: null, or what ClientPerMessageDeflateFactory or ServerPerMessageDeflateFactory take.
"""

import asyncio
import json
import sys

import websockets
from websockets.extensions import permessage_deflate


def messages():
    pattern = "0123456789 κόσμε 😀 "
    for turn in range(3):
        for length in (0, 1, 125, 126, 127, 1000, 65535, 65536, 300000):
            yield (pattern * (length // len(pattern) + 1))[:length]
            yield bytes((at * 31 + turn + (at >> 8)) & 0xFF for at in range(length))
    # In fragments.
    yield ["frag", "", "ments", "κόσμε"]
    yield [b"frag", b"ments"]


async def client(url, compression):
    extensions = None
    if compression is not None:
        extensions = [permessage_deflate.ClientPerMessageDeflateFactory(**compression)]
    count = 0
    async with websockets.connect(url, extensions=extensions, compression=None, max_size=None) as socket:
        for message in messages():
            await socket.send(message)
            expected = message if not isinstance(message, list) else type(message[0])().join(message)
            assert await socket.recv() == expected, f"message {count} came back otherwise"
            count += 1
        await asyncio.wait_for(await socket.ping(b"payload"), 10)
        await socket.close(4001, "done")
    print(json.dumps({
        "count": count,
        "extensions": [str(extension) for extension in socket.extensions],
        "code": socket.close_code,
    }))


async def server(compression):
    extensions = None
    if compression is not None:
        extensions = [permessage_deflate.ServerPerMessageDeflateFactory(**compression)]

    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(
        echo, "127.0.0.1", 0, extensions=extensions, compression=None, max_size=None, subprotocols=["b"]
    ) as listener:
        print(listener.sockets[0].getsockname()[1], flush=True)
        # Until standard input ends.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if sys.argv[1] == "client":
    asyncio.run(client(sys.argv[2], json.loads(sys.argv[3])))
else:
    asyncio.run(server(json.loads(sys.argv[2])))
