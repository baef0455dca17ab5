import type { Peer, PeerProgram } from "../peer_lane/peer.ts";

/** What both roles do with a connection. */
const SHARED = String.raw`
#include <cstdio>
#include <cstdlib>
#include <string>
#include <websocketpp/close.hpp>
#include <websocketpp/config/asio.hpp>
#include <websocketpp/config/asio_client.hpp>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>

using Deflate = websocketpp::extensions::permessage_deflate::enabled<
    websocketpp::config::core::permessage_deflate_config>;

// Over TLS nothing is compressed: the lane has no such case.
struct PlainServer : websocketpp::config::asio { using permessage_deflate_type = Deflate; };
struct PlainClient : websocketpp::config::asio_client { using permessage_deflate_type = Deflate; };
using TlsServer = websocketpp::config::asio_tls;
using TlsClient = websocketpp::config::asio_tls_client;

template <class Endpoint> void setUp(Endpoint &endpoint) {
  using Message = typename Endpoint::message_ptr;
  endpoint.clear_access_channels(websocketpp::log::alevel::all);
  endpoint.clear_error_channels(websocketpp::log::elevel::all);
  endpoint.set_max_message_size(64 << 20);
  endpoint.init_asio();
  endpoint.set_message_handler([&endpoint](websocketpp::connection_hdl handle, Message message) {
    const std::string &payload = message->get_payload();
    const bool text = message->get_opcode() == websocketpp::frame::opcode::text;
    if (text && payload.compare(0, 6, "#close") == 0) {
      const int code = payload.size() > 6 ? std::atoi(payload.c_str() + 7) : websocketpp::close::status::no_status;
      endpoint.close(handle, code, "");
    } else {
      endpoint.send(handle, payload, message->get_opcode());
    }
  });
  endpoint.set_close_handler([&endpoint](websocketpp::connection_hdl handle) {
    std::printf("closed %d\n", endpoint.get_con_from_hdl(handle)->get_remote_close_code());
    std::fflush(stdout);
  });
}
`;

const SERVER = String.raw`
#include "shared.hpp"
#include <websocketpp/server.hpp>

template <class Endpoint> void run(Endpoint &endpoint) {
  setUp(endpoint);
  endpoint.set_reuse_addr(true);
  endpoint.listen("127.0.0.1", std::getenv("PEER_PORT"));
  endpoint.start_accept();
  endpoint.run();
}

int main() {
  if (std::getenv("PEER_CERT") == nullptr) {
    websocketpp::server<PlainServer> endpoint;
    run(endpoint);
  } else {
    websocketpp::server<TlsServer> endpoint;
    endpoint.set_tls_init_handler([](websocketpp::connection_hdl) {
      auto context = websocketpp::lib::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls);
      context->use_certificate_chain_file(std::getenv("PEER_CERT"));
      context->use_private_key_file(std::getenv("PEER_KEY"), boost::asio::ssl::context::pem);
      return context;
    });
    run(endpoint);
  }
}
`;

const CLIENT = String.raw`
#include "shared.hpp"
#include <websocketpp/client.hpp>

template <class Endpoint> void run(Endpoint &endpoint) {
  setUp(endpoint);
  websocketpp::lib::error_code error;
  endpoint.set_fail_handler([&endpoint](websocketpp::connection_hdl handle) {
    std::fprintf(stderr, "%s\n", endpoint.get_con_from_hdl(handle)->get_ec().message().c_str());
  });
  endpoint.connect(endpoint.get_connection(std::getenv("PEER_URL"), error));
  endpoint.run();
}

int main() {
  if (std::getenv("PEER_CA") == nullptr) {
    websocketpp::client<PlainClient> endpoint;
    run(endpoint);
  } else {
    websocketpp::client<TlsClient> endpoint;
    endpoint.set_tls_init_handler([](websocketpp::connection_hdl) {
      auto context = websocketpp::lib::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls);
      context->load_verify_file(std::getenv("PEER_CA"));
      context->set_verify_mode(boost::asio::ssl::verify_peer);
      context->set_verify_callback(boost::asio::ssl::rfc2818_verification("localhost"));
      return context;
    });
    run(endpoint);
  }
}
`;

const DIFFERS: PeerProgram["differs"] = {
  "close empty": { seen: "answered 1000", because: "it answers an empty close frame with 1000" },
};

export const PEER: Peer = {
  name: "websocketpp",
  version: "0.8.2",
  language: "C++",
  debian: ["libwebsocketpp-dev", "libboost-system-dev", "libssl-dev", "zlib1g-dev", "g++"],
  files: { "shared.hpp": SHARED, "server.cpp": SERVER, "client.cpp": CLIENT },
  build: "for role in server client; do g++ -O1 -o $role $role.cpp -lssl -lcrypto -lz -lpthread || exit 1; done",
  printVersion: "dpkg-query -W libwebsocketpp-dev",
  server: { command: ["./server"], differs: DIFFERS },
  client: { command: ["./client"], differs: DIFFERS },
};
