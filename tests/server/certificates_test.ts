import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { CertificateError, OptionError } from "../../base/errors.ts";
import { WebSocketClient, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { replacedCertificates } from "../../server/certificates.ts";
import { startEcho, tlsFile } from "../support/support.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(tlsFile(name)));
const FILES = { certificateFile: tlsFile("leaf.pem"), certificateKeyFile: tlsFile("leaf.key") };
const TEXTS = { certificate: read("leaf.pem"), certificateKey: read("leaf.key") };

const other = { certificate: read("other-name.pem"), certificateKey: read("other-name.key") };

/** Tells if a client that trusts `root` takes the server for `serverName`. */
async function accepts(server: WebSocketServer, root: string, serverName: string): Promise<boolean> {
  const options = { rootCertificateFile: tlsFile(root), serverName };
  await using client = new WebSocketClient(`wss://127.0.0.1:${server.address!.port}/`, options);
  return await client.connect().then(() => true, () => false);
}

describe("certificates of a server as PEM", () => {
  const ways: [name: string, options: WebSocketServerOptions][] = [
    ["text", TEXTS],
    ["bytes", { certificate: bytesOf("leaf.pem"), certificateKey: bytesOf("leaf.key") }],
    ["text and a file", { certificate: TEXTS.certificate, certificateKeyFile: FILES.certificateKeyFile }],
    ["text with an encrypted key", {
      certificate: TEXTS.certificate,
      certificateKey: read("pkcs8-aes256-sha512.key"),
      rootCertificate: bytesOf("ca.pem"),
      onGetSSLPassword: () => "secret",
    }],
  ];
  for (const [name, options] of ways) {
    it(`are shown: ${name}`, async () => {
      await using server = await startEcho({ useSSL: true, ...options });
      assertEquals(await accepts(server, "ca.pem", "localhost"), true);
    });
  }

  it("are refused beside a path, as a path, and without TLS", async () => {
    for (const name of ["certificate", "certificateKey", "rootCertificate"] as const) {
      const both = { useSSL: true, [name]: read("leaf.pem"), [`${name}File`]: "a.pem" };
      assertThrows(() => new WebSocketServer(both), OptionError, `"${name}" and "${name}File" are both set`);
      assertThrows(() => new WebSocketServer({ [name]: "a.pem" }), OptionError, `is a path: use "${name}File"`);
      const plain = { port: 0, [name]: read("leaf.pem") };
      await assertRejects(() => new WebSocketServer(plain).start(), OptionError, `"${name}" needs "useSSL: true"`);
    }
    const server = new WebSocketServer({ port: 0, useSSL: true, ...FILES });
    server.certificate = TEXTS.certificate;
    await assertRejects(() => server.start(), OptionError, '"certificate" and "certificateFile" are both set');
  });

  it("fail with the setting named, and no part of the key", async () => {
    const secret = TEXTS.certificateKey.split("\n")[1]!;
    const faults: [options: WebSocketServerOptions, code: string, part: string][] = [
      [{ ...TEXTS, certificateKey: read("other.key") }, "ERR_KEY_MISMATCH", 'The key "certificateKey" does not belong'],
      [{ ...TEXTS, certificateKey: read("leaf.pem") }, "ERR_KEY", 'no private key in "certificateKey"'],
      [{ ...TEXTS, certificate: read("leaf.key") }, "ERR_CERTIFICATE", 'The certificate "certificate" cannot be read'],
      [{ ...TEXTS, rootCertificate: read("leaf.key") }, "ERR_CERTIFICATE", '"rootCertificate" cannot be read'],
      [
        { ...TEXTS, certificateKey: read("pkcs8-des3.key") },
        "ERR_KEY_PASSWORD_MISSING",
        '"certificateKey" is encrypted',
      ],
      [{ ...FILES, certificateKeyFile: TEXTS.certificateKey }, "ERR_CERTIFICATE_FILE", 'use "certificateKey"'],
      [{ certificateKey: TEXTS.certificateKey }, "ERR_CERTIFICATE_FILE", 'nor is "certificate"'],
    ];
    for (const [options, code, part] of faults) {
      const server = new WebSocketServer({ port: 0, hostname: "127.0.0.1", useSSL: true, ...options });
      const error = await assertRejects(() => server.start(), CertificateError, part);
      assertEquals(error.code, code);
      assert(!error.message.includes(secret), error.message);
    }
  });
});

describe("reloadCertificates", () => {
  it("takes other certificates while the server runs, which stay the settings", async () => {
    await using server = await startEcho({ useSSL: true, ...FILES });
    await server.reloadCertificates(other);
    const shown = async (): Promise<boolean[]> => [
      await accepts(server, "ca.pem", "localhost"),
      await accepts(server, "client-ca.pem", "b.example"),
    ];
    assertEquals(await shown(), [false, true]);
    assertEquals([server.certificate, server.certificateFile], [other.certificate, ""]);
    // Reads again what is there now.
    await server.reloadCertificates();
    assertEquals(await shown(), [false, true]);
    await server.stop();
    await server.start();
    assertEquals(await shown(), [false, true]);
    await server.reloadCertificates(FILES);
    assertEquals([await shown(), server.certificateKey], [[true, false], ""]);
  });

  it("changes nothing if the new ones cannot be used", async () => {
    await using server = await startEcho({ useSSL: true, ...TEXTS });
    await assertRejects(() => server.reloadCertificates({ certificate: other.certificate }), CertificateError);
    await assertRejects(() => server.reloadCertificates({ certificate: "a.pem" }), OptionError, "is a path");
    await assertRejects(() => server.reloadCertificates({ ...FILES, ...TEXTS }), OptionError, "are both set");
    await assertRejects(() => server.reloadCertificates({ cert: "x" } as object), OptionError, 'use "certificate"');
    assertEquals([server.certificate, await accepts(server, "ca.pem", "localhost")], [TEXTS.certificate, true]);
    assertThrows(() => server.certificate = other.certificate, Error, "the server is running");
  });

  it("sets the settings of a server that is stopped", async () => {
    const server = new WebSocketServer({ port: 0, useSSL: true, ...FILES });
    await server.reloadCertificates(other);
    assertEquals([server.certificateKeyFile, server.certificateKey], ["", other.certificateKey]);
  });
});

describe("replacedCertificates", () => {
  it("lets a text take the place of a path, and the reverse", () => {
    assertEquals(replacedCertificates({}, {}), {});
    assertEquals(replacedCertificates({ certificateFile: "a" }, {}), { certificateFile: "a", certificate: "" });
    assertEquals(replacedCertificates(other, {}), { ...other, certificateFile: "", certificateKeyFile: "" });
    assertEquals(replacedCertificates({ rootCertificate: "", certificateFile: undefined }, {}), {
      rootCertificate: "",
    });
  });
});
