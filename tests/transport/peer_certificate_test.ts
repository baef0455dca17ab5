import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { concatAll, encode, tlsFile } from "../support/support.ts";
import { peerCertificate } from "../../transport/peer_certificate.ts";

const value = (tag: number, ...parts: Uint8Array[]): Uint8Array => {
  const body = concatAll(parts);
  return concatAll([Uint8Array.of(tag, 0x82, body.length >> 8, body.length & 255), body]);
};
const COMMON_NAME = Uint8Array.of(0x55, 4, 3), ORGANIZATION = Uint8Array.of(0x55, 4, 10);
const UTF8 = 0x0c, BMP = 0x1e;
const attribute = (type: Uint8Array, text: Uint8Array, tag = UTF8): Uint8Array =>
  value(0x30, value(6, type), value(tag, text));

/** A certificate of which only the subject matters. */
function withSubject(...sets: Uint8Array[][]): Uint8Array {
  const empty = value(0x30);
  const subject = value(0x30, ...sets.map((set) => value(0x31, ...set)));
  return value(0x30, value(0x30, value(0xa0), value(2, Uint8Array.of(1)), empty, empty, empty, subject));
}

const namesOf = (der: Uint8Array): readonly string[] => peerCertificate(der).commonNames;

describe("peerCertificate", () => {
  it("has common names, fingerprint and bytes of a certificate", () => {
    for (const [file, name] of [["client.pem", "client.example"], ["leaf.pem", "localhost"]]) {
      const known = new X509Certificate(readFileSync(tlsFile(file!)));
      const { commonNames, fingerprint256, der } = peerCertificate(known.raw);
      assertEquals(commonNames, [name!]);
      assertEquals(fingerprint256, known.fingerprint256.replaceAll(":", "").toLowerCase());
      assertEquals(new X509Certificate(der).serialNumber, known.serialNumber);
    }
  });

  it("lists all common names, and takes none out of another attribute", () => {
    const name = attribute(COMMON_NAME, encode("a")), other = attribute(COMMON_NAME, encode("b"));
    assertEquals(namesOf(withSubject([name], [other])), ["a", "b"]);
    assertEquals(namesOf(withSubject([name, other])), ["a", "b"]);
    assertEquals(namesOf(withSubject([attribute(ORGANIZATION, encode("x/CN=a\nCN=a"))])), []);
    assertEquals(namesOf(withSubject([attribute(COMMON_NAME, encode("a\0.example"))])), ["a\0.example"]);
  });

  it("has none for another encoding, and for bytes that are no certificate", () => {
    for (
      const der of [
        withSubject([attribute(COMMON_NAME, Uint8Array.of(0, 97), BMP)]),
        withSubject([attribute(COMMON_NAME, Uint8Array.of(0xff))]),
        withSubject([attribute(COMMON_NAME, encode("a"))], [attribute(COMMON_NAME, Uint8Array.of(0xff))]),
        withSubject([value(0x30)]),
        withSubject([attribute(COMMON_NAME, encode("a"))]).slice(0, 40),
        new Uint8Array(0),
      ]
    ) assertEquals(namesOf(der), []);
  });
});
