/**
 * PEM files of certificates: reading them, and checks before they are used.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { CertificateError, describe } from "../base/errors.ts";
import { failureText } from "./failure_text.ts";

const BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----";
/** The longest path, in characters: no system has longer ones, and PEM text is. */
const MAX_PATH = 1024;

/**
 * Checks that a key belongs to a certificate.
 *
 * @param certificate The certificate, and perhaps its chain, as PEM.
 * @param key The key as PEM, not encrypted.
 * @param certificateFile The name of the certificate's file, for error messages.
 * @param keyFile The name of the key's file, for error messages.
 * @throws {CertificateError} If the certificate cannot be read, or the key is another one's.
 */
export function assertKeyMatches(certificate: string, key: string, certificateFile: string, keyFile: string): void {
  const parsed = parseCertificate(certificate, certificateFile);
  if (!parsed.checkPrivateKey(createPrivateKey(key))) {
    throw new CertificateError(
      "ERR_KEY_MISMATCH",
      `The key "${keyFile}" does not belong to the certificate "${certificateFile}"`,
    );
  }
}

/**
 * Checks that a TLS server can use its certificate: a broken chain, or a kind of key that TLS does not know, would
 * otherwise fail in each handshake.
 *
 * @param certificate The certificates.
 * @param key The private key, not encrypted.
 * @param certificateFile The file of the certificates, for error messages.
 * @throws {CertificateError} If it cannot.
 */
export function assertServable(certificate: string, key: string, certificateFile: string): void {
  // Deno does not look at the chain before a client does.
  for (const block of certificate.split(BEGIN_CERTIFICATE).slice(1)) {
    parseCertificate(BEGIN_CERTIFICATE + block, certificateFile);
  }
  try {
    createSecureContext({ cert: certificate, key });
  } catch (cause) {
    const message = `The certificates in "${certificateFile}" cannot be used for TLS: ${describe(cause)}`;
    throw new CertificateError("ERR_CERTIFICATE", message, { cause });
  }
}

/**
 * Reads a PEM file.
 *
 * @param file Its name.
 * @param setting The setting that names it, for error messages.
 * @returns Its text.
 * @throws {CertificateError} If the setting is empty, or the file cannot be read.
 */
export async function readPem(file: string, setting: string): Promise<string> {
  if (file === "") throw new CertificateError("ERR_CERTIFICATE_FILE", `Cannot use TLS: "${setting}" is not set`);
  // The error of the runtime would quote it whole, and it may be the key.
  if (file.includes("-----BEGIN ") || file.includes("\n") || file.includes("\0") || file.length > MAX_PATH) {
    throw new CertificateError("ERR_CERTIFICATE_FILE", `Cannot use TLS: "${setting}" is not the path of a file`);
  }
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const message = `Cannot read the file "${file}" of "${setting}": ${failureText(cause, "read file")}`;
    throw new CertificateError("ERR_CERTIFICATE_FILE", message, { cause });
  }
}

/**
 * Reads a PEM file that must hold a certificate.
 *
 * @param file Its name.
 * @param setting The setting that names it, for error messages.
 * @returns Its text.
 * @throws {CertificateError} If the file cannot be read, or its first certificate is none.
 */
export async function readCertificates(file: string, setting: string): Promise<string> {
  const pem = await readPem(file, setting);
  parseCertificate(pem, file);
  return pem;
}

function parseCertificate(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    // The runtimes' words are about a parser: "nom error: Eof".
    const fault = pem.includes(BEGIN_CERTIFICATE) ? "a certificate in it is damaged" : "it has no certificate in PEM";
    const message = `The certificate "${file}" cannot be read: ${fault}`;
    throw new CertificateError("ERR_CERTIFICATE", message, { cause });
  }
}
