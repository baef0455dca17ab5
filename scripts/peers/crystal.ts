import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
require "http/server"
require "http/web_socket"
require "openssl"

STDOUT.sync = true

def prepare(socket : HTTP::WebSocket)
  socket.on_message do |text|
    if text.starts_with?("#close")
      code = text.split[1]?
      # It ends TCP at once, so that no answer is ever read.
      socket.close(code ? code.to_i : nil)
    else
      socket.send(text)
    end
  end
  socket.on_binary { |bytes| socket.send(bytes) }
  socket.on_close { |code| puts "closed #{code.value}" }
end

if ARGV[0] == "server"
  server = HTTP::Server.new([HTTP::WebSocketHandler.new { |socket| prepare(socket) }])
  port = ENV["PEER_PORT"].to_i
  if certificate = ENV["PEER_CERT"]?
    context = OpenSSL::SSL::Context::Server.new
    context.certificate_chain = certificate
    context.private_key = ENV["PEER_KEY"]
    server.bind_tls("127.0.0.1", port, context)
  else
    server.bind_tcp("127.0.0.1", port)
  end
  server.listen
else
  url = URI.parse(ENV["PEER_URL"])
  tls = nil
  if root = ENV["PEER_CA"]?
    tls = OpenSSL::SSL::Context::Client.new
    tls.ca_certificates = root
  end
  socket = HTTP::WebSocket.new(url.host.not_nil!, "/", url.port, tls)
  prepare(socket)
  socket.run
end
`;

const EMPTY_ANSWER: Difference = { seen: "answered 1005", because: "It answers each close frame with an empty one" };
const UNREAD: Difference = {
  seen: "printed 1006",
  because: "Its client ends TCP after its close frame, and reads no answer",
};
const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "ping": {
    seen: "wrong text (between fragments)",
    because: "It takes what has come of a message for the ping's payload, and leaves it out of the message",
    finding: "ping_between_fragments.sh",
  },
  "close 1000": EMPTY_ANSWER,
  "close 1001": EMPTY_ANSWER,
  "close 3000": EMPTY_ANSWER,
  "close 4999": EMPTY_ANSWER,
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

export const PEER: Peer = {
  name: "Crystal",
  version: "1.6.0",
  language: "Crystal",
  debian: ["crystal", "libssl-dev"],
  files: { "peer.cr": PROGRAM },
  build: "crystal build --release peer.cr -o peer",
  printVersion: "crystal --version",
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: {
    command: ["./peer", "client"],
    differs: { ...DIFFERS, "its close 1000": UNREAD, "its close 4999": UNREAD, "its close empty": UNREAD },
  },
};
