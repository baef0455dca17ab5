#!/usr/bin/env bash
# Qt 6 closes with 1007 when a text is cut into frames inside a code point.
#
# Versions: Qt WebSockets 6.4.2 and 5.15.8 (Debian 12: qt6-websockets-dev, libqt5websockets5-dev, g++, pkg-config), python3 for the server.
# Expected: RFC 6455 §5.6 asks for valid UTF-8 in a whole message only, so both put the frames together first, and the newer one is as
# good as the older one.
# Seen: a text in two frames cut between code points comes whole in both. Cut inside a code point it comes whole in Qt 5, whereas Qt 6
# closes with 1007.
# What follows from it: cut texts between code points, although no one has to.
set -euo pipefail
for package in qt6-websockets-dev libqt5websockets5-dev g++ pkg-config python3; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >client.cpp <<'CPP'
#include <QtCore/QtCore>
#include <QtWebSockets/QtWebSockets>
#include <cstdio>
int main(int argc, char **argv) {
  QCoreApplication app(argc, argv);
  QWebSocket socket;
  QObject::connect(&socket, &QWebSocket::textMessageReceived, [](const QString &text) {
    std::printf("text %s\n", text.toUtf8().constData());
  });
  QObject::connect(&socket, &QWebSocket::disconnected, &app, [&] {
    std::printf("code %d\n", int(socket.closeCode()));
    app.quit();
  });
  socket.open(QUrl(QString::fromLatin1(argv[1])));
  return app.exec();
}
CPP
for version in 5 6; do
  # shellcheck disable=SC2046
  g++ -fPIC -o "client$version" client.cpp $(pkg-config --cflags --libs "Qt${version}WebSockets")
done
# Sends "für" in two frames, cut before the byte of that index, then a close frame.
cat >server.py <<'PY'
import base64, hashlib, re, socket, sys
text, cut = "für".encode(), int(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += connection.recv(1)
key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
frames = ((0x01, text[:cut]), (0x80, text[cut:]), (0x88, b"\x03\xe8"))
connection.sendall(b"".join(bytes((first, len(part))) + part for first, part in frames))
try:
    while connection.recv(4096):
        pass
except ConnectionResetError:
    pass
PY
seen=$(
  for version in 5 6; do
    for cut in 1 2; do
      python3 server.py "$cut" >port &
      until [ -s port ]; do sleep 0.05; done
      echo "Qt $version, cut before byte $cut: $(QT_LOGGING_RULES='*=false' timeout 20 "./client$version" "ws://127.0.0.1:$(cat port)/" | paste -sd ' ')"
      wait
      rm port
    done
  done
)
echo "$seen"
[ "$seen" = "Qt 5, cut before byte 1: text für code 1000
Qt 5, cut before byte 2: text für code 1000
Qt 6, cut before byte 1: text für code 1000
Qt 6, cut before byte 2: code 1007" ] || { echo "The behaviour has changed" >&2; exit 1; }
