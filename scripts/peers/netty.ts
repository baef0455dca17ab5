import type { Difference, Peer } from "../peer_lane/peer.ts";

/** The program of both roles: it echoes, and closes when it is told to. */
const PROGRAM = String.raw`
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.*;
import io.netty.handler.codec.http.websocketx.*;
import io.netty.handler.codec.http.websocketx.extensions.*;
import io.netty.handler.codec.http.websocketx.extensions.compression.*;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.File;
import java.net.URI;
import java.util.concurrent.CountDownLatch;

public class Peer {
    static final int LIMIT = 1 << 26;
    static final CountDownLatch ended = new CountDownLatch(1);
    static final boolean DEFLATE = System.getenv("PEER_DEFLATE").equals("on");

    // Looks at close frames, which the handler behind it answers and keeps.
    static class Codes extends ChannelInboundHandlerAdapter {
        private int code = 1006;

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (message instanceof CloseWebSocketFrame) {
                int given = ((CloseWebSocketFrame) message).statusCode();
                code = given == -1 ? 1005 : given;
            }
            context.fireChannelRead(message);
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            if (context.pipeline().get(Echo.class).isOpen) System.out.println("closed " + code);
            ended.countDown();
            context.fireChannelInactive();
        }
    }

    static class Echo extends SimpleChannelInboundHandler<WebSocketFrame> {
        boolean isOpen = false;

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            isOpen |= event instanceof WebSocketServerProtocolHandler.HandshakeComplete
                || event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
            if (!(frame instanceof TextWebSocketFrame)) {
                if (frame instanceof BinaryWebSocketFrame) context.writeAndFlush(frame.retain());
                return;
            }
            String text = ((TextWebSocketFrame) frame).text();
            if (!text.startsWith("#close")) {
                context.writeAndFlush(frame.retain());
                return;
            }
            String[] words = text.split(" ");
            context.channel().writeAndFlush(words.length > 1
                ? new CloseWebSocketFrame(Integer.parseInt(words[1]), "")
                : new CloseWebSocketFrame());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
            System.err.println(error);
            context.close();
        }
    }

    static class Handlers extends ChannelInitializer<SocketChannel> {
        final SslContext tls;
        final URI url;

        Handlers(SslContext tls, URI url) {
            this.tls = tls;
            this.url = url;
        }

        @Override
        protected void initChannel(SocketChannel channel) {
            ChannelPipeline pipeline = channel.pipeline();
            boolean isServer = url == null;
            if (tls != null) {
                pipeline.addLast(isServer
                    ? tls.newHandler(channel.alloc())
                    : tls.newHandler(channel.alloc(), url.getHost(), url.getPort()));
            }
            pipeline.addLast(isServer ? new HttpServerCodec() : new HttpClientCodec(), new HttpObjectAggregator(65536));
            if (DEFLATE) {
                // The ready-made server handler declines no-takeover parameters.
                pipeline.addLast(isServer
                    ? new WebSocketServerExtensionHandler(
                        new PerMessageDeflateServerExtensionHandshaker(6, true, 15, true, true))
                    : new WebSocketClientExtensionHandler(
                        new PerMessageDeflateClientExtensionHandshaker(6, true, 15, true, false)));
            }
            WebSocketDecoderConfig limits = WebSocketDecoderConfig.newBuilder()
                .maxFramePayloadLength(LIMIT)
                .expectMaskedFrames(isServer)
                .allowExtensions(DEFLATE)
                .build();
            pipeline.addLast(new Codes());
            pipeline.addLast(isServer
                ? new WebSocketServerProtocolHandler(WebSocketServerProtocolConfig.newBuilder()
                    .websocketPath("/")
                    .decoderConfig(limits)
                    .build())
                : new WebSocketClientProtocolHandler(WebSocketClientProtocolConfig.newBuilder()
                    .webSocketUri(url)
                    .maxFramePayloadLength(LIMIT)
                    .allowExtensions(DEFLATE)
                    .build()));
            pipeline.addLast(new WebSocketFrameAggregator(LIMIT), new Echo());
        }
    }

    public static void main(String[] args) throws Exception {
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        if (args[0].equals("server")) {
            SslContext tls = null;
            String certificate = System.getenv("PEER_CERT");
            if (certificate != null) {
                tls = SslContextBuilder.forServer(new File(certificate), new File(System.getenv("PEER_KEY"))).build();
            }
            new ServerBootstrap().group(group).channel(NioServerSocketChannel.class)
                .childHandler(new Handlers(tls, null))
                .bind("127.0.0.1", Integer.parseInt(System.getenv("PEER_PORT"))).sync().channel().closeFuture().sync();
            return;
        }
        String root = System.getenv("PEER_CA");
        SslContext tls = root == null ? null : SslContextBuilder.forClient().trustManager(new File(root)).build();
        URI url = URI.create(System.getenv("PEER_URL"));
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(new Handlers(tls, url))
            .connect(url.getHost(), url.getPort()).sync();
        ended.await();
        System.exit(0);
    }
}
`;

const JARS = ["buffer", "codec", "codec-http", "common", "handler", "resolver", "transport"]
  .map((name) => `/usr/share/java/netty-${name}.jar`).join(":") + ":/usr/share/java/jzlib.jar";

const NO_ANSWER: Difference = {
  seen: "no close frame",
  because: "Its client handler ends TCP after a close frame, without an answer",
  finding: "netty_client_close.sh",
};
const UNASKED: Difference = {
  seen: "closed 1006 (text of 0)",
  because: "Its client takes no parameter that it did not ask for, although RFC 7692 lets a server say so",
  finding: "netty_client_deflate.sh",
};

export const PEER: Peer = {
  name: "Netty",
  version: "4.1.48",
  language: "Java",
  debian: ["openjdk-17-jdk-headless", "libnetty-java", "libjzlib-java"],
  files: { "Peer.java": PROGRAM },
  build: `javac -cp ${JARS} Peer.java`,
  printVersion: "dpkg-query -W libnetty-java",
  server: {
    command: ["java", "-cp", `.:${JARS}`, "Peer", "server"],
    differs: {
      "deflate 9 bits": {
        seen: "broke a rule: ERR_INVALID_DEFLATE (random binary)",
        because: "With small windows it compresses by JZlib, into a buffer that is too short for incompressible data",
        finding: "netty_small_windows.sh",
      },
    },
  },
  client: {
    command: ["java", "-cp", `.:${JARS}`, "Peer", "client"],
    differs: {
      "close 1000": NO_ANSWER,
      "close 1001": NO_ANSWER,
      "close 3000": NO_ANSWER,
      "close 4999": NO_ANSWER,
      "close empty": NO_ANSWER,
      "deflate no takeover": UNASKED,
      "deflate 9 bits": UNASKED,
      "TLS": NO_ANSWER,
    },
  },
};
