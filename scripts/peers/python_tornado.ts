import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import asyncio, os, ssl, sys
from tornado import httpclient, web, websocket

compression = {} if os.environ["PEER_DEFLATE"] == "on" else None

def play(connection, message):
    if isinstance(message, str) and message.startswith("#close"):
        words = message.split()
        connection.close(*[int(word) for word in words[1:]])
    else:
        connection.write_message(message, binary=isinstance(message, bytes))

class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return compression

    def on_message(self, message):
        play(self, message)

    def on_close(self):
        print("closed", self.close_code or "", flush=True)

async def serve():
    context = None
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
    app = web.Application([("/", Echo)], websocket_max_message_size=2**26)
    app.listen(int(os.environ["PEER_PORT"]), "127.0.0.1", ssl_options=context, max_buffer_size=2**27)
    await asyncio.Event().wait()

async def connect():
    request = httpclient.HTTPRequest(os.environ["PEER_URL"], ca_certs=os.environ.get("PEER_CA"))
    connection = await websocket.websocket_connect(
        request, compression_options=compression, max_message_size=2**26)
    while True:
        message = await connection.read_message()
        if message is None:
            break
        play(connection, message)
    print("closed", connection.close_code or "", flush=True)

asyncio.run(serve() if sys.argv[1] == "server" else connect())
`;

export const PEER: Peer = {
  name: "tornado",
  version: "6.2",
  language: "Python",
  debian: ["python3-tornado"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import tornado; print(tornado.version)'",
  server: {
    command: ["/usr/bin/python3", "peer.py", "server"],
    differs: {
      "deflate no takeover": {
        seen: "agreed takeover",
        because: "it does not read parameters without a value",
        finding: "tornado_deflate_flags.sh",
      },
    },
  },
  client: {
    command: ["/usr/bin/python3", "peer.py", "client"],
    differs: {
      "deflate no takeover": {
        seen: "broke a rule: ERR_INVALID_DEFLATE (text of 128)",
        because: "it does not read parameters without a value",
        finding: "tornado_deflate_flags.sh",
      },
    },
  },
};
