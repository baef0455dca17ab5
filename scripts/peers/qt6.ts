import type { Peer } from "../peer_lane/peer.ts";
import { DIFFERS, PEER as QT5 } from "./qt5.ts";

const CUT = "text in a frame that ends inside a code point is taken for invalid";

/** The program of Qt 5, with the other library. */
export const PEER: Peer = {
  ...QT5,
  name: "Qt 6",
  version: "6.4.2",
  debian: ["qt6-websockets-dev", "g++", "pkg-config"],
  build: "g++ -O1 -fPIC -o peer peer.cpp $(pkg-config --cflags --libs Qt6WebSockets)",
  printVersion: "dpkg-query -W libqt6websockets6",
  server: {
    ...QT5.server!,
    differs: {
      ...DIFFERS,
      "fragments": { seen: "closed 1007 (split text)", because: CUT, finding: "qt6_cut_text.sh" },
    },
  },
  client: {
    ...QT5.client!,
    differs: {
      ...DIFFERS,
      "fragments": { seen: "closed 1006 (split text)", because: CUT, finding: "qt6_cut_text.sh" },
    },
  },
};
