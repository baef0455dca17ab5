/** Servers that ask clients for certificates. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { CertificateError, OptionError } from "../../base/errors.ts";
import {
  type PeerCertificate,
  WebSocketClient,
  type WebSocketClientOptions,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { startEcho, tlsFile } from "../support/support.ts";
import { inFolder } from "../support/unix.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const TLS = { useSSL: true, certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const ROOTS = { clientRootCertificateFile: tlsFile("client-ca.pem") };
const identity = (name: string): WebSocketClientOptions => ({
  certificateFile: tlsFile(`${name}.pem`),
  certificateKeyFile: tlsFile(`${name}.key`),
});
const GOOD = identity("client");
/** Of another authority, out of date, and for servers only. */
const BAD = { other: identity("other"), expired: identity("client-expired"), server: identity("other-name") };

interface Asking {
  server: WebSocketServer;
  seen: (PeerCertificate | undefined)[];
  failed: string[];
}

async function start(options: WebSocketServerOptions): Promise<Asking> {
  const seen: Asking["seen"] = [];
  const failed: string[] = [];
  const server = await startEcho({
    ...TLS,
    ...ROOTS,
    ...options,
    onConnect: ({ peerCertificate }) => void seen.push(peerCertificate),
    onLog: ({ error }) => void (error !== undefined && failed.push(String(error))),
  });
  return { server, seen, failed };
}

/** Tells if a client gets an answer. */
async function isServed(server: WebSocketServer, options: WebSocketClientOptions): Promise<boolean> {
  await using client = new WebSocketClient(`wss://localhost:${server.address!.port}/`, {
    rootCertificateFile: tlsFile("ca.pem"),
    ...options,
  });
  try {
    await client.connect();
    client.send("hi");
    return await client.receive() === "hi";
  } catch {
    return false;
  }
}

// The second way is taken by servers with certificates for several names.
const NAMES = [{ serverName: "b.example", ...identity("other-name") as { certificateFile: string } }];
const WAYS: [name: string, more: WebSocketServerOptions][] = [["", {}], [" beside names", { certificates: NAMES }]];

for (const [way, more] of WAYS) {
  describe(`clientCertificate${way}`, () => {
    it("lets in by 'require' only clients with a certificate of the authority", async () => {
      const { server, seen, failed } = await start({ clientCertificate: "require", ...more });
      assertEquals(await isServed(server, GOOD), true);
      assertEquals(seen[0]?.commonNames, ["client.example"]);
      assertEquals(seen[0]?.fingerprint256.length, 64);
      const known = new X509Certificate(read("client.pem"));
      assertEquals(new X509Certificate(seen[0]!.der).serialNumber, known.serialNumber);
      for (const [name, options] of Object.entries({ none: {}, ...BAD })) {
        assertEquals(await isServed(server, options), false, name);
      }
      assertEquals(await isServed(server, GOOD), true);
      await server.stop();
      assertEquals([seen.length, failed.length >= 4], [2, true]);
    });

    it("lets in by 'request' clients without a certificate too, and none whose certificate is wrong", async () => {
      const { server, seen } = await start({ clientCertificate: "request", ...more });
      assertEquals([await isServed(server, {}), await isServed(server, GOOD)], [true, true]);
      assertEquals(seen.map((certificate) => certificate?.commonNames), [undefined, ["client.example"]]);
      for (const [name, options] of Object.entries(BAD)) assertEquals(await isServed(server, options), false, name);
      await server.stop();
      assertEquals(seen.length, 2);
    });
  });
}

describe("clientCertificate", () => {
  it("asks for none by default, and never trusts the authorities of the system", async () => {
    const seen: unknown[] = [];
    await using server = await startEcho({
      ...TLS,
      onConnect: ({ peerCertificate }) => void seen.push(peerCertificate),
    });
    assertEquals([await isServed(server, GOOD), seen], [true, [undefined]]);
    await using plain = await startEcho({ onConnect: ({ peerCertificate }) => void seen.push(peerCertificate) });
    await using client = new WebSocketClient(`ws://localhost:${plain.address!.port}/`);
    await client.connect();
    assertEquals(seen, [undefined, undefined]);
  });

  it("takes other authorities while the server runs", async () => {
    const { server } = await start({ clientCertificate: "require" });
    await server.reloadCertificates({ clientRootCertificate: read("ca.pem") });
    assertEquals(await isServed(server, GOOD), false);
    await server.reloadCertificates({ clientRootCertificate: read("ca.pem") + read("client-ca.pem") });
    assertEquals(await isServed(server, GOOD), true);
    await server.stop();
  });

  it("works on a Unix socket", () =>
    inFolder(async (folder) => {
      const path = `${folder}/a.sock`;
      const names: unknown[] = [];
      await using server = new WebSocketServer({
        path,
        ...TLS,
        ...ROOTS,
        clientCertificate: "require",
        onOpen: ({ peerCertificate }) => void names.push(peerCertificate?.commonNames),
      });
      await server.start();
      await using client = new WebSocketClient(`wss+unix:${path}`, { rootCertificate: read("ca.pem"), ...GOOD });
      await client.connect();
      assertEquals(names, [["client.example"]]);
    }));

  it("needs TLS and authorities", async () => {
    const starting = (options: WebSocketServerOptions) => new WebSocketServer({ port: 0, ...options }).start();
    await assertRejects(
      () => starting({ clientCertificate: "require", ...ROOTS }),
      OptionError,
      '"clientCertificate" needs "useSSL: true"',
    );
    await assertRejects(() => starting({ ...TLS, ...ROOTS }), OptionError, 'needs "clientCertificate"');
    const missing = { ...TLS, clientCertificate: "request" as const };
    await assertRejects(() => starting(missing), CertificateError, 'nor is "clientRootCertificate"');
    const damaged = { ...missing, clientRootCertificate: read("client.key") };
    await assertRejects(() => starting(damaged), CertificateError, '"clientRootCertificate" cannot be read');
    assertThrows(() => new WebSocketServer({ clientCertificate: "yes" as "request" }), OptionError, '"request"');
  });
});
