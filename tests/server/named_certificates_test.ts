import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { setImmediate } from "node:timers";
import { connect } from "node:tls";
import { CertificateError, OptionError, StateError } from "../../base/errors.ts";
import { WebSocketClient, WebSocketServer } from "../../mod.ts";
import { assertNamedCertificates } from "../../server/named_certificates.ts";
import { RawSocket } from "../support/sockets.ts";
import { startEcho, tlsFile, until } from "../support/support.ts";
import { inFolder } from "../support/unix.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const MAIN = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const NAMED = { certificateFile: tlsFile("other-name.pem"), certificateKeyFile: tlsFile("other-name.key") };
const certificates = [{ serverName: "B.example", ...NAMED }, { serverName: "*.c.example", ...NAMED }];

/** Returns the file whose certificate is shown to a client that asks for a name. */
function shownFor(server: WebSocketServer, servername: string): Promise<string> {
  const ca = [read("ca.pem"), read("client-ca.pem")];
  const serials = ["leaf", "other", "other-name"].map((name) =>
    [new X509Certificate(read(`${name}.pem`)).serialNumber, name] as const
  );
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: server.address!.port, servername, ca, rejectUnauthorized: false };
    const socket = connect(options, () => {
      const { serialNumber } = socket.getPeerCertificate();
      resolve(serials.find(([serial]) => BigInt(`0x${serial}`) === BigInt(`0x${serialNumber}`))?.[1] ?? "another");
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("certificates for several names", () => {
  it("are shown by server name; others get the one of the server", async () => {
    await using server = await startEcho({ ...MAIN, certificates });
    const names = ["b.example", "a.c.example", "localhost", "c.example", "a.b.c.example", "x.b.example", ""];
    const shown = [];
    for (const name of names) shown.push(await shownFor(server, name));
    assertEquals(shown, ["other-name", "other-name", "leaf", "leaf", "leaf", "leaf", "leaf"]);
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    for (const [serverName, root] of [["b.example", "client-ca.pem"], ["", "ca.pem"]]) {
      const options = { serverName, rootCertificateFile: tlsFile(root!) };
      await using client = new WebSocketClient(`wss://localhost:${server.address!.port}/`, options);
      await client.connect();
      for (const message of ["hi", large, large, "bye"]) {
        client.send(message);
        assertEquals(await client.receive(), message);
      }
      assertEquals((await client.disconnect())?.clean, true);
    }
  });

  it("lose nothing at the end of a connection, whose last writes come close together", async () => {
    await using server = await startEcho({ ...MAIN, certificates });
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    for (let turn = 0; turn < 20; turn++) {
      const url = `wss://localhost:${server.address!.port}/`;
      await using client = new WebSocketClient(url, { rootCertificateFile: tlsFile("ca.pem") });
      await client.connect();
      for (const message of ["hi", large, large, "bye"]) {
        client.send(message);
        assertEquals(await client.receive(), message);
      }
      assertEquals((await client.disconnect())?.clean, true);
    }
  });

  it("are found in a first message that comes in many pieces", async () => {
    await using server = await startEcho({ ...MAIN, certificates });
    const relay = createServer((socket) => {
      const target = connectTcp({ port: server.address!.port, host: "127.0.0.1", noDelay: true });
      target.pipe(socket);
      let relayed = Promise.resolve();
      socket.on("data", (bytes: Uint8Array) => {
        for (let at = 0; at < bytes.length; at += 50) {
          const piece = bytes.subarray(at, at + 50);
          relayed = relayed.then(() => new Promise((resolve) => void target.write(piece, () => setImmediate(resolve))));
        }
      });
      socket.on("close", () => target.destroy());
      for (const one of [socket, target]) one.on("error", () => {});
    });
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    const { port } = relay.address() as AddressInfo;
    const options = { serverName: "b.example", rootCertificateFile: tlsFile("client-ca.pem") };
    const client = new WebSocketClient(`wss://127.0.0.1:${port}/`, options);
    await client.connect();
    client.send("x".repeat(1000));
    assertEquals(await client.receive(), "x".repeat(1000));
    await client.disconnect();
    await new Promise((resolve) => relay.close(resolve));
  });

  it("may be on a Unix socket", () =>
    inFolder(async (folder) => {
      const path = `${folder}/a.sock`;
      await using server = new WebSocketServer({ path, ...MAIN, certificates });
      await server.start();
      const options = { serverName: "b.example", rootCertificateFile: tlsFile("client-ca.pem") };
      await using client = new WebSocketClient(`wss+unix:${path}`, options);
      await client.connect();
      assertEquals(client.state, "open");
    }));

  it("can be replaced while the server runs, but neither be added nor taken away", async () => {
    await using server = await startEcho({ ...MAIN, certificates });
    await server.reloadCertificates({ certificates: [{ serverName: "d.example", ...NAMED }] });
    assertEquals([await shownFor(server, "b.example"), await shownFor(server, "d.example")], ["leaf", "other-name"]);
    await server.reloadCertificates({ certificate: read("other.pem"), certificateKey: read("other.key") });
    assertEquals([await shownFor(server, "b.example"), await shownFor(server, "d.example")], ["other", "other-name"]);
    await assertRejects(() => server.reloadCertificates({ certificates: [] }), StateError, '"certificates"');
    await using plain = await startEcho(MAIN);
    await assertRejects(() => plain.reloadCertificates({ certificates }), StateError, '"certificates"');
  });

  it("are checked one by one at the start", async () => {
    const wrong = { serverName: "a.example", certificate: read("leaf.pem"), certificateKey: read("other.key") };
    const server = new WebSocketServer({ port: 0, ...MAIN, certificates: [wrong] });
    const error = await assertRejects(() => server.start(), CertificateError);
    assertEquals(error.code, "ERR_KEY_MISMATCH");
    const plain = new WebSocketServer({ port: 0, certificates });
    await assertRejects(() => plain.start(), OptionError, '"certificates" needs "useSSL: true"');
  });

  it("let no peer hold up others, or stay in its handshake for longer than it may", async () => {
    const failed: string[] = [];
    await using server = await startEcho({
      ...MAIN,
      certificates,
      handshakeTimeout: 300,
      onLog: ({ event, error }) => void (event === "tls.handshake_failed" && failed.push(String(error))),
    });
    const { port } = server.address!;
    for (const hello of [new Uint8Array(0), Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00)]) {
      const socket = await RawSocket.connect(port);
      if (hello.length > 0) await socket.write(hello);
      assertEquals(await shownFor(server, "b.example"), "other-name");
      assertEquals(await socket.readText().catch(() => ""), "");
      await socket.close();
    }
    for (let index = 0; index < 10; index++) await (await RawSocket.connect(port)).close();
    const noTls = await RawSocket.connect(port);
    await noTls.write("GET / HTTP/1.1\r\n\r\n");
    await noTls.readText().catch(() => "");
    await noTls.close();
    await until(() => server.stats().connections.handshaking === 0, "the end of all handshakes");
    assertEquals(await shownFor(server, "b.example"), "other-name");
    // A stop does not wait for handshakes.
    const last = connectTcp({ port, host: "127.0.0.1" });
    const ended = new Promise<void>((resolve) => last.on("close", () => resolve()));
    last.on("error", () => {});
    last.resume();
    await until(() => server.stats().connections.handshaking === 1, "the handshake");
    await server.stop();
    await ended;
  });
});

describe("assertNamedCertificates", () => {
  it("takes names and wildcards, and refuses what is none or given twice", () => {
    assertNamedCertificates(certificates);
    const faults: [entries: unknown[], part: string][] = [
      [[{ ...NAMED }], 'no "serverName"'],
      [[{ serverName: "", ...NAMED }], '"serverName" is ""'],
      [[{ serverName: "https://a.example", ...NAMED }], '"serverName" is'],
      [[{ serverName: "a.*.example", ...NAMED }], '"*." may stand at its begin'],
      [[{ serverName: "[::1]", ...NAMED }], "is no name"],
      [[{ serverName: "a.example" }, { serverName: "A.example" }], 'Two entries of "certificates"'],
      [[{ serverName: "a", certificate: "a.pem" }], 'is a path: use "certificateFile"'],
      [[{ serverName: "a", certificateFile: 1 }], "is no text"],
      [[{ serverName: "a", certificate: read("leaf.pem"), certificateFile: "a" }], "are both set"],
      [[{ serverName: "a", cert: "x" }], 'use "certificate"'],
      [["a.example"], 'An entry of "certificates"'],
    ];
    for (const [entries, part] of faults) assertThrows(() => assertNamedCertificates(entries), OptionError, part);
  });
});
