#!/usr/bin/env bash
# Tomcat and Mono send the close code 1005, which must never be sent, when a program closes "without a code".
#
# Versions: libtomcat10-java 10.1.60, OpenJDK 17, mono 6.8.0.105 (all Debian 12); node.
# Expected: `session.close(new CloseReason(CloseCodes.NO_STATUS_CODE, null))` and `CloseOutputAsync(WebSocketCloseStatus.Empty, null)` send
# an empty close frame, or throw: 1005 "is a reserved value and MUST NOT be set as a status code in a Close control frame"
# (RFC 6455 §7.4.1).
# Seen: a close frame with 1005 (03ed) from both, and nothing is thrown. The peer has to fail the connection for it.
# What follows from it: an invalid close code may come from a program that meant well; it is an error all the same.
set -euo pipefail
for package in openjdk-17-jdk-headless libtomcat10-java mono-mcs libmono-system4.0-cil; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >Client.java <<'JAVA'
import jakarta.websocket.*;
import java.net.URI;

public class Client extends Endpoint {
    @Override
    public void onOpen(Session session, EndpointConfig config) {}

    public static void main(String[] args) throws Exception {
        Session session = ContainerProvider.getWebSocketContainer()
            .connectToServer(new Client(), ClientEndpointConfig.Builder.create().build(), URI.create(args[0]));
        session.close(new CloseReason(CloseReason.CloseCodes.NO_STATUS_CODE, null));
        System.exit(0);
    }
}
JAVA
cat >Client.cs <<'CS'
using System;
using System.Net.WebSockets;
using System.Threading;

class Client {
    static void Main(string[] args) {
        var socket = new ClientWebSocket();
        socket.ConnectAsync(new Uri(args[0]), CancellationToken.None).Wait();
        socket.CloseOutputAsync(WebSocketCloseStatus.Empty, null, CancellationToken.None).Wait();
    }
}
CS
cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:net";
const server = createServer((socket) => {
  let isOpen = false;
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    if (isOpen) {
      const mask = bytes.subarray(2, 6);
      const payload = bytes.subarray(6).map((byte, index) => byte ^ mask[index % 4]);
      console.error(`${bytes[0] === 0x88 ? "close" : "other"} frame: ${payload.toString("hex")}`);
      return socket.end();
    }
    isOpen = true;
    const key = /^sec-websocket-key: *(\S+)/im.exec(bytes.toString("latin1"))[1];
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
jars=$(printf '/usr/share/java/tomcat10-%s.jar:' websocket websocket-client-api websocket-api juli util annotations-api servlet-api api)
javac -cp "$jars" Client.java
mcs -r:System.dll -out:Client.exe Client.cs
node server.mjs >port 2>seen &
until [ -s port ]; do sleep 0.1; done
url="ws://127.0.0.1:$(cat port)/"
timeout 30 java -cp ".:$jars" Client "$url" 2>/dev/null
timeout 30 mono Client.exe "$url"
until [ "$(wc -l <seen)" -ge 2 ]; do sleep 0.1; done
cat seen
[ "$(cat seen)" = "close frame: 03ed
close frame: 03ed" ] || { echo "The behaviour has changed" >&2; exit 1; }
