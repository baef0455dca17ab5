import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The server: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
require "em-websocket"

$stdout.sync = true
EM::WebSocket.max_frame_size = 2**26
options = { host: "127.0.0.1", port: Integer(ENV["PEER_PORT"]) }
if ENV["PEER_CERT"]
  options[:secure] = true
  options[:tls_options] = { private_key_file: ENV["PEER_KEY"], cert_chain_file: ENV["PEER_CERT"] }
end

EM.run do
  EM::WebSocket.start(options) do |socket|
    is_open = false
    socket.onopen { is_open = true }
    socket.onmessage do |text|
      if text.start_with?("#close")
        code = text.split[1]
        socket.close(code && Integer(code))
      else
        socket.send_text(text)
      end
    end
    socket.onbinary { |bytes| socket.send_binary(bytes) }
    socket.onerror { |error| warn error.message }
    socket.onclose { |event| puts "closed #{event[:code]}" if is_open }
  end
end
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

export const PEER: Peer = {
  name: "em-websocket",
  version: "0.5.1",
  language: "Ruby",
  debian: ["ruby", "ruby-em-websocket"],
  files: { "peer.rb": PROGRAM },
  printVersion: "dpkg-query -W ruby-em-websocket",
  server: {
    command: ["ruby", "peer.rb"],
    differs: {
      "close empty": { seen: "answered 1000", because: "It answers an empty close frame with 1000" },
      "deflate": WITHOUT_COMPRESSION,
      "deflate no takeover": WITHOUT_COMPRESSION,
      "deflate 9 bits": WITHOUT_COMPRESSION,
    },
  },
};
