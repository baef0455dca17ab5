#!/usr/bin/env bash
# The Haskell package websockets compresses as a server only; the same option of its client is ignored.
#
# Version: libghc-websockets-dev 0.12.7.3, ghc 9.0.2 (both Debian 12); node.
# Expected: `connectionCompressionOptions = PermessageDeflateCompression …` of a client makes an offer, since `ConnectionOptions` is one type
# for both roles, and its documentation says "Enable 'PermessageDeflate'".
# Seen: the request of `runClientWith` has no Sec-WebSocket-Extensions; the server of the same package agrees to an offer.
# What follows from it: a client in Haskell gets no compressed messages, however it is set up.
set -euo pipefail
for package in ghc libghc-websockets-dev; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >Main.hs <<'HS'
module Main where

import Control.Concurrent (threadDelay)
import Network.WebSockets
import System.Environment (getArgs)

options :: ConnectionOptions
options = defaultConnectionOptions
    { connectionCompressionOptions = PermessageDeflateCompression defaultPermessageDeflate }

main :: IO ()
main = do
    [role, port] <- getArgs
    if role == "server"
        then runServerWithOptions
            defaultServerOptions
                { serverHost = "127.0.0.1", serverPort = read port, serverConnectionOptions = options }
            (\pending -> acceptRequest pending >> threadDelay 5000000)
        else runClientWith "127.0.0.1" (read port) "/" options [] (const (return ()))
HS
ghc -v0 -o main Main.hs
cat >server.mjs <<'JS'
import { createServer } from "node:http";
const server = createServer().on("upgrade", (request, socket) => {
  console.error(`its client offers: ${request.headers["sec-websocket-extensions"] ?? "nothing"}`);
  socket.destroy();
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
cat >client.mjs <<'JS'
import { request } from "node:http";
request({
  host: "127.0.0.1",
  port: process.argv[2],
  headers: {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-extensions": "permessage-deflate",
  },
}).on("upgrade", ({ headers }) => {
  console.log(`its server agrees to: ${headers["sec-websocket-extensions"] ?? "nothing"}`);
  process.exit(0);
}).end();
JS
node server.mjs >port 2>client.out &
until [ -s port ]; do sleep 0.1; done
./main client "$(cat port)" >/dev/null 2>&1 || true
port=$((20000 + RANDOM % 20000))
./main server "$port" >/dev/null 2>&1 &
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
seen=$(cat client.out; timeout 20 node client.mjs "$port")
echo "$seen"
[ "$seen" = "its client offers: nothing
its server agrees to: permessage-deflate" ] || { echo "The behaviour has changed" >&2; exit 1; }
