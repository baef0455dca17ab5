import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocket, WebSocketServer } from "ws";

const { PEER_PORT, PEER_URL, PEER_CERT, PEER_KEY, PEER_CA, PEER_DEFLATE } = process.env;
const options = { maxPayload: 2 ** 26, perMessageDeflate: PEER_DEFLATE === "on" };

function play(socket) {
  socket.on("message", (data, isBinary) => {
    const [word, code] = isBinary ? [] : data.toString().split(" ");
    if (word === "#close") socket.close(code && Number(code));
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (code) => console.log("closed", code));
  socket.on("error", (error) => console.error(error.message));
}

if (PEER_URL) play(new WebSocket(PEER_URL, { ...options, ca: PEER_CA && readFileSync(PEER_CA) }));
else {
  const server = PEER_CERT
    ? createSecureServer({ cert: readFileSync(PEER_CERT), key: readFileSync(PEER_KEY) })
    : createServer();
  new WebSocketServer({ server, ...options }).on("connection", play);
  server.listen(Number(PEER_PORT), "127.0.0.1");
}
`;

export const PEER: Peer = {
  name: "ws",
  version: "8.23.0",
  language: "JavaScript",
  npm: ["ws@8.23.0"],
  files: { "peer.mjs": PROGRAM },
  printVersion: "node -p 'require(\"ws/package.json\").version'",
  server: { command: ["node", "peer.mjs"] },
  client: { command: ["node", "peer.mjs"] },
};
