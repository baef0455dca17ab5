import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The server: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
library(httpuv)

runServer("127.0.0.1", as.integer(Sys.getenv("PEER_PORT")), list(
  onWSOpen = function(socket) {
    socket$onMessage(function(isBinary, message) {
      if (!isBinary && startsWith(message, "#close")) {
        words <- strsplit(message, " ")[[1]]
        if (length(words) > 1) socket$close(as.integer(words[2]))
        else socket$close()
      } else {
        socket$send(message)
      }
    })
    socket$onClose(function() {
      cat("closed\n")
      flush(stdout())
    })
  }
))
`;

const NO_ANSWER: Difference = {
  seen: "no close frame",
  because: "It ends TCP after a close frame, without an answer",
};
const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

export const PEER: Peer = {
  name: "httpuv",
  version: "1.6.9",
  language: "R",
  debian: ["r-base-core", "r-cran-httpuv"],
  files: { "peer.R": PROGRAM },
  printVersion: "dpkg-query -W r-cran-httpuv",
  server: {
    command: ["Rscript", "peer.R"],
    differs: {
      "close 1000": NO_ANSWER,
      "close 1001": NO_ANSWER,
      "close 3000": NO_ANSWER,
      "close 4999": NO_ANSWER,
      "close empty": NO_ANSWER,
      "its close empty": {
        seen: "closed 1000",
        because: "It has no call for an empty close frame: close() sends 1000",
      },
      "deflate": WITHOUT_COMPRESSION,
      "deflate no takeover": WITHOUT_COMPRESSION,
      "deflate 9 bits": WITHOUT_COMPRESSION,
      "TLS": { seen: "not open: ERR_CONNECT", because: "It knows no TLS" },
    },
  },
};
