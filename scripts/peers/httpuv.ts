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

export const PEER: Peer = {
  name: "httpuv",
  version: "1.6.9",
  language: "R",
  debian: ["r-base-core", "r-cran-httpuv"],
  files: { "peer.R": PROGRAM },
  printVersion: "dpkg-query -W r-cran-httpuv",
  server: { command: ["Rscript", "peer.R"] },
};
