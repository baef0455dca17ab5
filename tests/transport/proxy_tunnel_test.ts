import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { type HandshakeError, OptionError, TransportError } from "../../base/errors.ts";
import { systemClock } from "../../base/clock.ts";
import { runtimeTransport } from "../../transport/runtime.ts";
import { openTunnel, proxyFailure } from "../../transport/proxy_tunnel.ts";
import { parseProxy } from "../../client/socket_settings.ts";
import type { WebSocketServerOptions } from "../../server.ts";
import { RawListener } from "../support/sockets.ts";
import { decode, encode, startEcho, tlsFile, until } from "../support/support.ts";

/** A proxy that opens tunnels, or answers something else. */
async function withProxy(
  answer: string | undefined,
  test: (url: string, heads: string[], open: () => number) => Promise<void>,
  interim = "",
): Promise<void> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => void sockets.delete(socket));
  };
  const proxy = createServer((socket) => {
    keep(socket);
    let head = "";
    const read = (bytes: Uint8Array): void => {
      head += decode(bytes);
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", read);
      heads.push(head);
      if (answer !== undefined) return void (answer === "" ? socket.end() : socket.write(answer));
      const [host, port] = head.split(" ")[1]!.split(":");
      const target = connectTcp(Number(port), host === "localhost" ? "127.0.0.1" : host, () => {
        socket.write(interim + "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
        socket.pipe(target).pipe(socket);
      });
      keep(target);
    };
    socket.on("data", read);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await test(`http://127.0.0.1:${(proxy.address() as { port: number }).port}`, heads, () => sockets.size);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  }
}

async function echoThrough(server: WebSocketServerOptions, client: WebSocketClientOptions): Promise<string> {
  await using echo = await startEcho(server);
  const scheme = server.useSSL ? "wss" : "ws";
  await using peer = new WebSocketClient(`${scheme}://localhost:${echo.address!.port}/`, client);
  await peer.connect();
  peer.send("through");
  for await (const message of peer) return String(message);
  return "";
}

const TLS = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };

