import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";

/** The program of both roles. */
const PROGRAM = `
const { readFileSync } = require("node:fs");
const ws = require("nodejs-websocket");

const { PEER_PORT, PEER_URL, PEER_CERT, PEER_KEY, PEER_CA } = process.env;
ws.setMaxBufferLength(2 ** 26);

function play(connection) {
  connection.on("text", (text) => {
    const [word, code] = text.split(" ");
    if (word === "#close") connection.close(code && Number(code));
    else connection.sendText(text);
  });
  connection.on("binary", (stream) => {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => connection.sendBinary(Buffer.concat(chunks)));
  });
  connection.on("close", (code) => console.log("closed", code ?? ""));
  connection.on("error", (error) => console.error(error));
}

if (PEER_URL) play(ws.connect(PEER_URL, { ca: PEER_CA && readFileSync(PEER_CA) }));
else {
  const tls = PEER_CERT ? { secure: true, cert: readFileSync(PEER_CERT), key: readFileSync(PEER_KEY) } : {};
  ws.createServer(tls, play).listen(Number(PEER_PORT), "127.0.0.1");
}
`;

const differs = inCases(DEFLATE_CASES, { seen: "not agreed", because: "it has no compression" });

export const PEER: Peer = {
  name: "nodejs-websocket",
  version: "1.7.2",
  language: "JavaScript",
  npm: ["nodejs-websocket@1.7.2"],
  files: { "peer.cjs": PROGRAM },
  printVersion: "node -p 'require(\"nodejs-websocket/package.json\").version'",
  server: { command: ["node", "peer.cjs"], differs },
  client: { command: ["node", "peer.cjs"], differs },
};
