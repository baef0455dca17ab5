import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { CertificateError, HandlerError, OptionError, TransportError } from "../../base/errors.ts";
import { forOtherServer, givenTlsSetting, NO_TLS_SETTINGS } from "../../client/tls_settings.ts";
import { WebSocketClient, type WebSocketClientOptions, type WebSocketServer } from "../../mod.ts";
import { startEcho, tlsFile } from "../support/support.ts";
import { acceptKey } from "../../protocol/handshake.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(tlsFile(name)));
const SERVER = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const CLIENT = { certificateFile: tlsFile("client.pem"), certificateKeyFile: tlsFile("client.key") };
const OTHER_NAME = { useSSL: true, certificate: read("other-name.pem"), certificateKey: read("other-name.key") };

/** Connects, and gives what comes back for "hi". */
async function echo(url: string, options: WebSocketClientOptions): Promise<unknown> {
  await using client = new WebSocketClient(url, options);
  await client.connect();
  client.send("hi");
  return await client.receive();
}

const secure = (server: WebSocketServer, host = "localhost"): string => `wss://${host}:${server.address!.port}/`;

describe("settings of TLS of a client", () => {
  it("are found, copied, and reduced to the trusted certificates for another server", () => {
    assertEquals(givenTlsSetting(NO_TLS_SETTINGS), undefined);
    const settings = { ...NO_TLS_SETTINGS, rootCertificate: "a", certificateFile: "b", serverName: "c", port: 1 };
    assertEquals(givenTlsSetting(settings), "rootCertificate");
    assertEquals(forOtherServer(settings), { ...NO_TLS_SETTINGS, rootCertificate: "a" });
  });

  it("need TLS", async () => {
    for (
      const [name, value] of Object.entries({ ...CLIENT, serverName: "a.example", rootCertificate: read("ca.pem") })
    ) {
      const client = new WebSocketClient("ws://localhost/", { [name]: value });
      await assertRejects(() => client.connect(), OptionError, `The setting "${name}" needs a "wss:" URL`);
    }
  });

  it("are refused where they cannot be right, without a part of a key in the message", async () => {
    const faults: [options: WebSocketClientOptions, part: string][] = [
      [{ certificate: "client.pem" }, '"certificate" is a path: use "certificateFile"'],
      [{ rootCertificate: "/etc/ssl/ca.pem" }, '"rootCertificate" is a path: use "rootCertificateFile"'],
      [{ ...CLIENT, certificate: read("client.pem") }, '"certificate" and "certificateFile" are both set'],
      [{ ...CLIENT, certificateKey: bytesOf("client.key") }, '"certificateKey" and "certificateKeyFile" are both set'],
      [{ serverName: "https://a.example" }, 'The setting "serverName" is'],
      [{ serverName: "127.0.0.1" }, '"serverName" is an address'],
      [{ serverName: "[::1]" }, '"serverName" is an address'],
    ];
    for (const [options, part] of faults) {
      await assertRejects(() => new WebSocketClient("wss://localhost/", options).connect(), OptionError, part);
    }
    assertThrows(() => new WebSocketClient("wss://a/", { cert: "x" } as object), OptionError, '"certificateFile"');
    const key = read("client.key").split("\n")[1]!;
    const unusable: [options: WebSocketClientOptions, part: string][] = [
      [{ ...CLIENT, certificateKeyFile: read("client.key") }, 'for PEM text use "certificateKey"'],
      [{ certificateFile: CLIENT.certificateFile }, '"certificateKeyFile" is not set, nor is "certificateKey"'],
      [{ ...CLIENT, certificateKeyFile: tlsFile("other.key") }, "does not belong to the certificate"],
      [{ ...CLIENT, certificateKeyFile: tlsFile("client-encrypted.key") }, "set onGetSSLPassword"],
      [{ rootCertificate: read("client.key") }, 'The certificate "rootCertificate" cannot be read'],
      [{ rootCertificate: read("ca.pem") + read("ca.pem").slice(0, 200) }, "a certificate in it is damaged"],
    ];
    for (const [options, part] of unusable) {
      await using client = new WebSocketClient("wss://localhost:1/", options);
      const error = await assertRejects(() => client.connect(), CertificateError, part);
      assert(!error.message.includes(key), error.message);
    }
  });
});

describe("rootCertificate", () => {
  it("is trusted as text and as bytes", async () => {
    await using server = await startEcho(SERVER);
    for (const rootCertificate of [read("ca.pem"), bytesOf("ca.pem")]) {
      assertEquals(await echo(secure(server), { rootCertificate }), "hi");
    }
    await assertRejects(
      () => echo(secure(server), { rootCertificate: read("client-ca.pem") }),
      TransportError,
      "not trusted",
    );
  });
});

