import { inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import asyncio, os, ssl, sys
from aiohttp import ClientSession, WSMsgType, web

deflate = os.environ["PEER_DEFLATE"] == "on"

async def echo(ws):
    async for message in ws:
        if message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.data.startswith("#close"):
            words = message.data.split()
            await ws.close(**({"code": int(words[1])} if len(words) > 1 else {}))
        else:
            await ws.send_str(message.data)
    print("closed", ws.close_code or "", flush=True)

async def handle(request):
    ws = web.WebSocketResponse(max_msg_size=2**26, compress=deflate)
    await ws.prepare(request)
    await echo(ws)
    return ws

def serve():
    context = None
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
    app = web.Application()
    app.add_routes([web.get("/", handle)])
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), ssl_context=context, print=None)

async def connect():
    context = ssl.create_default_context(cafile=os.environ["PEER_CA"]) if "PEER_CA" in os.environ else None
    async with ClientSession() as session:
        options = dict(ssl=context, max_msg_size=2**26, compress=15 if deflate else 0)
        async with session.ws_connect(os.environ["PEER_URL"], **options) as ws:
            await echo(ws)

serve() if sys.argv[1] == "server" else asyncio.run(connect())
`;

const differs: PeerProgram["differs"] = {
  ...inCases(["close 1001", "close 3000", "close 4999", "close empty"], {
    seen: "answered 1000",
    because: "it answers all close frames with 1000",
  }),
  "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
};

export const PEER: Peer = {
  name: "aiohttp",
  version: "3.8.4",
  language: "Python",
  debian: ["python3-aiohttp"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import aiohttp; print(aiohttp.__version__)'",
  server: { command: ["/usr/bin/python3", "peer.py", "server"], differs },
  client: { command: ["/usr/bin/python3", "peer.py", "client"], differs },
};
