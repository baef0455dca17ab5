import type { Peer, PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. A server has a thread for each connection. */
const PROGRAM = String.raw`
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Plain = websocket::stream<tcp::socket>;
using Secure = websocket::stream<beast::ssl_stream<tcp::socket>>;

template <class Stream> void setUp(Stream &stream) {
  websocket::permessage_deflate deflate;
  deflate.client_enable = deflate.server_enable = !std::strcmp(std::getenv("PEER_DEFLATE"), "on");
  stream.set_option(deflate);
  stream.read_message_max(64 << 20);
  stream.auto_fragment(false);
}

template <class Stream> void echo(Stream &stream) {
  try {
    for (;;) {
      beast::flat_buffer buffer;
      stream.read(buffer);
      const std::string text = beast::buffers_to_string(beast::buffers_prefix(11, buffer.data()));
      if (stream.got_text() && text.compare(0, 6, "#close") == 0) {
        const int code = text.size() > 6 ? std::atoi(text.c_str() + 7) : int(websocket::close_code::none);
        stream.close(websocket::close_code(code)); // Reads until the answer has come.
        break;
      }
      stream.text(stream.got_text());
      stream.write(buffer.data());
    }
  } catch (const beast::system_error &error) {
    if (error.code() != websocket::error::closed) std::fprintf(stderr, "%s\n", error.what());
  }
  // 0 after an empty close frame and without one: only the code of a close frame is told.
  const int code = stream.reason().code;
  if (code == 0) std::printf("closed\n");
  else std::printf("closed %d\n", code);
  std::fflush(stdout);
}

template <class Stream> void answer(Stream stream) {
  try {
    setUp(stream);
    stream.accept();
    echo(stream);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
}

static void serve(asio::io_context &context, asio::ssl::context &tls) {
  const bool secure = std::getenv("PEER_CERT") != nullptr;
  if (secure) {
    tls.use_certificate_chain_file(std::getenv("PEER_CERT"));
    tls.use_private_key_file(std::getenv("PEER_KEY"), asio::ssl::context::pem);
  }
  const auto port = static_cast<unsigned short>(std::atoi(std::getenv("PEER_PORT")));
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), port});
  for (;;) {
    tcp::socket socket = acceptor.accept();
    std::thread([&tls, secure](tcp::socket socket) {
      if (!secure) return answer(Plain(std::move(socket)));
      Secure stream(std::move(socket), tls);
      beast::error_code failed;
      stream.next_layer().handshake(asio::ssl::stream_base::server, failed);
      if (!failed) answer(std::move(stream));
    }, std::move(socket)).detach();
  }
}

static void open(asio::io_context &context, asio::ssl::context &tls) {
  const std::string url = std::getenv("PEER_URL");
  const std::string host = url.substr(url.find("//") + 2, url.rfind('/') - url.find("//") - 2);
  const std::string name = host.substr(0, host.find(':'));
  tcp::resolver resolver(context);
  const auto addresses = resolver.resolve(name, host.substr(host.find(':') + 1));
  if (url.compare(0, 4, "wss:") != 0) {
    Plain stream(context);
    asio::connect(stream.next_layer(), addresses);
    setUp(stream);
    stream.handshake(host, "/");
    return echo(stream);
  }
  tls.load_verify_file(std::getenv("PEER_CA"));
  tls.set_verify_mode(asio::ssl::verify_peer);
  Secure stream(context, tls);
  asio::connect(beast::get_lowest_layer(stream), addresses);
  SSL_set_tlsext_host_name(stream.next_layer().native_handle(), name.c_str());
  SSL_set1_host(stream.next_layer().native_handle(), name.c_str());
  stream.next_layer().handshake(asio::ssl::stream_base::client);
  setUp(stream);
  stream.handshake(host, "/");
  echo(stream);
}

int main(int, char **argv) {
  asio::io_context context;
  asio::ssl::context tls(asio::ssl::context::tls);
  try {
    if (!std::strcmp(argv[1], "server")) serve(context, tls);
    else open(context, tls);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
`;

const DIFFERS: PeerProgram["differs"] = {
  "close empty": { seen: "answered 1000", because: "it answers an empty close frame with 1000" },
};

export const PEER: Peer = {
  name: "Boost.Beast",
  version: "1.74",
  language: "C++",
  debian: ["libboost-dev", "libssl-dev", "g++"],
  files: { "peer.cpp": PROGRAM },
  build: "g++ -O1 -o peer peer.cpp -lssl -lcrypto -lpthread",
  printVersion: `echo '#include <boost/version.hpp>\nBOOST_LIB_VERSION' | g++ -E -P - | tail -1 | tr _ .`,
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
