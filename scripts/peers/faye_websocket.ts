import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
require "faye/websocket"
require "eventmachine"

OPTIONS = { max_length: 2**26 }
$stdout.sync = true

def echo(socket, &ended)
  socket.on :message do |event|
    data = event.data
    if data.is_a?(String) && data.start_with?("#close")
      code = data.split[1]
      code ? socket.close(Integer(code), "") : socket.close
    else
      socket.send(data)
    end
  end
  socket.on :error do |event|
    warn event.message
  end
  socket.on :close do |event|
    puts "closed #{event.code}"
    ended&.call
  end
end

def serve
  require "thin"
  Faye::WebSocket.load_adapter("thin")
  app = lambda do |env|
    next [400, {}, []] unless Faye::WebSocket.websocket?(env)
    socket = Faye::WebSocket.new(env, [], OPTIONS)
    echo(socket)
    socket.rack_response
  end
  Thin::Logging.silent = true
  server = Thin::Server.new("127.0.0.1", Integer(ENV["PEER_PORT"]), app, signals: false)
  if ENV["PEER_CERT"]
    server.ssl = true
    server.ssl_options = { private_key_file: ENV["PEER_KEY"], cert_chain_file: ENV["PEER_CERT"] }
  end
  server.start
end

def connect
  EM.run do
    options = ENV["PEER_CA"] ? OPTIONS.merge(tls: { root_cert_file: ENV["PEER_CA"] }) : OPTIONS
    echo(Faye::WebSocket::Client.new(ENV["PEER_URL"], [], options)) { EM.stop }
  end
end

ARGV[0] == "server" ? serve : connect
`;

const WITHOUT_COMPRESSION: Difference = {
  seen: "not agreed",
  because: "It has no extensions of its own, and Debian has no package of permessage_deflate",
};

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "close empty": { seen: "answered 1000", because: "It answers an empty close frame with 1000" },
  "its close empty": { seen: "closed 1000", because: "It has no call for an empty close frame: close() sends 1000" },
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

export const PEER: Peer = {
  name: "faye-websocket (Ruby)",
  version: "0.11.0",
  language: "Ruby",
  debian: ["ruby", "ruby-faye-websocket", "thin"],
  files: { "peer.rb": PROGRAM },
  printVersion: "dpkg-query -W ruby-faye-websocket",
  server: { command: ["ruby", "peer.rb", "server"], differs: DIFFERS },
  client: { command: ["ruby", "peer.rb", "client"], differs: DIFFERS },
};
