/** Tomcat, whose versions differ in names of packages and in how a client is told whom to trust. */

import type { CaseName, Difference, Peer } from "./peer.ts";

/** The program of both roles; `makeConfig` makes "config" of "builder", and trusts "root". */
const program = (namespace: string, makeConfig: string): string =>
  String.raw`
import ${namespace}.websocket.*;
import ${namespace}.websocket.server.*;
import java.io.FileInputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.apache.tomcat.websocket.server.WsSci;

public class Peer extends Endpoint {
    static final CountDownLatch ended = new CountDownLatch(1);
    static final int LIMIT = 1 << 26;

    @Override
    public void onOpen(Session session, EndpointConfig config) {
        session.setMaxTextMessageBufferSize(LIMIT);
        session.setMaxBinaryMessageBufferSize(LIMIT);
        session.addMessageHandler(String.class, message -> take(session, message));
        session.addMessageHandler(ByteBuffer.class, message -> send(() -> session.getBasicRemote().sendBinary(message)));
    }

    static void take(Session session, String message) {
        if (!message.startsWith("#close")) {
            send(() -> session.getBasicRemote().sendText(message));
            return;
        }
        String[] words = message.split(" ");
        send(() -> {
            if (words.length == 1) session.close();
            else session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(Integer.parseInt(words[1])), null));
        });
    }

    interface Sending {
        void run() throws Exception;
    }

    static void send(Sending sending) {
        try {
            sending.run();
        } catch (Exception error) {
            System.err.println(error);
        }
    }

    @Override
    public void onClose(Session session, CloseReason reason) {
        System.out.println("closed " + reason.getCloseCode().getCode());
        ended.countDown();
    }

    @Override
    public void onError(Session session, Throwable error) {
        System.err.println(error);
    }

    static void serve() throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory(null).toString());
        Connector connector = new Connector();
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(Integer.parseInt(System.getenv("PEER_PORT")));
        if (System.getenv("PEER_CERT") != null) {
            SSLHostConfig site = new SSLHostConfig();
            SSLHostConfigCertificate certificate = new SSLHostConfigCertificate(site, SSLHostConfigCertificate.Type.RSA);
            certificate.setCertificateFile(System.getenv("PEER_CERT"));
            certificate.setCertificateKeyFile(System.getenv("PEER_KEY"));
            site.addCertificate(certificate);
            connector.addSslHostConfig(site);
            connector.setProperty("SSLEnabled", "true");
            connector.setScheme("https");
            connector.setSecure(true);
        }
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        context.addServletContainerInitializer(new WsSci(), null);
        context.addServletContainerInitializer((classes, servlets) -> send(() ->
            ((ServerContainer) servlets.getAttribute("${namespace}.websocket.server.ServerContainer"))
                .addEndpoint(ServerEndpointConfig.Builder.create(Peer.class, "/").build())
        ), null);
        // The filter that upgrades runs in front of a servlet only.
        Tomcat.addServlet(context, "default", new DefaultServlet());
        context.addServletMappingDecoded("/", "default");
        tomcat.start();
        tomcat.getServer().await();
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

    static class Deflate implements Extension {
        @Override
        public String getName() {
            return "permessage-deflate";
        }

        @Override
        public List<Extension.Parameter> getParameters() {
            return List.of();
        }
    }

    static void connect() throws Exception {
        ClientEndpointConfig.Builder builder = ClientEndpointConfig.Builder.create();
        if (System.getenv("PEER_DEFLATE").equals("on")) {
            builder.extensions(List.of(new Deflate()));
        }
        String root = System.getenv("PEER_CA");
        ${makeConfig}
        WebSocketContainer container = ContainerProvider.getWebSocketContainer();
        container.setDefaultMaxTextMessageBufferSize(LIMIT);
        container.setDefaultMaxBinaryMessageBufferSize(LIMIT);
        container.connectToServer(new Peer(), config, URI.create(System.getenv("PEER_URL")));
        ended.await();
        System.exit(0);
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("server")) serve();
        else connect();
    }
}
`;

/** Names of jars of either version, with its number before. */
const JARS = [
  "catalina",
  "coyote",
  "juli",
  "api",
  "util",
  "util-scan",
  "jni",
  "annotations-api",
  "servlet-api",
  "websocket",
  "websocket-api",
  "jaspic-api",
];

/** Both roles differ in the same. */
const DIFFERS: Partial<Record<CaseName, Difference>> = {
  "close empty": { seen: "answered 1000", because: "It answers an empty close frame with 1000" },
  "its close empty": { seen: "closed 1000", because: "It has no call for an empty close frame: close() sends 1000" },
};

/** What a version has of its own. */
export interface TomcatVersion {
  /** Its first number. */
  major: number;
  /** The version that was tried. */
  version: string;
  /** Where the interfaces are: `javax` or `jakarta`. */
  namespace: string;
  /** Jars that the other versions do not have. */
  jars?: readonly string[];
  /** Statements that make `config` of `builder`, and trust `root`. */
  makeConfig: string;
}

/** Makes the peer of a version. */
export function tomcatPeer({ major, version, namespace, jars = [], makeConfig }: TomcatVersion): Peer {
  const classPath = [...JARS, ...jars].map((name) => `/usr/share/java/tomcat${major}-${name}.jar`).join(":");
  return {
    name: `Tomcat ${major}`,
    version,
    language: "Java",
    debian: ["openjdk-17-jdk-headless", `libtomcat${major}-java`],
    files: { "Peer.java": program(namespace, makeConfig) },
    build: `javac -cp ${classPath} Peer.java`,
    printVersion: `dpkg-query -W libtomcat${major}-java`,
    server: {
      command: ["java", "-cp", `.:${classPath}`, "Peer", "server"],
      differs: {
        ...DIFFERS,
        "deflate 9 bits": {
          seen: "agreed 15 bits",
          because: "It compresses with 15 bits only, and declines our first offer",
        },
      },
    },
    client: { command: ["java", "-cp", `.:${classPath}`, "Peer", "client"], differs: DIFFERS },
  };
}
