import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { CertificateError, OptionError } from "../../base/errors.ts";
import {
  assertKeyMatches,
  assertOneSource,
  assertServable,
  readCertificates,
  readPem,
  readSource,
} from "../../transport/certificate.ts";
import { encode, tlsFile } from "../support/support.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const plain = read("leaf.key");

describe("assertKeyMatches", () => {
  it("takes the key of a certificate, and refuses another's", () => {
    assertKeyMatches(read("leaf.pem"), plain, "leaf.pem", "leaf.key");
    const check = (): void => assertKeyMatches(read("leaf.pem"), read("other.key"), "leaf.pem", "other.key");
    const error = assertThrows(check, CertificateError, '"other.key" does not belong to the certificate "leaf.pem"');
    assertEquals(error.code, "ERR_KEY_MISMATCH");
  });

  it("rejects a file that is no certificate", () => {
    const error = assertThrows(
      () => assertKeyMatches("nothing", plain, "x.pem", "leaf.key"),
      CertificateError,
      "x.pem",
    );
    assertEquals(error.code, "ERR_CERTIFICATE");
  });
});

describe("assertServable", () => {
  it("takes a chain with its key, and refuses one that breaks off", () => {
    const chain = read("leaf.pem") + read("ca.pem");
    assertServable(chain, plain, "chain.pem");
    const check = (): void => assertServable(chain.slice(0, -300), plain, "chain.pem");
    const error = assertThrows(check, CertificateError, 'The certificate "chain.pem" cannot be read');
    assertEquals(error.code, "ERR_CERTIFICATE");
  });
});

describe("readPem", () => {
  it("names the setting that is empty, or holds the text instead of the path, and never shows that text", async () => {
    for (
      const [value, part] of [["", "is not set"], [plain, "is not the path of a file"], ["x".repeat(2000), "path"]]
    ) {
      const error = await assertRejects(() => readPem(value!, "certificateKeyFile"), CertificateError, part);
      assertEquals([error.code, error.message.includes("certificateKeyFile")], ["ERR_CERTIFICATE_FILE", true]);
      assertEquals(error.message.length < 100, true);
    }
  });

  it("names a file that cannot be read, with the cause", async () => {
    const error = await assertRejects(() => readPem(tlsFile("none.pem"), "certificateFile"), CertificateError);
    assertEquals([error.code, error.cause instanceof Error], ["ERR_CERTIFICATE_FILE", true]);
    assertEquals(await readPem(tlsFile("leaf.key"), "certificateKeyFile"), plain);
  });
});

describe("readCertificates", () => {
  it("takes a file with a certificate, and no other", async () => {
    assertEquals(await readCertificates({ rootCertificateFile: tlsFile("ca.pem") }, "rootCertificate"), read("ca.pem"));
    const error = await assertRejects(
      () => readCertificates({ rootCertificateFile: tlsFile("leaf.key") }, "rootCertificate"),
      CertificateError,
      "leaf.key",
    );
    assertEquals(error.code, "ERR_CERTIFICATE");
  });

  it("refuses one with a damaged certificate behind the first, and names its file or setting", async () => {
    const damaged = read("ca.pem") + read("ca.pem").slice(0, 300);
    await assertRejects(
      () => readCertificates({ rootCertificate: damaged }, "rootCertificate"),
      CertificateError,
      'The certificate "rootCertificate" cannot be read: a certificate in it is damaged',
    );
    assertEquals(await readCertificates({}, "rootCertificate"), "");
  });
});

describe("readSource", () => {
  it("reads text, bytes or a file, and names the setting or the file", async () => {
    const file = tlsFile("leaf.key");
    assertEquals(await readSource({ certificateKey: plain }, "certificateKey"), {
      text: plain,
      name: "certificateKey",
    });
    assertEquals(await readSource({ certificateKey: encode(plain) }, "certificateKey"), {
      text: plain,
      name: "certificateKey",
    });
    assertEquals(await readSource({ certificateKeyFile: file }, "certificateKey"), { text: plain, name: file });
    assertEquals(await readSource({ certificate: plain, certificateKeyFile: "" }, "certificateKey"), undefined);
  });
});

describe("assertOneSource", () => {
  it("refuses text beside a path", () => {
    assertOneSource({ certificate: plain, certificateFile: "", certificateKeyFile: "a" });
    const both = { rootCertificate: plain, rootCertificateFile: "a" };
    assertThrows(() => assertOneSource(both), OptionError, '"rootCertificate" and "rootCertificateFile" are both set');
  });
});
