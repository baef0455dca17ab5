import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { client: Client, server: Server } = require("websocket");

const { PEER_PORT, PEER_URL, PEER_CERT, PEER_KEY, PEER_CA } = process.env;
const limits = { maxReceivedFrameSize: 2 ** 26, maxReceivedMessageSize: 2 ** 26 };

function play(connection) {
  connection.on("message", ({ type, utf8Data, binaryData }) => {
    const [word, code] = type === "utf8" ? utf8Data.split(" ") : [];
    if (word === "#close") connection.close(code && Number(code));
    else if (type === "utf8") connection.sendUTF(utf8Data);
    else connection.sendBytes(binaryData);
  });
  connection.on("close", (code) => console.log("closed", code));
  connection.on("error", (error) => console.error(error));
}

if (PEER_URL) {
  const client = new Client({ ...limits, tlsOptions: { ca: PEER_CA && readFileSync(PEER_CA) } });
  client.on("connect", play);
  client.on("connectFailed", (error) => console.error(error));
  client.connect(PEER_URL);
} else {
  const httpServer = PEER_CERT
    ? https.createServer({ cert: readFileSync(PEER_CERT), key: readFileSync(PEER_KEY) })
    : http.createServer();
  new Server({ httpServer, autoAcceptConnections: true, ...limits }).on("connect", play);
  httpServer.listen(Number(PEER_PORT), "127.0.0.1");
}
`;

const differs: PeerProgram["differs"] = {
  ...inCases(["close 1001", "close 3000", "close 4999", "close empty"], {
    seen: "answered 1000",
    because: "it answers all close frames with 1000",
  }),
  "its close empty": { seen: "closed 1000", because: "close() always sends a code" },
  ...inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no compression" }),
};

export const PEER: Peer = {
  name: "websocket",
  version: "1.0.35",
  language: "JavaScript",
  npm: ["websocket@1.0.35"],
  files: { "peer.cjs": PROGRAM },
  printVersion: "node -p 'require(\"websocket/package.json\").version'",
  server: { command: ["node", "peer.cjs"], differs },
  client: { command: ["node", "peer.cjs"], differs },
};
