import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import os, ssl, sys
from wsgiref.simple_server import make_server
from ws4py.client.threadedclient import WebSocketClient
from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import WebSocket

class Echo:
    def received_message(self, message):
        if message.is_text and message.data.startswith(b"#close"):
            words = message.data.split()
            self.close(*[int(word) for word in words[1:]])
        else:
            self.send(message.data, message.is_binary)

    def closed(self, code, reason=None):
        print("closed", code, flush=True)

class Server(Echo, WebSocket):
    pass

class Client(Echo, WebSocketClient):
    def opened(self):
        print("open", flush=True)

if sys.argv[1] == "server":
    server = make_server("127.0.0.1", int(os.environ["PEER_PORT"]), server_class=WSGIServer,
        handler_class=WebSocketWSGIRequestHandler, app=WebSocketWSGIApplication(handler_cls=Server))
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.initialize_websockets_manager()
    server.serve_forever()
else:
    options = {"ca_certs": os.environ["PEER_CA"], "cert_reqs": ssl.CERT_REQUIRED} if "PEER_CA" in os.environ else {}
    client = Client(os.environ["PEER_URL"], ssl_options=options)
    client.connect()
    client.run_forever()
`;

const differs: PeerProgram["differs"] = {
  "close empty": { seen: "no close frame", because: "it does not answer an empty close frame" },
  "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
  ...inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no compression" }),
};

export const PEER: Peer = {
  name: "ws4py",
  version: "0.5.1",
  language: "Python",
  debian: ["python3-ws4py"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import ws4py; print(ws4py.__version__)'",
  server: {
    command: ["/usr/bin/python3", "peer.py", "server"],
    differs: {
      ...differs,
      ...inCases(["its close 1000", "its close 4999"], {
        seen: "printed nothing",
        because: "after its own close it waits for the client to end TCP",
      }),
      "TLS": { seen: "not played", because: "it waits for the socket while TLS holds bytes of it" },
    },
  },
  client: {
    command: ["/usr/bin/python3", "peer.py", "client"],
    differs,
    waitsFor: {
      line: "open",
      because: "it loses messages that come with the answer to its handshake",
      finding: "ws4py_early_messages.sh",
    },
  },
};
