import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The client: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.*;
import okio.ByteString;

public class Peer extends WebSocketListener {
    static final CountDownLatch ended = new CountDownLatch(1);

    @Override
    public void onMessage(WebSocket socket, String text) {
        if (!text.startsWith("#close")) {
            socket.send(text);
            return;
        }
        String[] words = text.split(" ");
        socket.close(words.length > 1 ? Integer.parseInt(words[1]) : 1000, null);
    }

    @Override
    public void onMessage(WebSocket socket, ByteString bytes) {
        socket.send(bytes);
    }

    @Override
    public void onClosing(WebSocket socket, int code, String reason) {
        // The answer is left to the program.
        socket.close(code == 1005 ? 1000 : code, null);
    }

    @Override
    public void onClosed(WebSocket socket, int code, String reason) {
        System.out.println("closed " + code);
        ended.countDown();
    }

    @Override
    public void onFailure(WebSocket socket, Throwable error, Response response) {
        System.err.println(error);
        System.out.println("closed 1006");
        ended.countDown();
    }

    static void trust(OkHttpClient.Builder client, String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        client.sslSocketFactory(context.getSocketFactory(), (X509TrustManager) managers.getTrustManagers()[0]);
    }

    public static void main(String[] args) throws Exception {
        OkHttpClient.Builder client = new OkHttpClient.Builder();
        String root = System.getenv("PEER_CA");
        if (root != null) trust(client, root);
        client.build().newWebSocket(new Request.Builder().url(System.getenv("PEER_URL")).build(), new Peer());
        ended.await();
        System.exit(0);
    }
}
`;

const JARS = "/usr/share/java/okhttp.jar:/usr/share/java/okio.jar";

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

export const PEER: Peer = {
  name: "OkHttp",
  version: "3.13.1",
  language: "Java",
  debian: ["openjdk-17-jdk-headless", "libokhttp-java"],
  files: { "Peer.java": PROGRAM },
  build: `javac -cp ${JARS} Peer.java`,
  printVersion: "dpkg-query -W libokhttp-java",
  client: {
    command: ["java", "-cp", `.:${JARS}`, "Peer"],
    differs: {
      "20 MiB": { seen: "closed 1001 (text)", because: "It sends at most 16 MiB at a time, and closes beyond" },
      "close empty": {
        seen: "answered 1000",
        because: "It has no call for an empty close frame; the program answers 1000",
      },
      "its close empty": {
        seen: "closed 1000",
        because: "It has no call for an empty close frame; the program sends 1000",
      },
      "deflate": WITHOUT_COMPRESSION,
      "deflate no takeover": WITHOUT_COMPRESSION,
      "deflate 9 bits": WITHOUT_COMPRESSION,
    },
  },
};
