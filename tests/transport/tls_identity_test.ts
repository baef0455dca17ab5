import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { CertificateError, HandlerError } from "../../base/errors.ts";
import { loadIdentity } from "../../transport/tls_identity.ts";
import { tlsFile } from "../support/support.ts";

const files = {
  certificateFile: tlsFile("leaf.pem"),
  certificateKeyFile: tlsFile("leaf.key"),
  rootCertificateFile: "",
};

describe("loadIdentity", () => {
  it("gives certificate and key, with more certificates of the chain behind the first", async () => {
    const alone = await loadIdentity(files, undefined);
    const chain = await loadIdentity({ ...files, rootCertificateFile: tlsFile("ca.pem") }, undefined);
    assert(chain.certificate.startsWith(alone.certificate) && chain.certificate.length > alone.certificate.length);
    assertEquals(chain.key, alone.key);
  });

  it("refuses the key of another certificate", async () => {
    const other = { ...files, certificateKeyFile: tlsFile("other.key") };
    const error = await assertRejects(() => loadIdentity(other, undefined), CertificateError, "other.key");
    assertEquals(error.code, "ERR_KEY_MISMATCH");
  });

  it("reports a provider of pass phrases that throws, or returns no string", async () => {
    const encrypted = { ...files, certificateKeyFile: tlsFile("pkcs8-des3.key") };
    const ask = [() => undefined, () => Promise.reject(new Error("vault is closed"))];
    for (const askPassword of ask) {
      const error = await assertRejects(() => loadIdentity(encrypted, askPassword), HandlerError, "onGetSSLPassword");
      assertEquals(error.code, "ERR_HANDLER");
    }
  });
});
