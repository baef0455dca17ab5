import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/**
 * The program of both roles: the argument is the role. `receiveFrame` gives single frames: fragments are put together
 * and pings answered here, as its documentation asks.
 */
const PROGRAM = String.raw`
#include <Poco/Buffer.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/WebSocket.h>
#include <Poco/URI.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

using namespace Poco::Net;

static int send(WebSocket &socket, const char *data, int size, int opcode) {
  return socket.sendFrame(data, size, WebSocket::FRAME_FLAG_FIN | opcode);
}

static int codeOf(const Poco::Buffer<char> &payload) {
  if (payload.size() < 2) return WebSocket::WS_RESERVED_NO_STATUS_CODE;
  return (static_cast<unsigned char>(payload[0]) << 8) | static_cast<unsigned char>(payload[1]);
}

static int echo(WebSocket &socket) {
  Poco::Buffer<char> message(0);
  int type = 0;
  bool closing = false;
  for (;;) {
    Poco::Buffer<char> payload(0);
    int flags = 0;
    // A closed socket gives a size of 0 and flags of 0.
    if (socket.receiveFrame(payload, flags) == 0 && flags == 0) return WebSocket::WS_RESERVED_ABNORMAL_CLOSE;
    switch (flags & WebSocket::FRAME_OP_BITMASK) {
    case WebSocket::FRAME_OP_PING:
      send(socket, payload.begin(), payload.size(), WebSocket::FRAME_OP_PONG);
      continue;
    case WebSocket::FRAME_OP_PONG:
      continue;
    case WebSocket::FRAME_OP_CLOSE:
      if (!closing) send(socket, payload.begin(), payload.size(), WebSocket::FRAME_OP_CLOSE);
      return codeOf(payload);
    case WebSocket::FRAME_OP_CONT:
      break;
    default:
      type = flags & WebSocket::FRAME_OP_BITMASK;
    }
    message.append(payload);
    if ((flags & WebSocket::FRAME_FLAG_FIN) == 0) continue;
    if (type == WebSocket::FRAME_OP_TEXT && message.size() >= 6 && !std::memcmp(message.begin(), "#close", 6)) {
      closing = true;
      if (message.size() == 6) send(socket, "", 0, WebSocket::FRAME_OP_CLOSE);
      else socket.shutdown(std::atoi(std::string(message.begin() + 7, message.size() - 7).c_str()));
    } else {
      send(socket, message.begin(), message.size(), type);
    }
    message.resize(0);
  }
}

static void take(WebSocket &socket) {
  socket.setMaxPayloadSize(64 << 20);
  socket.setReceiveTimeout(Poco::Timespan(60, 0));
  int code = WebSocket::WS_RESERVED_ABNORMAL_CLOSE;
  try {
    code = echo(socket);
  } catch (const Poco::Exception &error) {
    std::fprintf(stderr, "%s\n", error.displayText().c_str());
  }
  std::printf("closed %d\n", code);
  std::fflush(stdout);
}

struct Handler : HTTPRequestHandler {
  void handleRequest(HTTPServerRequest &request, HTTPServerResponse &response) override {
    WebSocket socket(request, response);
    take(socket);
  }
};

struct Factory : HTTPRequestHandlerFactory {
  HTTPRequestHandler *createRequestHandler(const HTTPServerRequest &) override { return new Handler; }
};

static void serve() {
  const SocketAddress address(std::string("127.0.0.1:") + std::getenv("PEER_PORT"));
  ServerSocket socket;
  if (const char *certificate = std::getenv("PEER_CERT")) {
    Context::Ptr context(new Context(Context::TLS_SERVER_USE, std::getenv("PEER_KEY"), certificate, "", Context::VERIFY_NONE));
    socket = SecureServerSocket(address, 64, context);
  } else {
    socket = ServerSocket(address);
  }
  HTTPServer server(new Factory, socket, new HTTPServerParams);
  server.start();
  for (;;) Poco::Thread::sleep(3600'000);
}

static void open() {
  const Poco::URI uri(std::getenv("PEER_URL"));
  std::unique_ptr<HTTPClientSession> session;
  if (const char *root = std::getenv("PEER_CA")) {
    Context::Ptr context(new Context(Context::TLS_CLIENT_USE, root, Context::VERIFY_STRICT));
    session.reset(new HTTPSClientSession(uri.getHost(), uri.getPort(), context));
  } else {
    session.reset(new HTTPClientSession(uri.getHost(), uri.getPort()));
  }
  HTTPRequest request(HTTPRequest::HTTP_GET, "/", HTTPMessage::HTTP_1_1);
  HTTPResponse response;
  WebSocket socket(*session, request, response);
  take(socket);
}

int main(int, char **argv) {
  initializeSSL();
  try {
    if (!std::strcmp(argv[1], "server")) serve();
    else open();
  } catch (const Poco::Exception &error) {
    std::fprintf(stderr, "%s\n", error.displayText().c_str());
    return 1;
  }
  return 0;
}
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });

const DIFFERS: PeerProgram["differs"] = {
  "fragments": {
    seen: "closed 1006 (empty fragments)",
    because: "an empty continuation frame looks like the end of the connection",
    finding: "poco_empty_continuation.sh",
  },
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "POCO",
  version: "1.11.0",
  language: "C++",
  debian: ["libpoco-dev", "libssl-dev", "g++"],
  files: { "peer.cpp": PROGRAM },
  build: "g++ -O1 -o peer peer.cpp -lPocoNetSSL -lPocoNet -lPocoCrypto -lPocoUtil -lPocoFoundation -lssl -lcrypto",
  printVersion: "dpkg-query -W libpoconet80",
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
