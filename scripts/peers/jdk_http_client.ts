import type { CaseName, Difference, Peer } from "../peer_lane/peer.ts";

/** The client: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.io.ByteArrayOutputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Peer implements WebSocket.Listener {
    private final CountDownLatch ended = new CountDownLatch(1);
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        text.append(part);
        socket.request(1);
        if (!isLast) return null;
        String message = text.toString();
        text.setLength(0);
        if (!message.startsWith("#close")) return socket.sendText(message, true);
        String[] words = message.split(" ");
        int code = words.length > 1 ? Integer.parseInt(words[1]) : WebSocket.NORMAL_CLOSURE;
        return socket.sendClose(code, "");
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean isLast) {
        while (part.hasRemaining()) bytes.write(part.get());
        socket.request(1);
        if (!isLast) return null;
        ByteBuffer message = ByteBuffer.wrap(bytes.toByteArray());
        bytes.reset();
        return socket.sendBinary(message, true);
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        System.out.println("closed " + code);
        ended.countDown();
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        System.err.println(error);
        System.out.println("closed 1006");
        ended.countDown();
    }

    static SSLContext trust(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] args) throws Exception {
        HttpClient.Builder client = HttpClient.newBuilder();
        String root = System.getenv("PEER_CA");
        if (root != null) client.sslContext(trust(root));
        Peer peer = new Peer();
        WebSocket socket = client.build().newWebSocketBuilder()
            .buildAsync(URI.create(System.getenv("PEER_URL")), peer).get();
        peer.ended.await();
        // The answer to a close frame goes out after "onClose".
        while (!socket.isOutputClosed()) Thread.sleep(5);
        System.exit(0);
    }
}
`;

const WITHOUT_COMPRESSION: Difference = { seen: "not agreed", because: "It knows no extensions" };

const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "close empty": { seen: "answered 1000", because: "It answers an empty close frame with 1000" },
  "its close empty": {
    seen: "closed 1000",
    because: "It has no call for an empty close frame; the program sends 1000",
  },
  "deflate": WITHOUT_COMPRESSION,
  "deflate no takeover": WITHOUT_COMPRESSION,
  "deflate 9 bits": WITHOUT_COMPRESSION,
};

export const PEER: Peer = {
  name: "java.net.http",
  version: "17",
  language: "Java",
  debian: ["openjdk-17-jdk-headless"],
  files: { "Peer.java": PROGRAM },
  build: "javac Peer.java",
  // Its updates leave the client as it is.
  printVersion: "java --version | sed -n '1s/openjdk \\([0-9]*\\).*/\\1/p'",
  client: { command: ["java", "Peer"], differs: DIFFERS },
};
