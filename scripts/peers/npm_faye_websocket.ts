import type { Peer, PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const WebSocket = require("faye-websocket");
const deflate = require("permessage-deflate");

const { PEER_PORT, PEER_URL, PEER_CERT, PEER_KEY, PEER_CA, PEER_DEFLATE } = process.env;
const options = { maxLength: 2 ** 26, extensions: PEER_DEFLATE === "on" ? [deflate] : [] };

function play(socket) {
  socket.on("message", ({ data }) => {
    const [word, code] = typeof data === "string" ? data.split(" ") : [];
    if (word === "#close") socket.close(code && Number(code));
    else socket.send(data);
  });
  socket.on("close", ({ code }) => console.log("closed", code));
  socket.on("error", ({ message }) => console.error(message));
}

if (PEER_URL) play(new WebSocket.Client(PEER_URL, [], { ...options, tls: { ca: PEER_CA && readFileSync(PEER_CA) } }));
else {
  const server = PEER_CERT
    ? https.createServer({ cert: readFileSync(PEER_CERT), key: readFileSync(PEER_KEY) })
    : http.createServer();
  server.on("upgrade", (request, socket, head) => play(new WebSocket(request, socket, head, [], options)));
  server.listen(Number(PEER_PORT), "127.0.0.1");
}
`;

const differs: PeerProgram["differs"] = {
  "close empty": { seen: "answered 1000", because: "it takes an empty close frame for 1000" },
  "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
};

export const PEER: Peer = {
  name: "faye-websocket (npm)",
  version: "0.11.4",
  language: "JavaScript",
  npm: ["faye-websocket@0.11.4", "websocket-driver@0.7.4", "permessage-deflate@0.1.7"],
  files: { "peer.cjs": PROGRAM },
  printVersion: "node -p 'require(\"faye-websocket/package.json\").version'",
  server: { command: ["node", "peer.cjs"], differs },
  client: { command: ["node", "peer.cjs"], differs },
};