describe("serverName", () => {
  it("is what the certificate is checked against, by an address and by a host name", async () => {
    await using server = await startEcho(OTHER_NAME);
    const roots = { rootCertificate: read("client-ca.pem") };
    for (const host of ["127.0.0.1", "localhost"]) {
      assertEquals(await echo(secure(server, host), { ...roots, serverName: "b.example" }), "hi");
      for (const serverName of ["", "a.example", "d.c.b.example"]) {
        await assertRejects(
          () => echo(secure(server, host), { ...roots, serverName }),
          TransportError,
          "for other names",
        );
      }
    }
    // The name of the URL no longer counts.
    await using own = await startEcho(SERVER);
    const wrong = { rootCertificate: read("ca.pem"), serverName: "b.example" };
    await assertRejects(() => echo(secure(own), wrong), TransportError, "for other names");
  });
});

/** A server that asks for a certificate of the client, and notes the names that it saw. */
async function askingServer(): Promise<{ port: number; seen: string[]; close: () => Promise<void> }> {
  const seen: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer({
    cert: read("leaf.pem"),
    key: read("leaf.key"),
    ca: read("client-ca.pem"),
    requestCert: true,
    rejectUnauthorized: true,
  }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const text = String(bytes);
      const key = text.slice(text.indexOf("Sec-WebSocket-Key: ") + 19).split("\r\n")[0]!;
      if (!text.startsWith("GET ")) return;
      seen.push(`${socket.authorized} ${socket.getPeerCertificate().subject.CN}`);
      socket.write(
        `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${
          acceptKey(key)
        }\r\n\r\n\x81\x02hi`,
        "latin1",
      );
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  return { port, seen, close };
}

describe("certificate of a client", () => {
  it("is shown to a server that asks, from files, text and bytes, with an encrypted key too", async () => {
    const { port, seen, close } = await askingServer();
    let asked = 0;
    const ways: WebSocketClientOptions[] = [
      CLIENT,
      { certificate: read("client.pem"), certificateKey: read("client.key") },
      { certificate: bytesOf("client.pem"), certificateKeyFile: tlsFile("client.key") },
      {
        certificate: read("client.pem"),
        certificateKey: read("client-encrypted.key"),
        onGetSSLPassword: () => {
          asked++;
          return Promise.resolve("secret");
        },
      },
    ];
    for (const options of ways) {
      await using client = new WebSocketClient(`wss://localhost:${port}/`, {
        ...options,
        rootCertificateFile: tlsFile("ca.pem"),
        closeTimeout: 1,
      });
      await client.connect();
      assertEquals(await client.receive(), "hi");
      client.connection?.terminate();
    }
    assertEquals([seen, asked], [Array(4).fill("true client.example"), 1]);
    await close();
  });

  it("is missed by such a server, and another CA's is refused by it", async () => {
    const { port, seen, close } = await askingServer();
    for (const options of [{}, { certificateFile: tlsFile("other.pem"), certificateKeyFile: tlsFile("other.key") }]) {
      await using client = new WebSocketClient(`wss://localhost:${port}/`, {
        ...options,
        rootCertificateFile: tlsFile("ca.pem"),
      });
      await assertRejects(() => client.connect(), TransportError);
    }
    assertEquals(seen, []);
    await close();
  });

  it("is trusted besides the roots of the runtime: the server is still checked", async () => {
    await using server = await startEcho(OTHER_NAME);
    await assertRejects(() => echo(secure(server), CLIENT), TransportError, "not trusted");
    const roots = { ...CLIENT, rootCertificate: read("client-ca.pem") };
    await assertRejects(() => echo(secure(server), roots), TransportError, "for other names");
    assertEquals(await echo(secure(server), { ...roots, serverName: "b.example" }), "hi");
  });

  it("fails with what onGetSSLPassword throws", async () => {
    const options = { certificateFile: CLIENT.certificateFile, certificateKeyFile: tlsFile("client-encrypted.key") };
    const wrong = new WebSocketClient("wss://localhost:1/", { ...options, onGetSSLPassword: () => "wrong" });
    await assertRejects(() => wrong.connect(), CertificateError, "is wrong");
    const failing = new WebSocketClient("wss://localhost:1/", {
      ...options,
      onGetSSLPassword: () => Promise.reject(new Error("vault")),
    });
    await assertRejects(() => failing.connect(), HandlerError, "onGetSSLPassword");
  });
});
