/**
 * Certificate and key of a TLS server, from their files.
 *
 * @module
 */

import { HandlerError } from "../base/errors.ts";
import { assertKeyMatches, assertServable, readCertificates, readPem } from "./certificate.ts";
import { loadPrivateKey } from "./private_key.ts";
import type { TlsIdentity } from "./transport.ts";

/** Paths of PEM files. */
export interface IdentityFiles {
  /** The certificate; its chain may follow in it. */
  readonly certificateFile: string;
  /** The private key. */
  readonly certificateKeyFile: string;
  /** More certificates of the chain, or "". */
  readonly rootCertificateFile: string;
}

/** Asks the program for the pass phrase of an encrypted key. */
export type AskPassword = () => string | undefined | Promise<string | undefined>;

/**
 * Reads and checks certificate and key.
 *
 * @param files Paths of the files.
 * @param askPassword Asked if the key is encrypted.
 * @returns The texts.
 * @throws {CertificateError} If they cannot be used.
 * @throws {HandlerError} If `askPassword` fails.
 */
export async function loadIdentity(files: IdentityFiles, askPassword: AskPassword | undefined): Promise<TlsIdentity> {
  const { certificateFile, certificateKeyFile, rootCertificateFile } = files;
  let certificate = await readPem(certificateFile, "certificateFile");
  const keyText = await readPem(certificateKeyFile, "certificateKeyFile");
  const key = await loadPrivateKey(keyText, certificateKeyFile, askPassword && (() => passwordOf(askPassword)));
  assertKeyMatches(certificate, key, certificateFile, certificateKeyFile);
  if (rootCertificateFile !== "") {
    certificate += `\n${await readCertificates(rootCertificateFile, "rootCertificateFile")}`;
  }
  assertServable(certificate, key, certificateFile);
  return { certificate, key };
}

async function passwordOf(askPassword: AskPassword): Promise<string> {
  try {
    const password = await askPassword();
    if (typeof password === "string") return password;
  } catch (error) {
    throw new HandlerError("onGetSSLPassword", error);
  }
  throw new HandlerError("onGetSSLPassword", new Error("it returned no string"));
}
