import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
{-# LANGUAGE OverloadedStrings #-}
module Main where

import Control.Exception (try)
import qualified Data.ByteString.Lazy.Char8 as Lazy
import Network.WebSockets
import System.Environment (getArgs, getEnv)
import System.IO (BufferMode (LineBuffering), hSetBuffering, stdout)

echo :: Connection -> IO ()
echo connection = do
    received <- try (receiveDataMessage connection)
    case received of
        Left (CloseRequest code _) -> putStrLn ("closed " ++ show code)
        Left _ -> putStrLn "closed 1006"
        Right (Text bytes _) | Lazy.isPrefixOf "#close" bytes -> do
            case Lazy.words bytes of
                [_, code] -> sendCloseCode connection (read (Lazy.unpack code)) ("" :: Lazy.ByteString)
                _ -> sendClose connection ("" :: Lazy.ByteString)
            echo connection
        Right message -> do
            _ <- try (sendDataMessage connection message) :: IO (Either ConnectionException ())
            echo connection

options :: IO ConnectionOptions
options = do
    deflate <- getEnv "PEER_DEFLATE"
    return defaultConnectionOptions
        { connectionCompressionOptions =
            if deflate == "on" then PermessageDeflateCompression defaultPermessageDeflate else NoCompression
        , connectionFramePayloadSizeLimit = SizeLimit (2 ^ (26 :: Int))
        , connectionMessageDataSizeLimit = SizeLimit (2 ^ (26 :: Int))
        }

main :: IO ()
main = do
    hSetBuffering stdout LineBuffering
    connectionOptions <- options
    [role] <- getArgs
    if role == "server"
        then do
            port <- read <$> getEnv "PEER_PORT"
            runServerWithOptions
                defaultServerOptions
                    { serverHost = "127.0.0.1"
                    , serverPort = port
                    , serverConnectionOptions = connectionOptions
                    }
                (\pending -> acceptRequest pending >>= echo)
        else do
            url <- getEnv "PEER_URL"
            let port = read (takeWhile (/= '/') (drop (length ("ws://localhost:" :: String)) url))
            runClientWith "localhost" port "/" connectionOptions [] echo
`;

const NOT_OFFERED: Difference = {
  seen: "not agreed",
  because: "Its client offers no extension, even when asked to",
  finding: "haskell_client_deflate.sh",
};

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "close empty": { seen: "answered 1000", because: "It takes an empty close frame for one with 1000" },
  "its close empty": { seen: "closed 1000", because: "It has no call for an empty close frame: sendClose sends 1000" },
};
const WITHOUT_TLS = "It knows no TLS; other packages add it";

export const PEER: Peer = {
  name: "websockets (Haskell)",
  version: "0.12.7.3",
  language: "Haskell",
  debian: ["ghc", "libghc-websockets-dev"],
  files: { "Peer.hs": PROGRAM },
  build: "ghc -v0 -O1 -threaded -o peer Peer.hs",
  printVersion: "dpkg-query -W libghc-websockets-dev",
  server: {
    command: ["./peer", "server"],
    differs: { ...DIFFERS, "TLS": { seen: "not open: ERR_CONNECT", because: WITHOUT_TLS } },
  },
  client: {
    command: ["./peer", "client"],
    differs: {
      ...DIFFERS,
      "deflate": NOT_OFFERED,
      "deflate no takeover": NOT_OFFERED,
      "deflate 9 bits": NOT_OFFERED,
      "TLS": { seen: "does not connect", because: WITHOUT_TLS },
    },
  },
};
