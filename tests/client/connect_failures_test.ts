/** Wrong ports, hosts and certificates, as users meet them: the error has the same words on each runtime. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createServer as createTlsServer } from "node:tls";
import { readFileSync } from "node:fs";
import { CertificateError, HandshakeError, TransportError, type WebSocketError } from "../../base/errors.ts";
import {
  WebSocketClient,
  type WebSocketClientOptions,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { acceptKey } from "../../protocol/handshake.ts";
import { RawListener, type RawSocket } from "../support/sockets.ts";
import { decode, encode, pipe, startEcho, tlsFile, until } from "../support/support.ts";

const TLS: WebSocketServerOptions = {
  useSSL: true,
  certificateFile: tlsFile("leaf.pem"),
  certificateKeyFile: tlsFile("leaf.key"),
};

/** Connects, and returns the error. */
async function failure(url: string, options: WebSocketClientOptions = {}): Promise<WebSocketError> {
  await using client = new WebSocketClient(url, options);
  const error = await client.connect().then(() => undefined, (error) => error);
  assert(error instanceof TransportError || error instanceof HandshakeError || error instanceof CertificateError);
  return error;
}

/** Connects to a port that does something else than WebSocket. */
async function failureAt(
  scheme: "ws" | "wss",
  serve: (socket: RawSocket) => Promise<void>,
): Promise<[message: string, code: string, error: WebSocketError]> {
  const listener = await RawListener.listen();
  const { port } = listener;
  const failed = failure(`${scheme}://127.0.0.1:${port}/`);
  const socket = await listener.accept();
  await serve(socket);
  const error = await failed;
  await socket.close();
  await listener.close();
  return [error.message.replaceAll(String(port), "PORT"), error.code, error];
}

async function closedPort(): Promise<number> {
  const listener = await RawListener.listen();
  const { port } = listener;
  await listener.close();
  return port;
}

describe("a client on a port that speaks something else", () => {
  it("names the protocol of a server that begins to speak, before it ends the connection", async () => {
    for (
      const [text, name] of [["SSH-2.0-x\r\n", "SSH"], ["220 x ESMTP\r\n", "SMTP or FTP"], ["-ERR x\r\n", "Redis"]]
    ) {
      const [message, code] = await failureAt("ws", (socket) => socket.write(text!));
      const expected = `The server does not speak HTTP: it seems to speak ${name}; check host and port`;
      assertEquals([message, code], [expected, "ERR_HEAD_SYNTAX"]);
    }
  });

  it("says that the port speaks TLS after an alert, and after a refusal in HTTP", async () => {
    const remedy = 'use "wss:", or "useSSL: true"';
    const [alert] = await failureAt("ws", (socket) => socket.write(Uint8Array.of(0x15, 3, 1, 0, 2, 2, 0x46)));
    assertEquals(alert, `The port speaks TLS: ${remedy}`);
    const body = "Client sent an HTTP request to an HTTPS server.\n";
    const [refused, code, error] = await failureAt("ws", async (socket) => {
      await socket.read();
      await socket.write("HTTP/1.0 400 Bad Request\r\nServer: x\r\n\r\n");
      await socket.write(body);
      await socket.end();
    });
    assertEquals([refused, code], [`The port speaks TLS (400): ${remedy}`, "ERR_HANDSHAKE_STATUS"]);
    assert(error instanceof HandshakeError);
    assertEquals([error.status, error.headers?.get("server")], [400, "x"]);
  });

  it("names TLS when it comes to a server of this library with TLS, if the runtime sends an alert", async () => {
    await using server = await startEcho(TLS);
    const error = await failure(`ws://127.0.0.1:${server.address!.port}/`);
    // Bun ends the connection without an alert.
    assertStringIncludes(error.message, "port speaks TLS");
    assertStringIncludes(error.message, 'use "wss:", or "useSSL: true"');
  });

  it("says with wss: that the port does not speak TLS", async () => {
    const text = 'Cannot connect to 127.0.0.1:PORT: the server does not speak TLS on this port: use "ws:", or ';
    for (const answer of ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-x\r\n"]) {
      const [message, code, error] = await failureAt("wss", async (socket) => {
        await socket.read();
        await socket.write(answer);
      });
      assertEquals([message, code], [`${text}"useSSL: false"`, "ERR_CONNECT"]);
      assert(error.cause instanceof Error);
    }
    const [left] = await failureAt("wss", async (socket) => {
      await socket.read();
      await socket.end();
    });
    assertStringIncludes(left, "the server has left inside the TLS handshake: perhaps it does not speak TLS");
    const errors: unknown[] = [];
    await using server = await startEcho({ onError: (error) => void errors.push(error) });
    const error = await failure(`wss://localhost:${server.address!.port}/`);
    assertStringIncludes(error.message, 'the server does not speak TLS on this port: use "ws:"');
    await until(() => errors.length === 1, "the report of the server");
    const reported = errors[0] as HandshakeError;
    assertStringIncludes(reported.message, "The client speaks TLS, and this port does not");
    assertEquals([reported.code, server.stats().refusals], ["ERR_HEAD_SYNTAX", { ERR_HEAD_SYNTAX: 1 }]);
  });

  it("says what the attempt waited for when the time is over", async () => {
    const listener = await RawListener.listen();
    const at = `127.0.0.1:${listener.port}`;
    const waits: [url: string, awaited: string][] = [
      [`ws://${at}`, 'the answer of the server (if its port speaks TLS, use "wss:")'],
      [`wss://${at}`, "the TLS handshake"],
    ];
    for (const [url, awaited] of waits) {
      const failed = failure(url, { connectTimeout: 500 });
      const socket = await listener.accept();
      const error = await failed;
      await socket.close();
      assertEquals(error.code, "ERR_CONNECT_TIMEOUT");
      assertEquals(error.message, `Not connected within 500 ms: still waiting for ${awaited}`);
    }
    await listener.close();
    const program = await failure(`ws://${at}`, { connectTimeout: 10, headers: () => new Promise(() => {}) });
    assertEquals(program.message, "Not connected within 10 ms");
  });
});

