import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
import java.io.FileInputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.CountDownLatch;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.api.StatusCode;
import org.eclipse.jetty.websocket.api.WebSocketAdapter;
import org.eclipse.jetty.websocket.api.WebSocketPolicy;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;
import org.eclipse.jetty.websocket.server.WebSocketHandler;
import org.eclipse.jetty.websocket.servlet.WebSocketServletFactory;

public class Peer extends WebSocketAdapter {
    static final int LIMIT = 1 << 26;
    static final CountDownLatch ended = new CountDownLatch(1);

    @Override
    public void onWebSocketText(String text) {
        try {
            if (!text.startsWith("#close")) {
                getRemote().sendString(text);
                return;
            }
            String[] words = text.split(" ");
            getSession().close(words.length > 1 ? Integer.parseInt(words[1]) : StatusCode.NO_CODE, "");
        } catch (Exception error) {
            System.err.println(error);
        }
    }

    @Override
    public void onWebSocketBinary(byte[] bytes, int offset, int length) {
        try {
            getRemote().sendBytes(ByteBuffer.wrap(bytes, offset, length));
        } catch (Exception error) {
            System.err.println(error);
        }
    }

    @Override
    public void onWebSocketClose(int code, String reason) {
        super.onWebSocketClose(code, reason);
        System.out.println("closed " + code);
        ended.countDown();
    }

    @Override
    public void onWebSocketError(Throwable error) {
        System.err.println(error);
    }

    static void raise(WebSocketPolicy policy) {
        policy.setMaxTextMessageSize(LIMIT);
        policy.setMaxBinaryMessageSize(LIMIT);
    }

    static Certificate certificate(String file) throws Exception {
        try (FileInputStream pem = new FileInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificate(pem);
        }
    }

    static KeyStore emptyStore() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    static SslContextFactory.Server identity(String certificate, String key) throws Exception {
        String base64 = Files.readString(Path.of(key)).replaceAll("-----.*-----|\\s", "");
        PrivateKey secret = KeyFactory.getInstance("RSA")
            .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
        KeyStore store = emptyStore();
        store.setKeyEntry("server", secret, new char[0], new Certificate[] {certificate(certificate)});
        SslContextFactory.Server factory = new SslContextFactory.Server();
        factory.setKeyStore(store);
        factory.setKeyStorePassword("");
        factory.setSniRequired(false);
        return factory;
    }

    static void serve() throws Exception {
        Server server = new Server();
        String certificate = System.getenv("PEER_CERT");
        ServerConnector connector = certificate == null
            ? new ServerConnector(server)
            : new ServerConnector(server, identity(certificate, System.getenv("PEER_KEY")));
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(System.getenv("PEER_PORT")));
        server.addConnector(connector);
        server.setHandler(new WebSocketHandler() {
            @Override
            public void configure(WebSocketServletFactory factory) {
                raise(factory.getPolicy());
                factory.register(Peer.class);
            }
        });
        server.start();
        server.join();
    }

    static void connect() throws Exception {
        SslContextFactory.Client tls = new SslContextFactory.Client();
        String root = System.getenv("PEER_CA");
        if (root != null) {
            KeyStore store = emptyStore();
            store.setCertificateEntry("root", certificate(root));
            tls.setTrustStore(store);
        }
        HttpClient http = new HttpClient(tls);
        http.start();
        WebSocketClient client = new WebSocketClient(http);
        raise(client.getPolicy());
        client.start();
        ClientUpgradeRequest request = new ClientUpgradeRequest();
        if (System.getenv("PEER_DEFLATE").equals("on")) request.addExtensions("permessage-deflate");
        client.connect(new Peer(), URI.create(System.getenv("PEER_URL")), request).get();
        ended.await();
        // The answer to a close frame goes out after "onWebSocketClose".
        while (!client.getOpenSessions().isEmpty()) Thread.sleep(5);
        System.exit(0);
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("server")) serve();
        else connect();
    }
}
`;

const JARS = [
  ..."client http io security server servlet util websocket-api websocket-client websocket-common".split(" "),
  ..."websocket-server websocket-servlet".split(" "),
].map((name) => `/usr/share/java/jetty9-${name}.jar`).join(":") + ":/usr/share/java/servlet-api.jar";

export const PEER: Peer = {
  name: "Jetty",
  version: "9.4.57",
  language: "Java",
  debian: ["openjdk-17-jdk-headless", "libjetty9-java", "libjetty9-extra-java"],
  files: { "Peer.java": PROGRAM },
  build: `javac -cp ${JARS} Peer.java`,
  printVersion: "dpkg-query -W libjetty9-java",
  server: {
    command: ["java", "-cp", `.:${JARS}`, "Peer", "server"],
    differs: {
      "deflate 9 bits": {
        seen: "agreed 15 bits",
        because: "It answers an offer of 9 bits as if no bits were asked for, which fits our second offer only",
        finding: "small_window_answers.sh",
      },
    },
  },
  client: { command: ["java", "-cp", `.:${JARS}`, "Peer", "client"] },
};
