/**
 * Certificate and key that a server or a client shows, from PEM texts or files.
 *
 * @module
 */

import { HandlerError } from "../base/errors.ts";
import {
  assertKeyMatches,
  assertOneSource,
  assertServable,
  type NamedPem,
  type PemName,
  type PemSources,
  readCertificates,
  readPem,
  readSource,
} from "./certificate.ts";
import { loadPrivateKey } from "../base/private_key.ts";
import type { ClientCheck, ServerIdentity, TlsIdentity } from "./transport.ts";

/** Asks the program for the pass phrase of an encrypted key. */
export type AskPassword = () => string | undefined | Promise<string | undefined>;

/**
 * Reads and checks certificate and key.
 *
 * @param sources Texts, or paths of files, of certificate and key, and of more certificates of the chain.
 * @param askPassword Asked if the key is encrypted.
 * @returns The texts.
 * @throws {OptionError} If a text and a path are given for the same.
 * @throws {CertificateError} If they cannot be used.
 * @throws {HandlerError} If `askPassword` fails.
 */
export async function loadIdentity(sources: PemSources, askPassword: AskPassword | undefined): Promise<TlsIdentity> {
  assertOneSource(sources);
  const certificate = await readNeeded(sources, "certificate");
  const keyText = await readNeeded(sources, "certificateKey");
  const key = await loadPrivateKey(keyText.text, keyText.name, askPassword && (() => passwordOf(askPassword)));
  assertKeyMatches(certificate.text, key, certificate.name, keyText.name);
  const roots = await readCertificates(sources, "rootCertificate");
  const chain = roots === "" ? certificate.text : `${certificate.text}\n${roots}`;
  assertServable(chain, key, certificate.name);
  return { certificate: chain, key };
}

/** Settings of what a server shows, and asks for. */
export interface ServerSources extends PemSources {
  /** Certificates for server names of their own. */
  readonly certificates: readonly NamedSources[];
  /** Certificates of clients. */
  readonly clientCertificate: "none" | "request" | "require";
}

/** Certificate and key for one server name. */
export interface NamedSources extends PemSources {
  /** The name; `*.` at its begin stands for one label. */
  readonly serverName: string;
}

/**
 * Reads and checks what a server shows, and asks for.
 *
 * @param sources Texts, or paths of files.
 * @param askPassword Asked for the pass phrase of each encrypted key.
 * @returns The texts.
 * @throws {OptionError} If a text and a path are given for the same.
 * @throws {CertificateError} If they cannot be used.
 * @throws {HandlerError} If `askPassword` fails.
 */
export async function loadServerIdentity(
  sources: ServerSources,
  askPassword: AskPassword | undefined,
): Promise<ServerIdentity> {
  const identity = await loadIdentity(sources, askPassword);
  const byName = new Map<string, TlsIdentity>();
  for (const named of sources.certificates) {
    byName.set(named.serverName.toLowerCase(), await loadIdentity(named, askPassword));
  }
  const clients = await loadClientCheck(sources);
  return { ...identity, byName: byName.size === 0 ? undefined : byName, clients };
}

async function loadClientCheck(sources: ServerSources): Promise<ClientCheck | undefined> {
  if (sources.clientCertificate === "none") return undefined;
  const roots = await readCertificates(sources, "clientRootCertificate");
  // Without a path this throws, and names both settings.
  return {
    roots: roots || await readPem("", "clientRootCertificateFile"),
    required: sources.clientCertificate === "require",
  };
}

async function readNeeded(sources: PemSources, name: PemName): Promise<NamedPem> {
  const pem = await readSource(sources, name);
  // Without a path this throws, and names both settings.
  return pem ?? { text: await readPem("", `${name}File`), name };
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
