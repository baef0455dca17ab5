import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { WebSocketClient, type WebSocketClientOptions } from "../../client.ts";
import { type HandshakeError, OptionError, TransportError } from "../../base/errors.ts";
import { openTunnel } from "../../transport/proxy_tunnel.ts";
import { parseProxy } from "../../client/settings.ts";
import type { WebSocketServerOptions } from "../../server.ts";
import { decode, encode, startEcho, tlsFile } from "../support/support.ts";

/** A proxy that opens tunnels, or answers something else. */
async function withProxy(
  answer: string | undefined,
  test: (url: string, heads: string[]) => Promise<void>,
): Promise<void> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
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
        socket.write("HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
        socket.pipe(target).pipe(socket);
      });
      keep(target);
    };
    socket.on("data", read);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await test(`http://127.0.0.1:${(proxy.address() as { port: number }).port}`, heads);
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
    const answers = [
      ["HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!", "answered 407"],
      ["HTTP/1.1 200 OK\r\n\r\nextra", "sent more than its answer"],
      ["", "has closed the connection"],
    ] as const;
    for (const [answer, message] of answers) {
      await withProxy(answer, async (proxy) => {
        const error = await assertRejects(() => echoThrough({}, { proxy }), TransportError, message);
        assertEquals(error.code, "ERR_PROXY");
        if (message.includes("407")) assertEquals((error.cause as HandshakeError).status, 407);
      });
    }
    await withProxy("SSH-2.0-OpenSSH_9.9\r\n\r\n", async (proxy) => {
      await assertRejects(() => echoThrough({}, { proxy }), TransportError, "Cannot connect");
    });
  });

  it("gives up in time when the proxy does not answer", () =>
    withProxy("HTTP/1.1 200", async (proxy) => {
      await assertRejects(() => echoThrough({}, { proxy, connectTimeout: 50 }), TransportError, "50 ms");
      await assertRejects(() => echoThrough(TLS, { proxy, connectTimeout: 50 }), TransportError, "50 ms");
    }));
});

describe("openTunnel", () => {
  it("takes an answer in any chunking, and brackets IPv6 addresses", async () => {
    const written: string[] = [];
    const answer = [...encode("HTTP/1.1 200 OK\r\nA: b\r\n\r\n")].map((octet) => Uint8Array.of(octet));
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
