import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";
import { webClient } from "../peer_lane/web_client.ts";

const SERVER = `
const { PEER_PORT, PEER_CERT, PEER_KEY } = Deno.env.toObject();
const tls = PEER_CERT && { cert: Deno.readTextFileSync(PEER_CERT), key: Deno.readTextFileSync(PEER_KEY) };
Deno.serve({ port: Number(PEER_PORT), hostname: "127.0.0.1", onListen() {}, ...tls }, (request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("no WebSocket", { status: 400 });
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string" || !data.startsWith("#close")) return socket.send(data);
    const [, code] = data.split(" ");
    if (code === undefined) socket.close();
    else socket.close(Number(code));
  };
  socket.onclose = ({ code }) => console.log("closed", code);
  return response;
});
`;

const differs = inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no compression" });

export const PEER: Peer = {
  name: "Deno",
  version: "2.9.6",
  language: "Rust",
  npm: ["deno@2.9.6"],
  files: { "server.mjs": SERVER, "client.mjs": webClient() },
  printVersion: "node_modules/.bin/deno --version",
  server: { command: ["node_modules/.bin/deno", "run", "-A", "server.mjs"], differs },
  client: {
    command: [
      "sh",
      "-c",
      '[ -z "$PEER_CA" ] || export DENO_CERT="$PEER_CA"; exec node_modules/.bin/deno run -A client.mjs',
    ],
    differs,
  },
};
