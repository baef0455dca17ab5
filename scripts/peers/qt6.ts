import type { Peer } from "../peer_lane/peer.ts";
import { PEER as QT5 } from "./qt5.ts";

/**
 * The program of Qt 5, with the other library, which closes with 1007 when a text is cut inside a code point: see
 * `findings/qt6_cut_text.sh`. Our side cuts between code points.
 */
export const PEER: Peer = {
  ...QT5,
  name: "Qt 6",
  version: "6.4.2",
  debian: ["qt6-websockets-dev", "g++", "pkg-config"],
  build: "g++ -O1 -fPIC -o peer peer.cpp $(pkg-config --cflags --libs Qt6WebSockets)",
  printVersion: "dpkg-query -W libqt6websockets6",
};
