import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { OptionError } from "../../base/errors.ts";
import { assertPem, hasPemBlock, pemText } from "../../base/pem.ts";
import { encode } from "../support/support.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("pemText", () => {
  it("gives the text of bytes, and text as it is", () => {
    assertEquals([pemText(PEM), pemText(encode(PEM))], [PEM, PEM]);
    assertEquals([hasPemBlock(PEM), hasPemBlock("cert.pem")], [true, false]);
  });
});

describe("assertPem", () => {
  it("takes text and bytes with a block, with text before it too, and nothing", () => {
    for (const value of ["", PEM, encode(PEM), `subject=x\n${PEM}`]) assertPem(value, "certificate");
  });

  it("names a path, DER, and values that are neither text nor bytes, and shows no value", () => {
    const faults: [value: unknown, part: string][] = [
      ["/etc/secret.key", 'is a path: use "certificateKeyFile"'],
      ["secret.pem", 'is a path: use "certificateKeyFile"'],
      ["./secret", 'is a path: use "certificateKeyFile"'],
      [encode("secret.pem"), 'is a path: use "certificateKeyFile"'],
      [Uint8Array.of(0x30, 0x82, 1, 1), "is DER"],
      ["secretsecret", "has no PEM block"],
      ["secret\nsecret.pem", "has no PEM block"],
      ["/secret".repeat(1000), "has no PEM block"],
      [new Uint8Array(0), "has no PEM block"],
      [17, 'neither PEM text nor its bytes: it is of type "number"'],
      [["secret"], 'is of type "object"'],
      [null, 'is of type "object"'],
    ];
    for (const [value, part] of faults) {
      const error = assertThrows(() => assertPem(value, "certificateKey"), OptionError, part);
      assert(!error.message.includes("secret"), error.message);
    }
  });
});
