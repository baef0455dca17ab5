import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { readFileSync } from "node:fs";
import { CertificateError } from "../../base/errors.ts";
import { loadPrivateKey } from "../../base/private_key.ts";
import { tlsFile } from "../support/support.ts";

const read = (name: string): string => readFileSync(tlsFile(name), "utf8");
const plain = read("leaf.key");
const secret = (): string => "secret";

describe("loadPrivateKey", () => {
  it("takes a key that is not encrypted, without asking", async () => {
    const ask = (): string => {
      throw new Error("asked");
    };
    const key = await loadPrivateKey(plain, "leaf.key", ask);
    assertEquals(key.startsWith("-----BEGIN PRIVATE KEY-----"), true);
    assertEquals(await loadPrivateKey(read("traditional.key"), "traditional.key", ask), key);
  });

  const encrypted = [
    "pkcs8-aes128-sha1.key",
    "pkcs8-aes192-sha256.key",
    "pkcs8-aes256-sha512.key",
    "pkcs8-des3.key",
    "traditional-aes192.key",
    "traditional-aes256.key",
    "traditional-ec.key",
    "traditional-des3.key",
  ];
  for (const name of encrypted) {
    it(`decrypts ${name} with the pass phrase, given now or later`, async () => {
      const expected = await loadPrivateKey(name.includes("-ec.") ? read("ec.key") : plain, "plain");
      assertEquals(await loadPrivateKey(read(name), name, secret), expected);
      assertEquals(await loadPrivateKey(read(name), name, () => Promise.resolve("secret")), expected);
    });

    it(`says that the pass phrase of ${name} is wrong`, async () => {
      for (const wrong of ["", "Secret", "secret ", "x".repeat(1000)]) {
        const error = await assertRejects(() => loadPrivateKey(read(name), name, () => wrong), CertificateError, name);
        assertEquals(error.code, "ERR_KEY_PASSWORD_WRONG");
      }
    });

    it(`says that ${name} needs a pass phrase`, async () => {
      const error = await assertRejects(() => loadPrivateKey(read(name), name), CertificateError, "onGetSSLPassword");
      assertEquals(error.code, "ERR_KEY_PASSWORD_MISSING");
    });
  }

  for (const name of ["pkcs8-scrypt.key", "pkcs8-camellia.key", "traditional-camellia.key"]) {
    it(`says that the encryption of ${name} is not supported`, async () => {
      const error = await assertRejects(() => loadPrivateKey(read(name), name, secret), CertificateError, "AES-256");
      assertEquals(error.code, "ERR_KEY_CIPHER_UNSUPPORTED");
    });
  }

  it("finds the key in a file with a certificate, before or behind it", async () => {
    const expected = await loadPrivateKey(plain, "leaf.key");
    for (const text of [`${read("leaf.pem")}\n${plain}`, `${plain}\n${read("leaf.pem")}`]) {
      assertEquals(await loadPrivateKey(text, "both.pem"), expected);
    }
  });

  it("rejects a file that is no key, or a damaged one", async () => {
    const cut = read("pkcs8-aes256-sha512.key").split("\n").slice(0, 5).join("\n");
    const damaged = [
      "",
      "no key",
      read("leaf.pem"),
      cut,
      `${cut}\n-----END ENCRYPTED PRIVATE KEY-----\n`,
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n!!!\n-----END ENCRYPTED PRIVATE KEY-----\n",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIT//////w==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ];
    for (const text of damaged) {
      const error = await assertRejects(() => loadPrivateKey(text, "x.key", secret), CertificateError, "x.key");
      assertEquals(error.code, "ERR_KEY");
    }
  });

  it("passes on an error thrown by the pass phrase provider", async () => {
    const fail = (): Promise<string> => Promise.reject(new Error("vault is closed"));
    await assertRejects(() => loadPrivateKey(read("pkcs8-des3.key"), "x", fail), Error, "vault is closed");
  });
});
