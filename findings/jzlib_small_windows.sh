#!/usr/bin/env bash
# JZlib, by which Netty compresses with small windows, writes streams that no inflater reads, if the data cannot be compressed.
#
# Versions: libjzlib-java 1.1.3, libnetty-java 4.1.48, OpenJDK 17 (all Debian 12).
# Expected: DEFLATE with a window of 512 bytes is correct for all data, and a server agrees to what it can do only.
# Seen: 70,000 random bytes with 9 bits and the default memory level come out such that java.util.zip says "invalid block type" or the like;
# zeros are right, and so are the random bytes with 15 bits. Netty's server agrees to "server_max_window_bits=9" without a look at
# whether JZlib, an optional dependency, is there; without it each compressed message fails with NoClassDefFoundError in a future that
# few programs look at, and the client waits forever.
# What follows from it: no small windows with a server on Netty; an invalid stream of a peer need not be an attack.
set -euo pipefail
for package in openjdk-17-jdk-headless libjzlib-java libnetty-java; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >Deflate.java <<'JAVA'
import com.jcraft.jzlib.Deflater;
import com.jcraft.jzlib.JZlib;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

public class Deflate {
    static String tryWith(byte[] data, int bits) throws Exception {
        Deflater deflater = new Deflater();
        // The memory level that Netty passes.
        deflater.init(6, bits, 8, JZlib.WrapperType.NONE);
        byte[] stream = new byte[data.length * 2 + 1000];
        deflater.setInput(data);
        deflater.setOutput(stream);
        deflater.deflate(JZlib.Z_SYNC_FLUSH);
        Inflater inflater = new Inflater(true);
        inflater.setInput(stream, 0, (int) deflater.getTotalOut());
        byte[] result = new byte[data.length];
        try {
            int length = inflater.inflate(result);
            return length == data.length && Arrays.equals(data, result) ? "right" : "wrong bytes";
        } catch (DataFormatException error) {
            return "invalid";
        }
    }

    public static void main(String[] args) throws Exception {
        byte[] random = new byte[70_000];
        new Random(1).nextBytes(random);
        System.out.println("random, 9 bits: " + tryWith(random, 9));
        System.out.println("random, 15 bits: " + tryWith(random, 15));
        System.out.println("zeros, 9 bits: " + tryWith(new byte[70_000], 9));
    }
}
JAVA
cat >Agree.java <<'JAVA'
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtension;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.util.Map;

public class Agree {
    public static void main(String[] args) {
        WebSocketServerExtension extension = new PerMessageDeflateServerExtensionHandshaker()
            .handshakeExtension(new WebSocketExtensionData("permessage-deflate", Map.of("server_max_window_bits", "9")));
        System.out.println("Netty agrees: " + extension.newReponseData().parameters());
        EmbeddedChannel channel = new EmbeddedChannel(extension.newExtensionEncoder());
        Throwable cause = channel.writeOneOutbound(new TextWebSocketFrame("Hello")).cause();
        while (cause != null && cause.getCause() != null) cause = cause.getCause();
        System.out.println("and sends: " + (cause == null ? "yes" : cause.getClass().getSimpleName()));
    }
}
JAVA
netty=$(printf '/usr/share/java/netty-%s.jar:' buffer codec codec-http common handler resolver transport)
javac -cp "/usr/share/java/jzlib.jar:$netty" Deflate.java Agree.java
seen=$(
  java -cp .:/usr/share/java/jzlib.jar Deflate
  java -cp ".:$netty" Agree 2>/dev/null
)
echo "$seen"
[ "$seen" = "random, 9 bits: invalid
random, 15 bits: right
zeros, 9 bits: right
Netty agrees: {server_max_window_bits=9}
and sends: ClassNotFoundException" ] || { echo "The behaviour has changed" >&2; exit 1; }
