import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import os, ssl, sys
import trio
from trio_websocket import ConnectionClosed, open_websocket_url, serve_websocket

async def echo(connection):
    try:
        while True:
            message = await connection.get_message()
            if isinstance(message, str) and message.startswith("#close"):
                words = message.split()
                await connection.aclose(*[int(word) for word in words[1:]])
            else:
                await connection.send_message(message)
    except ConnectionClosed as closed:
        print("closed", closed.reason.code if closed.reason else "", flush=True)

async def handle(request):
    await echo(await request.accept())

async def serve():
    context = None
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
    await serve_websocket(handle, "127.0.0.1", int(os.environ["PEER_PORT"]), context, max_message_size=2**26)

async def connect():
    context = ssl.create_default_context(cafile=os.environ["PEER_CA"]) if "PEER_CA" in os.environ else None
    async with open_websocket_url(os.environ["PEER_URL"], context, max_message_size=2**26) as connection:
        await echo(connection)

trio.run(serve if sys.argv[1] == "server" else connect)
`;

const differs: PeerProgram["differs"] = {
  "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
  ...inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no option for it" }),
};

export const PEER: Peer = {
  name: "trio-websocket",
  version: "0.9.2",
  language: "Python",
  debian: ["python3-trio-websocket"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import trio_websocket; print(trio_websocket.__version__)'",
  server: { command: ["/usr/bin/python3", "peer.py", "server"], differs },
  client: { command: ["/usr/bin/python3", "peer.py", "client"], differs },
};
