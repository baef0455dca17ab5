import { DEFLATE_CASES, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles: the argument is the role. */
const PROGRAM = String.raw`
#include <QtCore/QtCore>
#include <QtNetwork/QtNetwork>
#include <QtWebSockets/QtWebSockets>
#include <cstdio>
#include <cstdlib>

static const quint64 LIMIT = 64 << 20;

static void take(QWebSocket *socket) {
  socket->setMaxAllowedIncomingFrameSize(LIMIT);
  socket->setMaxAllowedIncomingMessageSize(LIMIT);
  QObject::connect(socket, &QWebSocket::textMessageReceived, socket, [socket](const QString &text) {
    if (!text.startsWith("#close")) socket->sendTextMessage(text);
    else if (text.size() == 6) socket->close(); // 1000: no other value of the enumeration stands for none.
    else socket->close(QWebSocketProtocol::CloseCode(text.mid(7).toInt()));
  });
  QObject::connect(socket, &QWebSocket::binaryMessageReceived, socket, [socket](const QByteArray &bytes) {
    socket->sendBinaryMessage(bytes);
  });
  QObject::connect(socket, &QWebSocket::disconnected, socket, [socket] {
    std::printf("closed %d\n", int(socket->closeCode()));
    std::fflush(stdout);
    socket->deleteLater();
  });
}

static QByteArray contentOf(const QByteArray &path) {
  QFile file(QString::fromLocal8Bit(path));
  if (!file.open(QIODevice::ReadOnly)) qFatal("cannot read %s", path.constData());
  return file.readAll();
}

static void serve(QCoreApplication &app) {
  const bool tls = qEnvironmentVariableIsSet("PEER_CERT");
  auto *server = new QWebSocketServer("peer", tls ? QWebSocketServer::SecureMode : QWebSocketServer::NonSecureMode, &app);
  if (tls) {
    QSslConfiguration configuration = QSslConfiguration::defaultConfiguration();
    configuration.setLocalCertificateChain(QSslCertificate::fromData(contentOf(qgetenv("PEER_CERT"))));
    const QByteArray key = contentOf(qgetenv("PEER_KEY"));
    QSslKey rsa(key, QSsl::Rsa), ec(key, QSsl::Ec);
    configuration.setPrivateKey(rsa.isNull() ? ec : rsa);
    server->setSslConfiguration(configuration);
  }
  QObject::connect(server, &QWebSocketServer::newConnection, server, [server] { take(server->nextPendingConnection()); });
  if (!server->listen(QHostAddress::LocalHost, quint16(qgetenv("PEER_PORT").toInt()))) qFatal("cannot listen");
}

static void openConnection(QCoreApplication &app) {
  auto *socket = new QWebSocket(QString(), QWebSocketProtocol::VersionLatest, &app);
  if (qEnvironmentVariableIsSet("PEER_CA")) {
    QSslConfiguration configuration = QSslConfiguration::defaultConfiguration();
    configuration.setCaCertificates(QSslCertificate::fromData(contentOf(qgetenv("PEER_CA"))));
    socket->setSslConfiguration(configuration);
  }
  take(socket);
  QObject::connect(socket, &QWebSocket::disconnected, &app, &QCoreApplication::quit, Qt::QueuedConnection);
  socket->open(QUrl(QString::fromLocal8Bit(qgetenv("PEER_URL"))));
}

int main(int argc, char **argv) {
  QCoreApplication app(argc, argv);
  if (!qstrcmp(argv[1], "server")) serve(app);
  else openConnection(app);
  return app.exec();
}
`;

const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });

const DIFFERS: PeerProgram["differs"] = {
  "close empty": { seen: "answered 1000", because: "it answers an empty close frame with 1000" },
  "its close empty": { seen: "closed 1000", because: "close() sends a code always" },
  ...NO_COMPRESSION,
};

export const PEER: Peer = {
  name: "Qt 5",
  version: "5.15.8",
  language: "C++",
  debian: ["libqt5websockets5-dev", "g++", "pkg-config"],
  files: { "peer.cpp": PROGRAM },
  build: "g++ -O1 -fPIC -o peer peer.cpp $(pkg-config --cflags --libs Qt5WebSockets)",
  printVersion: "dpkg-query -W libqt5websockets5",
  server: { command: ["./peer", "server"], differs: DIFFERS },
  client: { command: ["./peer", "client"], differs: DIFFERS },
};