describe("a client behind a proxy", () => {
  it("goes through a tunnel, and shows its credentials to the proxy only", () =>
    withProxy(undefined, async (url, heads) => {
      let seen: Headers | undefined;
      const onAllow: WebSocketServerOptions["onAllow"] = ({ request }) => {
        seen = request.headers;
        return true;
      };
      const proxy = url.replace("http://", "http://us%20er:p%C3%A4ss@");
      assertEquals(await echoThrough({ onAllow }, { proxy, headers: { authorization: "Bearer mine" } }), "through");
      const [line, ...fields] = heads[0]!.split("\r\n");
      assertEquals(line!.replace(/\d+ /, "N "), "CONNECT localhost:N HTTP/1.1");
      assert(fields.includes(`Proxy-Authorization: Basic ${btoa("us er:p\u00c3\u00a4ss")}`));
      assertEquals(heads[0]!.includes("Bearer"), false);
      assertEquals([seen!.get("authorization"), seen!.get("proxy-authorization")], ["Bearer mine", null]);
    }));

  it("speaks TLS with the server through the tunnel, and checks its name", () =>
    withProxy(undefined, async (proxy) => {
      assertEquals(await echoThrough(TLS, { proxy, rootCertificateFile: tlsFile("ca.pem") }), "through");
      await assertRejects(() => echoThrough(TLS, { proxy }), TransportError, "Cannot connect");
    }));

  it("checks the address of the server against its certificate, not that of the proxy", () =>
    withProxy(undefined, async (proxy) => {
      await using server = await startEcho({ ...TLS, hostname: "127.0.0.2" });
      const options = { proxy, rootCertificateFile: tlsFile("ca.pem") };
      const { port } = server.address!;
      const client = new WebSocketClient(`wss://127.0.0.2:${port}/`, options);
      await assertRejects(() => client.connect(), TransportError, "the certificate of the server is for other names");
      await using named = new WebSocketClient(`wss://127.0.0.2:${port}/`, { ...options, serverName: "localhost" });
      await named.connect();
      assertEquals(named.state, "open");
    }));

  it("comes back from a proxy that is overloaded, and ends with one that does not let it through", async () => {
    const reconnect = { minDelay: 0, maxDelay: 0, maxAttempts: 3 };
    for (const [status, attempts] of [[403, 1], [407, 1], [502, 3], [503, 3]] as const) {
      await withProxy(`HTTP/1.1 ${status} Any\r\n\r\n`, async (proxy) => {
        const client = new WebSocketClient("ws://127.0.0.1:1/", { proxy, reconnect });
        await assertRejects(() => client.connect(), TransportError, `${status}`);
        assertEquals(client.stats().refusals, { ERR_PROXY: attempts });
      });
    }
  });

  it("reports the response of the proxy", async () => {
    const remedy = ': set user name and password in the URL of "proxy"';
    const denied = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!";
    const answers: [answer: string, message: string, status?: number][] = [
      [denied, `answered 407 Proxy Authentication Required${remedy}`, 407],
      [`HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n${denied}`, `answered 407 Proxy Authentication Required${remedy}`, 407],
      ["HTTP/1.1 502 Bad Gateway\r\n\r\n", "answered 502 Bad Gateway", 502],
      ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "answered 101 Switching Protocols", 101],
      ["HTTP/1.1 200 OK\r\n\r\nextra", "sent more than its answer"],
      ["", "has closed the connection"],
      ["SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP: it seems to speak SSH"],
      ["ERROR\r\n", "does not speak HTTP: it seems to speak Memcached"],
      ["\x15\x03\x01\x00\x02\x02\x46", "speaks TLS, which is not supported for proxies"],
      ["hello", "does not speak HTTP"],
      [
        "HTTP/1.1 20\r\n\r\n",
        "sent an answer that is not valid: The answer does not start with an HTTP/1.1 status line",
      ],
    ];
    for (const [answer, message, status] of answers) {
      await withProxy(answer, async (url, _heads, open) => {
        const proxy = url.replace("http://", "http://user:secret@");
        const error = await assertRejects(() => echoThrough({}, { proxy }), TransportError);
        assertEquals([error.message, error.code], [`The proxy ${url.slice(7)} ${message}`, "ERR_PROXY"]);
        if (status !== undefined) assertEquals((error.cause as HandshakeError).status, status);
        // The connection to the proxy is closed.
        await until(() => open() === 0, "the end of the connection");
      });
    }
  });

  it("reads over interim responses of the proxy", () =>
    withProxy(undefined, async (proxy) => {
      assertEquals(await echoThrough({}, { proxy }), "through");
      assertEquals(await echoThrough(TLS, { proxy, rootCertificateFile: tlsFile("ca.pem") }), "through");
    }, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"));

  it("names the proxy that cannot be reached, and not the target", async () => {
    const listener = await RawListener.listen();
    const { port } = listener;
    await listener.close();
    const connect = (proxy: string, target = "ws://target.example:1"): Promise<TransportError> => {
      const client = new WebSocketClient(target, { proxy });
      return assertRejects(() => client.connect(), TransportError);
    };
    for (const target of ["ws://target.example:1", "wss://target.example:1"]) {
      const refused = await connect(`http://user:secret@127.0.0.1:${port}`, target);
      const message = `Cannot connect to the proxy 127.0.0.1:${port}: nothing accepts connections there (ECONNREFUSED)`;
      assertEquals([refused.message, refused.code], [message, "ERR_PROXY"]);
      assertEquals((refused.cause as { code?: string }).code, "ECONNREFUSED");
    }
    const unknown = await connect("http://user:secret@proxy.invalid:3128");
    const message = "Cannot connect to the proxy proxy.invalid:3128: the host name is not known (ENOTFOUND)";
    assertEquals([unknown.message, unknown.code], [message, "ERR_PROXY"]);
  });

  it("names a proxy that resets the connection", async () => {
    const listener = await RawListener.listen();
    const client = new WebSocketClient("ws://target.example/", { proxy: `http://127.0.0.1:${listener.port}` });
    const failed = assertRejects(() => client.connect(), TransportError);
    const socket = await listener.accept();
    await socket.read();
    socket.reset();
    const { message, code } = await failed;
    assertEquals(code, "ERR_PROXY");
    assertStringIncludes(
      message,
      `the proxy 127.0.0.1:${listener.port}: the peer has reset the connection (ECONNRESET)`,
    );
    await listener.close();
  });

  it("gives up in time when the proxy does not answer", () =>
    withProxy("HTTP/1.1 200", async (proxy) => {
      const message = `500 ms: still waiting for the answer of the proxy ${proxy.slice(7)}`;
      for (const server of [{}, TLS]) {
        const error = await assertRejects(() => echoThrough(server, { proxy, connectTimeout: 500 }), TransportError);
        assertEquals([error.message, error.code], [`Not connected within ${message}`, "ERR_CONNECT_TIMEOUT"]);
      }
    }));
});

describe("openTunnel", () => {
  it("takes an answer in any chunking, and brackets IPv6 addresses", async () => {
    const written: string[] = [];
    const hints = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(2);
    const answer = [...encode(`${hints}HTTP/1.1 200 OK\r\nA: b\r\n\r\n`)].map((octet) => Uint8Array.of(octet));
    await openTunnel(
      {
        write: (bytes) => Promise.resolve(void written.push(decode(bytes))),
        read: () => Promise.resolve(answer.shift() ?? null),
      },
      { hostname: "::1", port: 80 },
      { hostname: "proxy", port: 1, authorization: undefined },
    );
    assertEquals(written, ["CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"]);
    assertEquals(answer, []);
  });
});

describe("a failure of the proxy", () => {
  const target = { hostname: "target.example", port: 80 };

  it("is told when the proxy ends before it is clear what it speaks", async () => {
    const proxy = { hostname: "proxy", port: 1, authorization: undefined };
    const pieces = [encode("2"), encode("2"), null];
    const channel = { write: () => Promise.resolve(), read: () => Promise.resolve(pieces.shift() ?? null) };
    const error = await assertRejects(() => openTunnel(channel, target, proxy));
    assertEquals(proxyFailure(error, proxy).message, "The proxy proxy:1 does not speak HTTP");
    const own = new TransportError("ERR_PROXY", "mine");
    assertEquals(proxyFailure(own, proxy), own);
  });

  it("is the reason of the signal, if that has ended the attempt", async () => {
    const listener = await RawListener.listen();
    const proxy = { hostname: "127.0.0.1", port: listener.port, authorization: undefined };
    for (const tls of [false, true]) {
      const controller = new AbortController();
      const settings = { ...target, tls, proxy, rootCertificates: [], clock: systemClock, signal: controller.signal };
      const connecting = runtimeTransport().connect(settings);
      const socket = await listener.accept();
      await socket.read();
      controller.abort(new Error("mine"));
      assertEquals((await assertRejects(() => connecting, Error)).message, "mine");
      await socket.read().catch(() => null);
      await socket.close();
    }
    await listener.close();
  });
});

describe("parseProxy", () => {
  it("reads host, port and credentials, and never repeats a password", () => {
    assertEquals(parseProxy(""), undefined);
    assertEquals(parseProxy("http://proxy.example"), { hostname: "proxy.example", port: 80, authorization: undefined });
    assertEquals(parseProxy("http://[::1]:3128/")?.hostname, "::1");
    assertEquals(parseProxy("http://a@b:1")?.authorization, `Basic ${btoa("a:")}`);
    for (const url of ["https://u:geheim@p", "socks5://u:geheim@p", "u:geheim@p:1", "geheim"]) {
      const error = assertThrows(() => new WebSocketClient({ proxy: url }), OptionError, "proxy");
      assertEquals(error.message.includes("geheim"), false);
    }
    assertStringIncludes(assertThrows(() => parseProxy("https://p")).message, "https:");
  });
});