describe("a client that cannot connect", () => {
  it("has the reason and the code of the system in the text", async () => {
    const port = await closedPort();
    const cases: [url: string, host: string, reason: string][] = [
      [`ws://127.0.0.1:${port}/`, `127.0.0.1:${port}`, "nothing accepts connections there (ECONNREFUSED)"],
      [`wss://127.0.0.1:${port}/`, `127.0.0.1:${port}`, "nothing accepts connections there (ECONNREFUSED)"],
      [`ws://localhost:${port}/`, `localhost:${port}`, "nothing accepts connections there (ECONNREFUSED)"],
      [`ws://[::1]:${port}/`, `[::1]:${port}`, "nothing accepts connections there (ECONNREFUSED)"],
      ["ws://nowhere.invalid/", "nowhere.invalid", "the host name is not known (ENOTFOUND)"],
      ["ws://nowhere.invalid.:81/", "nowhere.invalid.:81", "the host name is not known (ENOTFOUND)"],
    ];
    for (const [url, host, reason] of cases) {
      const { message, code, cause } = await failure(url);
      assertEquals([message, code], [`Cannot connect to ${host}: ${reason}`, "ERR_CONNECT"]);
      assert(cause instanceof Error);
    }
  });

  it("says why a certificate is refused, with the remedy", async () => {
    await using server = await startEcho({ ...TLS, hostname: "0.0.0.0" });
    const { port } = server.address!;
    const untrusted = await failure(`wss://localhost:${port}/`);
    const remedy = 'the certificate of the server is not trusted: set "rootCertificateFile" to that of its authority';
    assertEquals([untrusted.message, untrusted.code], [
      `Cannot connect to localhost:${port}: ${remedy}`,
      "ERR_CONNECT",
    ]);
    const ca = { rootCertificateFile: tlsFile("ca.pem") };
    const other = await failure(`wss://127.0.0.2:${port}/`, ca);
    assertEquals(
      other.message,
      `Cannot connect to 127.0.0.2:${port}: the certificate of the server is for other names`,
    );
    const files: [file: string, message: string][] = [
      ["none.pem", "there is no such file (ENOENT)"],
      [".", "it is a directory (EISDIR)"],
      ["leaf.pem/x", "a part of the path is not a directory (ENOTDIR)"],
      ["leaf.key", "it has no certificate in PEM"],
      ["make.sh", "it has no certificate in PEM"],
    ];
    for (const [file, message] of files) {
      const error = await failure(`wss://localhost:${port}/`, { rootCertificateFile: tlsFile(file) });
      assertStringIncludes(error.message, message);
      assert(error instanceof CertificateError && error.cause instanceof Error);
    }
  });

  it("says that the server wants a certificate of the client", async () => {
    const options = {
      cert: readFileSync(tlsFile("leaf.pem")),
      key: readFileSync(tlsFile("leaf.key")),
      requestCert: true,
    };
    const server = createTlsServer(options, (socket) => void socket.on("error", () => {}));
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const error = await failure(`wss://localhost:${port}/`, { rootCertificateFile: tlsFile("ca.pem") });
    assertStringIncludes(error.message, "the server wants a certificate of the client");
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
});

describe("a client whose server sends interim responses", () => {
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";

  it("connects over sockets, cut at every byte", async () => {
    for (const size of [1, 7, 1000]) {
      const listener = await RawListener.listen();
      await using client = new WebSocketClient(`ws://127.0.0.1:${listener.port}/`);
      const connecting = client.connect();
      const socket = await listener.accept();
      const key = await readKey(() => socket.read());
      const answer = encode(`HTTP/1.1 100 Continue\r\n\r\n${hints}${hints}${switching(key)}`);
      for (let at = 0; at < answer.length; at += size) await socket.write(answer.subarray(at, at + size));
      await connecting;
      client.connection!.terminate();
      await socket.close();
      await listener.close();
    }
  });

  it("connects in memory, and gets the refusal that follows them", async () => {
    for (const refused of [false, true]) {
      const [ours, theirs] = pipe();
      const client = new WebSocketClient("ws://localhost/");
      const connecting = client.connect({ stream: ours });
      const reader = theirs.readable.getReader();
      const key = await readKey(async () => (await reader.read()).value ?? null);
      const writer = theirs.writable.getWriter();
      const final = refused ? "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" : switching(key);
      for (const octet of encode(hints + hints + final)) writer.write(Uint8Array.of(octet)).catch(() => {});
      if (refused) assertEquals((await assertRejects(() => connecting, HandshakeError)).status, 401);
      else await connecting;
      client.connection?.terminate();
      await client.connection?.closed;
    }
  });

  it("gets an end after them as a lost connection", async () => {
    const [message, code] = await failureAt("ws", async (socket) => {
      await socket.read();
      await socket.write(hints);
      await socket.end();
    });
    assertEquals([message, code], ["The connection was lost during the handshake", "ERR_CONNECTION_LOST"]);
  });
});

async function readKey(read: () => Promise<Uint8Array | null>): Promise<string> {
  let text = "";
  while (!text.includes("\r\n\r\n")) text += decode((await read())!);
  return text.split("Sec-WebSocket-Key: ")[1]!.split("\r\n")[0]!;
}

const switching = (key: string): string =>
  `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`;

describe("credentials with a bare percent sign", () => {
  /** Values of `Authorization`, from the URL of a client, and from `resolveUrl`. */
  async function sent(credentials: string): Promise<(string | null)[]> {
    const seen: (string | null)[] = [];
    await using server = await startEcho({
      onAllow: ({ request }) => {
        seen.push(request.headers.get("authorization"));
        return true;
      },
    });
    const url = `ws://${credentials}@127.0.0.1:${server.address!.port}/`;
    for (const client of [new WebSocketClient(url), new WebSocketClient({ resolveUrl: () => url })]) {
      await client.connect();
      await client.disconnect();
    }
    return seen;
  }

  it("are sent as the URL Standard decodes them: what is no escape stands for itself", async () => {
    const cases: [credentials: string, bytes: string][] = [
      ["100%:50%zz", "100%:50%zz"],
      ["%:%2", "%:%2"],
      ["a%20b:%C3%A4%ff", "a b:\u00c3\u00a4\u00ff"],
      ["%2525:%4a%4A", "%25:JJ"],
    ];
    for (const [credentials, bytes] of cases) {
      const value = `Basic ${btoa(bytes)}`;
      assertEquals(await sent(credentials), [value, value]);
    }
  });
});

describe("a server with TLS that plain HTTP comes to", () => {
  it("says so in its log, on each runtime", async () => {
    const texts: string[] = [];
    await using server = new WebSocketServer({
      ...TLS,
      port: 0,
      hostname: "127.0.0.1",
      onLog: ({ error }) => void (error instanceof TransportError && texts.push(error.message)),
    });
    await server.start();
    await failure(`ws://127.0.0.1:${server.address!.port}/`);
    await until(() => texts.length > 0, "the record");
    const text =
      'The client does not speak TLS, as this port does: it is to use "wss:"; or it is a proxy that sends the ' +
      'PROXY protocol: set "proxyProtocol", and list it in "trustedProxies"';
    assertEquals(texts, [text]);
  });
});
