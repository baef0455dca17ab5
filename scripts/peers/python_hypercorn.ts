import { ASGI_APP } from "../peer_lane/asgi_app.ts";
import { LAST_OFFER } from "./python_uvicorn.ts";
import { inCases, type Peer } from "../peer_lane/peer.ts";

const SERVER = `${ASGI_APP}
import asyncio, os
from hypercorn.asyncio import serve
from hypercorn.config import Config

config = Config()
config.bind = ["127.0.0.1:" + os.environ["PEER_PORT"]]
config.certfile = os.environ.get("PEER_CERT")
config.keyfile = os.environ.get("PEER_KEY")
config.websocket_max_message_size = 2**26
config.alpn_protocols = ["http/1.1"]
config.loglevel = "warning"
asyncio.run(serve(app, config))
`;

export const PEER: Peer = {
  name: "hypercorn",
  version: "0.13.2",
  language: "Python",
  debian: ["python3-hypercorn", "python3-wsproto"],
  files: { "server.py": SERVER },
  printVersion: "dpkg-query -W -f '${Version}' python3-hypercorn",
  server: {
    command: ["/usr/bin/python3", "server.py"],
    differs: {
      ...inCases(["close 1000", "close 1001", "close 3000", "close 4999", "close empty"], {
        seen: "printed 1006",
        because: "it tells the application 1006 for each end by the client",
        finding: "hypercorn_disconnect_code.sh",
      }),
      "deflate 9 bits": LAST_OFFER,
      "its close empty": { seen: "closed 1000", because: "ASGI has no close frame without a code" },
    },
  },
};
