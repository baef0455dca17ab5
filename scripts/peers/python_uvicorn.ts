import { ASGI_APP } from "../peer_lane/asgi_app.ts";
import type { Difference, Peer, PeerProgram } from "../peer_lane/peer.ts";

const SERVER = `${ASGI_APP}
import os, sys
import uvicorn

uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), ws=sys.argv[1], ws_max_size=2**26,
    ssl_certfile=os.environ.get("PEER_CERT"), ssl_keyfile=os.environ.get("PEER_KEY"), log_level="warning",
    ws_ping_interval=None)
`;

/** Difference of wsproto, which other servers are built on too. */
export const LAST_OFFER: Difference = {
  seen: "agreed 15 bits",
  because: "wsproto takes the last of several offers",
  finding: "wsproto_last_offer.sh",
};

/** The same for both implementations that it can use. */
export const differs: PeerProgram["differs"] = {
  "its close empty": { seen: "closed 1000", because: "ASGI has no close frame without a code" },
};

export const PEER: Peer = {
  name: "uvicorn",
  version: "0.17.6",
  language: "Python",
  debian: ["python3-uvicorn", "python3-websockets"],
  files: { "server.py": SERVER },
  printVersion: "/usr/bin/python3 -c 'import uvicorn; print(uvicorn.__version__)'",
  server: { command: ["/usr/bin/python3", "server.py", "websockets"], differs },
};
