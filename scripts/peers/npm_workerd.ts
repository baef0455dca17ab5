import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";

const WORKER = `
function play(socket) {
  socket.accept();
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    if (typeof data !== "string" || !data.startsWith("#close")) return socket.send(data);
    const [, code] = data.split(" ");
    if (code === undefined) socket.close();
    else socket.close(Number(code));
  });
  return new Promise((resolve) =>
    socket.addEventListener("close", ({ code }) => {
      console.log("closed", code);
      resolve();
    })
  );
}

export default {
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("no WebSocket", { status: 400 });
    const [client, server] = Object.values(new WebSocketPair());
    play(server);
    return new Response(null, { status: 101, webSocket: client });
  },
  async test(_controller, { PEER_URL }) {
    const url = PEER_URL.replace(/^ws/, "http").replace("localhost", "127.0.0.1");
    const { webSocket } = await fetch(url, { headers: { upgrade: "websocket" } });
    await play(webSocket);
  },
};
`;

/** The certificate's files lie where the configuration can embed them. */
const CONFIG = `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = .network)],
  sockets = [(name = "main", address = "127.0.0.1:0", SOCKET, service = "main")],
);
const network :Workerd.Network = (allow = ["private", "public"], tlsOptions = (TRUST));
const worker :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "worker.mjs")],
  bindings = [(name = "PEER_URL", fromEnvironment = "PEER_URL")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["increase_websocket_message_size"],
);
`;

const RUN = `
set -eu
socket="http = ()" trust=""
if [ -n "\${PEER_CERT:-}" ]; then
  cp "$PEER_CERT" cert.pem && cp "$PEER_KEY" key.pem
  socket='https = (options = (), tlsOptions = (keypair = (certificateChain = embed "cert.pem", privateKey = embed "key.pem")))'
fi
if [ -n "\${PEER_CA:-}" ]; then
  cp "$PEER_CA" ca.pem
  trust='trustedCertificates = [embed "ca.pem"]'
fi
sed "s|SOCKET|$socket|; s|TRUST|$trust|" config.txt > config.capnp
case $1 in
  server) exec node_modules/.bin/workerd serve config.capnp --experimental --socket-addr "main=127.0.0.1:$PEER_PORT" ;;
  client) exec node_modules/.bin/workerd test config.capnp --experimental ;;
esac
`;

export const PEER: Peer = {
  name: "workerd",
  version: "2026-11-17",
  language: "C++",
  npm: ["workerd@1.20261117.1"],
  files: { "worker.mjs": WORKER, "config.txt": CONFIG, "run.sh": RUN },
  printVersion: "node_modules/.bin/workerd --version",
  server: { command: ["sh", "run.sh", "server"] },
  client: {
    command: ["sh", "run.sh", "client"],
    differs: inCases(DEFLATE_CASES, { seen: "not agreed", because: "its client offers none" }),
  },
};
