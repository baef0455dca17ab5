import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";
import { webClient } from "../peer_lane/web_client.ts";

const IMPORTS = `import { readFileSync } from "node:fs";
import { Agent, WebSocket } from "undici";

const { PEER_CA } = process.env;
const dispatcher = new Agent({ connect: { ca: PEER_CA && readFileSync(PEER_CA) } });`;

export const PEER: Peer = {
  name: "undici",
  version: "8.13.1",
  language: "JavaScript",
  npm: ["undici@8.13.1", "node@24.21.0"],
  files: { "client.mjs": webClient(IMPORTS, "{ dispatcher }") },
  printVersion: "node -p 'require(\"undici/package.json\").version'",
  client: {
    command: ["node_modules/.bin/node", "client.mjs"],
    differs: inCases(DEFLATE_CASES, { seen: "not compressed", because: "it only decompresses" }),
  },
};
