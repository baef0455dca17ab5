#!/usr/bin/env bash
# Netty's WebSocket client ends TCP when a close frame comes, without an answer; its server answers.
#
# Version: libnetty-java 4.1.48, OpenJDK 17 (both Debian 12); node.
# Expected: WebSocketClientProtocolHandler, whose `handleCloseFrames` is on, answers a close frame as its twin for servers does.
# Seen: FIN, and no frame. The server that closes with 1000 sees 1006 for each of its clients on Netty.
# What follows from it: a server that has sent its close frame takes FIN for the end at once; 1006 then means nothing bad.
set -euo pipefail
for package in openjdk-17-jdk-headless libnetty-java; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat >Client.java <<'JAVA'
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import java.net.URI;

public class Client {
    public static void main(String[] args) throws Exception {
        URI url = URI.create(args[0]);
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(new ChannelInitializer<SocketChannel>() {
            @Override
            protected void initChannel(SocketChannel channel) {
                channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(65536),
                    new WebSocketClientProtocolHandler(
                        WebSocketClientProtocolConfig.newBuilder().webSocketUri(url).handleCloseFrames(true).build()));
            }
        }).connect(url.getHost(), url.getPort()).sync().channel().closeFuture().sync();
        group.shutdownGracefully();
    }
}
JAVA
cat >server.mjs <<'JS'
import { createHash } from "node:crypto";
import { createServer } from "node:net";
const server = createServer((socket) => {
  let isOpen = false;
  socket.on("error", () => {});
  socket.on("end", () => console.error("FIN"));
  socket.on("data", (bytes) => {
    if (isOpen) return console.error(`frame ${bytes[0].toString(16)}`);
    isOpen = true;
    const key = /^sec-websocket-key: *(\S+)/im.exec(bytes.toString("latin1"))[1];
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    setTimeout(() => socket.write(Buffer.of(0x88, 2, 3, 232)), 500);
  });
}).listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
netty=$(printf '/usr/share/java/netty-%s.jar:' buffer codec codec-http common handler resolver transport)
javac -cp "$netty" Client.java
node server.mjs >port 2>seen &
until [ -s port ]; do sleep 0.1; done
timeout 30 java -cp ".:$netty" Client "ws://127.0.0.1:$(cat port)/" 2>/dev/null
until [ -s seen ]; do sleep 0.1; done
cat seen
[ "$(cat seen)" = "FIN" ] || { echo "The behaviour has changed" >&2; exit 1; }
