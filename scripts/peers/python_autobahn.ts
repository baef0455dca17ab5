import { inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import asyncio, os, ssl, sys
from autobahn.asyncio import websocket
from autobahn.websocket import compress

deflate = os.environ["PEER_DEFLATE"] == "on"

class Echo:
    def onMessage(self, payload, isBinary):
        if not isBinary and payload.startswith(b"#close"):
            words = payload.split()
            self.sendClose(*[int(word) for word in words[1:]])
        else:
            self.sendMessage(payload, isBinary)

    def onClose(self, wasClean, code, reason):
        print("closed", code or "", flush=True)

class Server(Echo, websocket.WebSocketServerProtocol):
    pass

class Client(Echo, websocket.WebSocketClientProtocol):
    def onClose(self, *args):
        super().onClose(*args)
        asyncio.get_running_loop().stop()

def accept_offer(offers):
    for offer in offers:
        if deflate and isinstance(offer, compress.PerMessageDeflateOffer):
            return compress.PerMessageDeflateOfferAccept(offer)

def accept_answer(answer):
    return compress.PerMessageDeflateResponseAccept(answer)

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
context = None
if sys.argv[1] == "server":
    if "PEER_CERT" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["PEER_CERT"], os.environ["PEER_KEY"])
    factory = websocket.WebSocketServerFactory(loop=loop)
    factory.protocol = Server
    factory.setProtocolOptions(perMessageCompressionAccept=accept_offer)
    loop.run_until_complete(loop.create_server(factory, "127.0.0.1", int(os.environ["PEER_PORT"]), ssl=context))
else:
    if "PEER_CA" in os.environ:
        context = ssl.create_default_context(cafile=os.environ["PEER_CA"])
    factory = websocket.WebSocketClientFactory(os.environ["PEER_URL"], loop=loop)
    factory.protocol = Client
    if deflate:
        factory.setProtocolOptions(
            perMessageCompressionOffers=[compress.PerMessageDeflateOffer()],
            perMessageCompressionAccept=accept_answer)
    loop.run_until_complete(loop.create_connection(factory, factory.host, factory.port, ssl=context))
loop.run_forever()
`;

const differs: PeerProgram["differs"] = {
  ...inCases(["close 1001", "close 3000", "close 4999", "close empty"], {
    seen: "answered 1000",
    because: "it answers with 1000, unless echoCloseCodeReason is on",
  }),
};

export const PEER: Peer = {
  name: "autobahn",
  version: "22.7.1",
  language: "Python",
  debian: ["python3-autobahn"],
  files: { "peer.py": PROGRAM },
  printVersion: "/usr/bin/python3 -c 'import autobahn; print(autobahn.__version__)'",
  server: { command: ["/usr/bin/python3", "peer.py", "server"], differs },
  client: { command: ["/usr/bin/python3", "peer.py", "client"], differs },
};
