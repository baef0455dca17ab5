import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";
import { webClient } from "../peer_lane/web_client.ts";

export const PEER: Peer = {
  name: "Node",
  version: "22.23.3",
  language: "JavaScript",
  npm: ["node@22.23.3"],
  files: { "client.mjs": webClient() },
  printVersion: "node_modules/.bin/node --version",
  client: {
    command: ["sh", "-c", 'NODE_EXTRA_CA_CERTS="$PEER_CA" exec node_modules/.bin/node client.mjs'],
    differs: inCases(DEFLATE_CASES, { seen: "not compressed", because: "it only decompresses" }),
  },
};
