#!/usr/bin/env bash
# Netty's server agrees to a window of 512 bytes, and then cuts off the end of each message that cannot be compressed.
#
# Versions: libnetty-java 4.1.48, libjzlib-java 1.1.3, OpenJDK 17 (all Debian 12).
# Expected: a server agrees to what it can do, and DEFLATE with a small window is correct for all data.
# Seen: `PerMessageDeflateServerExtensionHandshaker` agrees to "server_max_window_bits=9". Of 70,000 random bytes the compressed message
# has exactly 70,078 bytes and does not inflate ("invalid"): the output of JZlib is longer than the buffer, which is sized for windows of
# 32 KiB (1.001 times the input, and 12 bytes), and the rest is dropped without an error. Zeros and 15 bits are right.
# It agrees as well where JZlib, an optional dependency, is missing; each message then fails, in a future that few programs look at.
# What follows from it: no small windows with a server on Netty; and an invalid stream of a peer need not be an attack.
set -euo pipefail
for package in openjdk-17-jdk-headless libjzlib-java libnetty-java; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >Windows.java <<'JAVA'
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtension;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

public class Windows {
    static String inflate(ByteBuf content, byte[] data) {
        byte[] stream = new byte[content.readableBytes() + 4];
        content.readBytes(stream, 0, stream.length - 4);
        stream[stream.length - 2] = stream[stream.length - 1] = (byte) 0xff;
        Inflater inflater = new Inflater(true);
        inflater.setInput(stream);
        byte[] result = new byte[data.length];
        try {
            int length = inflater.inflate(result);
            return length == data.length && Arrays.equals(data, result) ? "right" : "short or wrong";
        } catch (DataFormatException error) {
            return "invalid";
        }
    }

    static void compress(String name, byte[] data, Map<String, String> offer) {
        WebSocketServerExtension extension = new PerMessageDeflateServerExtensionHandshaker()
            .handshakeExtension(new WebSocketExtensionData("permessage-deflate", offer));
        EmbeddedChannel channel = new EmbeddedChannel(extension.newExtensionEncoder());
        ChannelFuture written = channel.writeOneOutbound(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(data)));
        channel.flushOutbound();
        String agreed = extension.newReponseData().parameters().toString();
        BinaryWebSocketFrame frame = channel.readOutbound();
        System.out.println(name + " with " + agreed + ": " + (frame == null
            ? "no message, " + (written.cause() == null ? "no error" : "an error")
            : frame.content().readableBytes() + " bytes, " + inflate(frame.content(), data)));
    }

    public static void main(String[] args) {
        byte[] random = new byte[70_000];
        new Random(1).nextBytes(random);
        compress("random", random, Map.of("server_max_window_bits", "9"));
        compress("random", random, Map.of());
        compress("zeros", new byte[70_000], Map.of("server_max_window_bits", "9"));
    }
}
JAVA
netty=$(printf '/usr/share/java/netty-%s.jar:' buffer codec codec-http common handler resolver transport)
javac -cp "$netty" Windows.java
seen=$(
  java -cp ".:$netty:/usr/share/java/jzlib.jar" Windows 2>/dev/null
  echo "without JZlib:"
  java -cp ".:$netty" Windows 2>/dev/null
)
echo "$seen"
[ "$(sed 's/{}: [0-9]* bytes/{}:/; s/\(zeros.*\): [0-9]* bytes/\1:/' <<<"$seen")" = "random with {server_max_window_bits=9}: 70078 bytes, invalid
random with {}:, right
zeros with {server_max_window_bits=9}:, right
without JZlib:
random with {server_max_window_bits=9}: no message, an error
random with {}:, right
zeros with {server_max_window_bits=9}: no message, an error" ] || { echo "The behaviour has changed" >&2; exit 1; }
