import { DEFLATE_CASES, inCases, type Peer } from "../peer_lane/peer.ts";

/** Its server. The library gives single frames, those of the closing handshake too, and answers close frames itself. */
const PROGRAM = String.raw`
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <restinio/all.hpp>
#include <restinio/tls.hpp>
#include <restinio/websocket/websocket.hpp>
#include <string>

namespace ws = restinio::websocket::basic;

struct Session {
  ws::ws_handle_t socket;
  std::string message;
  ws::opcode_t type = ws::opcode_t::text_frame;
};

// A connection ends when its last handle is gone.
static std::map<std::uint64_t, Session> sessions;

static void take(Session &session) {
  const std::string &text = session.message;
  if (session.type != ws::opcode_t::text_frame || text.compare(0, 6, "#close") != 0) {
    session.socket->send_message(ws::message_t(ws::final_frame_flag_t::final_frame, session.type, text));
    return;
  }
  std::string code;
  if (text.size() > 6) code = ws::status_code_to_bin(ws::status_code_t(std::atoi(text.c_str() + 7)));
  session.socket->send_message(
      ws::message_t(ws::final_frame_flag_t::final_frame, ws::opcode_t::connection_close_frame, code));
  std::printf("closed\n"); // Nothing is told of an end that the program began.
  std::fflush(stdout);
}

static void on_frame(const ws::ws_handle_t &socket, const ws::message_handle_t &frame) {
  const auto found = sessions.find(socket->connection_id());
  if (found == sessions.end()) return;
  Session &session = found->second;
  switch (frame->opcode()) {
  case ws::opcode_t::ping_frame:
    socket->send_message(ws::message_t(ws::final_frame_flag_t::final_frame, ws::opcode_t::pong_frame, frame->payload()));
    return;
  case ws::opcode_t::pong_frame:
    return;
  case ws::opcode_t::connection_close_frame: // Made by the library, with 1006, if the connection was lost.
    std::printf("closed %d\n", frame->payload().size() < 2 ? 1005 : int(ws::status_code_from_bin(frame->payload())));
    std::fflush(stdout);
    sessions.erase(found);
    return;
  case ws::opcode_t::continuation_frame:
    break;
  default:
    session.type = frame->opcode();
    session.message.clear();
  }
  session.message += frame->payload();
  if (frame->is_final()) take(session);
}

template <class Traits> restinio::request_handling_status_t answer(const restinio::request_handle_t &request) {
  if (request->header().connection() != restinio::http_connection_header_t::upgrade) return restinio::request_rejected();
  const auto socket = ws::upgrade<Traits>(*request, ws::activation_t::immediate,
      [](auto socket, auto frame) { on_frame(socket, frame); });
  sessions.emplace(socket->connection_id(), Session{socket});
  return restinio::request_accepted();
}

template <class Traits, class Settings> void serve(Settings settings) {
  settings.port(std::atoi(std::getenv("PEER_PORT")));
  settings.address("127.0.0.1");
  settings.request_handler([](const restinio::request_handle_t &request) { return answer<Traits>(request); });
  restinio::run(std::move(settings));
}

int main() {
  if (std::getenv("PEER_CERT") == nullptr) {
    serve<restinio::default_single_thread_traits_t>(restinio::on_this_thread<restinio::default_single_thread_traits_t>());
    return 0;
  }
  using Secure = restinio::single_thread_tls_traits_t<restinio::asio_timer_manager_t, restinio::null_logger_t>;
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.use_certificate_chain_file(std::getenv("PEER_CERT"));
  context.use_private_key_file(std::getenv("PEER_KEY"), asio::ssl::context::pem);
  serve<Secure>(restinio::on_this_thread<Secure>().tls_context(std::move(context)));
}
`;

export const PEER: Peer = {
  name: "RESTinio",
  version: "0.6.16",
  language: "C++",
  debian: ["librestinio-dev", "libasio-dev", "libssl-dev", "g++"],
  files: { "peer.cpp": PROGRAM },
  build: "g++ -O1 -o peer peer.cpp -lhttp_parser -lfmt -lssl -lcrypto -lpthread",
  printVersion: "dpkg-query -W librestinio-dev",
  server: {
    command: ["./peer"],
    differs: inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" }),
  },
};
