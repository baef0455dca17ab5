/**
 * PEM files of certificates: reading them, and checks before they are used.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { CertificateError, describe, OptionError } from "../base/errors.ts";
import { hasPemBlock, type PemData, pemText } from "../base/pem.ts";
import { failureText } from "./failure_text.ts";

const BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----";
/** The longest path, in characters: no system has longer ones, and PEM text is. */
const MAX_PATH = 1024;

/** Settings that have PEM: each holds the text, and one with `File` behind its name the path of a file. */
export type PemName = "certificate" | "certificateKey" | "rootCertificate" | "clientRootCertificate";

/** PEM texts and paths of PEM files; "" stands for none. */
export type PemSources =
  & { readonly [Name in PemName]?: PemData | undefined }
  & { readonly [Name in `${PemName}File`]?: string | undefined };

/** PEM text with its name for error messages: the path of its file, or its setting. */
export interface NamedPem {
  /** The text. */
  readonly text: string;
  /** The path of its file, or its setting. */
  readonly name: string;
}

/**
 * Checks that PEM is given once: as text, or as the path of a file.
 *
 * @param sources Settings, of which some may be `undefined`.
 * @throws {OptionError} If a text and a path are given for the same.
 */
export function assertOneSource(sources: PemSources): void {
  for (const name of ["certificate", "certificateKey", "rootCertificate", "clientRootCertificate"] as const) {
    if (!sources[name] || !sources[`${name}File`]) continue;
    throw new OptionError(`The settings "${name}" and "${name}File" are both set: give one of both`);
  }
}

/**
 * Reads what a setting of PEM names.
 *
 * @param sources The settings.
 * @param name The setting.
 * @returns The text; `undefined` if neither the setting nor that of the file is set.
 * @throws {CertificateError} If the file cannot be read.
 */
export async function readSource(sources: PemSources, name: PemName): Promise<NamedPem | undefined> {
  const data = sources[name];
  if (data) return { text: pemText(data), name };
  const file = sources[`${name}File`] ?? "";
  return file === "" ? undefined : { text: await readPem(file, `${name}File`), name: file };
}

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
  assertChain(certificate, certificateFile);
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
  const textSetting = setting.slice(0, -"File".length);
  if (file === "") {
    const message = `Cannot use TLS: "${setting}" is not set, nor is "${textSetting}"`;
    throw new CertificateError("ERR_CERTIFICATE_FILE", message);
  }
  // The error of the runtime would quote it whole, and it may be the key.
  if (hasPemBlock(file) || file.includes("\n") || file.includes("\0") || file.length > MAX_PATH) {
    const remedy = hasPemBlock(file) ? `: for PEM text use "${textSetting}"` : "";
    const message = `Cannot use TLS: "${setting}" is not the path of a file${remedy}`;
    throw new CertificateError("ERR_CERTIFICATE_FILE", message);
  }
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const message = `Cannot read the file "${file}" of "${setting}": ${failureText(cause, "read file")}`;
    throw new CertificateError("ERR_CERTIFICATE_FILE", message, { cause });
  }
}

/**
 * Reads certificates, all of which are checked: Bun ignores a damaged one that follows another.
 *
 * @param sources The settings.
 * @param name The setting that names them.
 * @returns Their text; "" if neither the setting nor that of the file is set.
 * @throws {CertificateError} If a file cannot be read, there is no certificate, or one is damaged.
 */
export async function readCertificates(sources: PemSources, name: PemName): Promise<string> {
  const pem = await readSource(sources, name);
  if (pem === undefined) return "";
  parseCertificate(pem.text, pem.name);
  assertChain(pem.text, pem.name);
  return pem.text;
}

function assertChain(pem: string, file: string): void {
  for (const block of pem.split(BEGIN_CERTIFICATE).slice(1)) parseCertificate(BEGIN_CERTIFICATE + block, file);
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
