#!/usr/bin/env bash
# Netty's WebSocket client cannot ask for "server_no_context_takeover", and fails on a server that says it unasked, as servers may.
#
# Version: libnetty-java 4.1.48, OpenJDK 17 (both Debian 12).
# Expected: `requestedServerNoContext` puts server_no_context_takeover into the offer; and an answer that has it unasked is accepted
# (RFC 7692 §7.1.1.1: a server may include it even if the offer did not).
# Seen: with `requestedServerNoContext` alone the offer has no parameter, and the answer of a server that knows nothing of the wish is
# refused. With `requestedServerWindowSize` of 12 alone the offer has both server_max_window_bits=12 and server_no_context_takeover (the
# condition is that of the other field), and the answer that agrees to both is refused. Only both together work. The ready-made
# WebSocketClientCompressionHandler refuses every answer with server_no_context_takeover, such as each one of gorilla/websocket.
# What follows from it: a server whose clients may be on Netty leaves server_no_context_takeover out of answers to offers without it.
set -euo pipefail
for package in openjdk-17-jdk-headless libnetty-java; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >Offers.java <<'JAVA'
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionData;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

public class Offers {
    static void show(String name, PerMessageDeflateClientExtensionHandshaker client, Map<String, String> answer) {
        TreeMap<String, String> offer = new TreeMap<>(client.newRequestData().parameters());
        boolean accepts = client.handshakeExtension(new WebSocketExtensionData("permessage-deflate", answer)) != null;
        System.out.println(name + ": offers " + offer + ", " + (accepts ? "accepts " : "refuses ") + new TreeMap<>(answer));
    }

    public static void main(String[] args) {
        HashMap<String, String> agreed = new HashMap<>(Map.of("server_max_window_bits", "12"));
        agreed.put("server_no_context_takeover", null);
        HashMap<String, String> unasked = new HashMap<>();
        unasked.put("server_no_context_takeover", null);
        show("no context", new PerMessageDeflateClientExtensionHandshaker(6, false, 15, false, true), Map.of());
        show("12 bits", new PerMessageDeflateClientExtensionHandshaker(6, false, 12, false, false), agreed);
        show("both", new PerMessageDeflateClientExtensionHandshaker(6, false, 12, false, true), agreed);
        show("nothing", new PerMessageDeflateClientExtensionHandshaker(6, false, 15, false, false), unasked);
    }
}
JAVA
netty=$(printf '/usr/share/java/netty-%s.jar:' buffer codec codec-http common handler resolver transport)
javac -cp "$netty" Offers.java
seen=$(java -cp ".:$netty" Offers 2>/dev/null)
echo "$seen"
[ "$seen" = "no context: offers {}, refuses {}
12 bits: offers {server_max_window_bits=12, server_no_context_takeover=null}, refuses {server_max_window_bits=12, server_no_context_takeover=null}
both: offers {server_max_window_bits=12, server_no_context_takeover=null}, accepts {server_max_window_bits=12, server_no_context_takeover=null}
nothing: offers {}, refuses {server_no_context_takeover=null}" ] || { echo "The behaviour has changed" >&2; exit 1; }
