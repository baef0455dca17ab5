import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = `
import asyncio, os, ssl, sys
import websockets

async def echo(connection):
    try:
        async for message in connection:
            if isinstance(message, str) and message.startswith("#close"):
                words = message.split()
                await connection.close(*([int(words[1])] if len(words) > 1 else [1000]))
            else:
                await connection.send(message)
    except websockets.ConnectionClosed:
        pass
    print("closed", connection.close_code, flush=True)

options = dict(max_size=2**26, compression="deflate" if os.environ["PEER_DEFLATE"] == "on" else None)

async def serve():
    context = None
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
    async with websockets.serve(echo, "127.0.0.1", int(os.environ["PEER_PORT"]), ssl=context, **options):
        await asyncio.Future()

async def connect():
    url = os.environ["PEER_URL"]
    context = ssl.create_default_context(cafile=os.environ["PEER_CA"]) if url.startswith("wss") else None
    async with websockets.connect(url, ssl=context, **options) as connection:
        await echo(connection)

asyncio.run(serve() if sys.argv[1] == "server" else connect())
`;

const differs = { "its close empty": { seen: "closed 1000", because: "close() always sends a code" } };

export const PEER: Peer = {
  name: "websockets",
  version: "10.4",
  language: "Python",
  debian: ["python3-websockets"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import websockets; print(websockets.__version__)'",
  server: { command: ["/usr/bin/python3", "peer.py", "server"], differs },
  client: { command: ["/usr/bin/python3", "peer.py", "client"], differs },
};
