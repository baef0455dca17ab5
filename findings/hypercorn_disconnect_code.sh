#!/usr/bin/env bash
# Hypercorn tells an ASGI application that the client left with 1006, whatever code the client's close frame had.
#
# Versions: hypercorn 0.13.2, uvicorn 0.17.6, websockets 10.4 as the client (Debian 12).
# Expected: "code" of websocket.disconnect is that of the client's close frame, as the ASGI specification says and uvicorn does.
# Seen: hypercorn answers the close frame properly on the wire, and the application gets 1006 for 1000, 4001, and an empty frame.
# What follows from it: an application behind it cannot tell a client that has finished from a lost one by the code.
set -euo pipefail
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import hypercorn, uvicorn, websockets' 2>/dev/null ||
  { echo "missing: apt-get install python3-hypercorn python3-uvicorn python3-websockets" >&2; exit 2; }
seen=$("$PYTHON" - 2>/dev/null <<'PY'
import asyncio, socket
import hypercorn.asyncio, hypercorn.config, uvicorn, websockets

codes = None

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "websocket.accept"})
    codes.put_nowait((await receive())["code"])

def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]

async def connect(port):
    for _ in range(100):
        try:
            return await websockets.connect(f"ws://127.0.0.1:{port}/")
        except OSError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the server does not start")

async def play(name, port):
    for code in [1000, 4001]:
        connection = await connect(port)
        await connection.close(code)
        print(f"{name}: closed with {code}, answered {connection.close_code}, application told {await codes.get()}")

async def main():
    global codes
    codes = asyncio.Queue()
    stop, port = asyncio.Event(), free_port()
    config = hypercorn.config.Config()
    config.bind, config.loglevel = [f"127.0.0.1:{port}"], "error"
    server = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))
    await play("hypercorn", port)
    stop.set()
    await server
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    task = asyncio.create_task(server.serve())
    await play("uvicorn", port)
    server.should_exit = True
    await task

asyncio.run(main())
PY
)
echo "$seen"
[ "$seen" = "hypercorn: closed with 1000, answered 1000, application told 1006
hypercorn: closed with 4001, answered 4001, application told 1006
uvicorn: closed with 1000, answered 1000, application told 1000
uvicorn: closed with 4001, answered 4001, application told 4001" ] || { echo "The behaviour has changed" >&2; exit 1; }
