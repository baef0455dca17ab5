/**
 * The certificate that a client has shown to a server.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { hex } from "../base/encoding.ts";
import type { PeerCertificate } from "./transport.ts";
import { children, contents, type DerValue, readValue, Tag } from "../base/der.ts";

/** Object identifier 2.5.4.3, the hexadecimal form of its DER contents. */
const COMMON_NAME = "550403";
/** Kinds of strings that are UTF-8: UTF8String, PrintableString, IA5String. */
const UTF8_TAGS = [0x0c, 0x13, 0x16];
/** Tag of the version, which a certificate of version 1 does not have. */
const VERSION = 0xa0;

/**
 * Reads a certificate that TLS has checked.
 *
 * @param raw The certificate in DER.
 * @returns The certificate.
 */
export function peerCertificate(raw: Uint8Array): PeerCertificate {
  // Not a view of memory of the runtime.
  const der = Uint8Array.from(raw);
  return { commonNames: commonNamesOf(der), fingerprint256: createHash("sha256").update(der).digest("hex"), der };
}

/** RFC 5280 §4.1. */
function commonNamesOf(der: Uint8Array<ArrayBuffer>): string[] {
  try {
    const [body] = children(readValue(der, 0, Tag.Sequence).value);
    const fields = children(contents(body, Tag.Sequence));
    if (fields[0]?.tag === VERSION) fields.shift();
    // Serial number, signature algorithm, issuer, validity.
    const names = children(contents(fields[4], Tag.Sequence)).flatMap(({ value }) => children(value));
    return names.map((name) => children(contents(name, Tag.Sequence))).filter(isCommonName).map(textOf);
  } catch {
    return [];
  }
}

function isCommonName([type]: DerValue[]): boolean {
  return hex(contents(type, Tag.ObjectIdentifier)) === COMMON_NAME;
}

function textOf([, text]: DerValue[]): string {
  if (text === undefined || !UTF8_TAGS.includes(text.tag)) throw new Error("it is in another encoding");
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text.value);
}
