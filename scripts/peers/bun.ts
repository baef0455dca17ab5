import type { Peer } from "../peer_lane/peer.ts";
import { webClient } from "../peer_lane/web_client.ts";

const SERVER = `
const { PEER_PORT, PEER_CERT, PEER_KEY, PEER_DEFLATE } = process.env;
Bun.serve({
  port: Number(PEER_PORT),
  hostname: "127.0.0.1",
  tls: PEER_CERT && { cert: Bun.file(PEER_CERT), key: Bun.file(PEER_KEY) },
  fetch: (request, server) => server.upgrade(request) ? undefined : new Response("no WebSocket", { status: 400 }),
  websocket: {
    maxPayloadLength: 2 ** 26,
    backpressureLimit: 2 ** 26,
    perMessageDeflate: PEER_DEFLATE === "on",
    message(socket, data) {
      if (typeof data !== "string" || !data.startsWith("#close")) return void socket.send(data, true);
      const [, code] = data.split(" ");
      if (code === undefined) socket.close();
      else socket.close(Number(code));
    },
    close: (_socket, code) => console.log("closed", code),
  },
});
`;

const IMPORTS = `const { PEER_CA } = process.env;`;

export const PEER: Peer = {
  name: "Bun",
  version: "1.4.5",
  language: "Zig, C++",
  npm: ["bun@1.4.5"],
  files: { "server.mjs": SERVER, "client.mjs": webClient(IMPORTS, "{ tls: PEER_CA && { ca: Bun.file(PEER_CA) } }") },
  printVersion: "node_modules/.bin/bun --version",
  server: {
    command: ["node_modules/.bin/bun", "server.mjs"],
    differs: {
      "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
      "deflate 9 bits": {
        seen: "agreed 15 bits",
        because: "it declines offers with another window, and takes the one without",
      },
    },
  },
  client: { command: ["node_modules/.bin/bun", "client.mjs"] },
};
