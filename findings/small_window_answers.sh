#!/usr/bin/env bash
# Three servers asked for a window of 512 bytes: two agree without a word of it, the third refuses the connection.
#
# Versions: gorilla/websocket 1.5.0 and nhooyr.io/websocket 1.8.7 (Go 1.19), Jetty 9.4.57 (Java 17), all Debian 12; node.
# Expected: the offer "permessage-deflate; server_max_window_bits=9" is declined by a server that cannot do it, and the connection opens
# without compression (RFC 7692 §7.1.2.1: a server declines an offer if it does not support the value).
# Seen: gorilla and Jetty answer with permessage-deflate and no bits, which promises nothing, so that the client must fail the connection.
# nhooyr answers 400, although no server must support an extension.
# With the list "permessage-deflate; server_max_window_bits=9, permessage-deflate" gorilla and Jetty give the same answer, which then is
# one to the second offer, and nhooyr refuses as before: it looks at the first offer only.
# What follows from it: a client offers a plain "permessage-deflate" behind its wish; and against nhooyr no bits at all.
set -euo pipefail
for package in golang-go golang-github-gorilla-websocket-dev golang-nhooyr-websocket-dev openjdk-17-jdk-headless libjetty9-java \
  libjetty9-extra-java; do
  dpkg -s "$package" >/dev/null 2>&1 || { echo "$package is missing (apt-get install $package)" >&2; exit 2; }
done
command -v node >/dev/null || { echo "node is missing" >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

cat >serve.go <<'GO'
package main

import (
	"net/http"
	"os"

	"github.com/gorilla/websocket"
	nhooyr "nhooyr.io/websocket"
)

func main() {
	upgrader := websocket.Upgrader{EnableCompression: true}
	http.ListenAndServe("127.0.0.1:"+os.Args[2], http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if os.Args[1] == "gorilla" {
			upgrader.Upgrade(answer, request, nil)
		} else {
			nhooyr.Accept(answer, request, &nhooyr.AcceptOptions{CompressionMode: nhooyr.CompressionContextTakeover})
		}
	}))
}
GO
GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$folder/cache" go build -o serve serve.go

cat >Serve.java <<'JAVA'
import java.net.InetSocketAddress;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.websocket.api.WebSocketAdapter;
import org.eclipse.jetty.websocket.server.WebSocketHandler;
import org.eclipse.jetty.websocket.servlet.WebSocketServletFactory;

public class Serve {
    public static void main(String[] args) throws Exception {
        Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])));
        server.setHandler(new WebSocketHandler() {
            @Override
            public void configure(WebSocketServletFactory factory) {
                factory.register(WebSocketAdapter.class);
            }
        });
        server.start();
    }
}
JAVA
jars=/usr/share/java/servlet-api.jar
for name in client http io security server servlet util websocket-{api,client,common,server,servlet}; do
  jars+=:/usr/share/java/jetty9-$name.jar
done
javac -cp "$jars" Serve.java

cat >offer.mjs <<'JS'
import { request } from "node:http";
const [name, port] = process.argv.slice(2);
const offer = (text) =>
  new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      "sec-websocket-extensions": text,
    };
    const sent = request({ host: "127.0.0.1", port, headers });
    const done = ({ statusCode, headers }) => {
      resolve(`${statusCode} ${headers["sec-websocket-extensions"] ?? ""}`.trim());
      sent.destroy();
    };
    sent.on("upgrade", done).on("response", done).on("error", reject).end();
  });
for (const list of ["permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9, permessage-deflate"]) {
  console.log(`${name}, ${list.includes(",") ? "list" : "wish"}: ${await offer(list)}`);
}
process.exit(0);
JS
listens() { until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done; }
first=$((20000 + RANDOM % 20000))
./serve gorilla "$first" >/dev/null 2>&1 &
./serve nhooyr "$((first + 1))" >/dev/null 2>&1 &
java -cp ".:$jars" Serve "$((first + 2))" >/dev/null 2>&1 &
seen=""
for name in gorilla nhooyr jetty; do
  listens "$first"
  seen+="$(node offer.mjs "$name" "$first")"$'\n'
  first=$((first + 1))
done
echo -n "$seen"
[ "$seen" = "gorilla, wish: 101 permessage-deflate; server_no_context_takeover; client_no_context_takeover
gorilla, list: 101 permessage-deflate; server_no_context_takeover; client_no_context_takeover
nhooyr, wish: 400
nhooyr, list: 400
jetty, wish: 101 permessage-deflate
jetty, list: 101 permessage-deflate
" ] || { echo "The behaviour has changed" >&2; exit 1; }
