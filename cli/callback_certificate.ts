/**
 * Explains why the certificate of a callback is refused: the runtimes say little, and each something else.
 *
 * @module
 */

import { checkServerIdentity, connect, type PeerCertificate } from "node:tls";
import { quote } from "../base/error_text.ts";

/** Time limit for the TLS handshake, in ms. */
const TIMEOUT = 10_000;
const PUBLIC =
  "Meta takes certificates of public authorities only, with the whole chain: use Let's Encrypt, or a tunnel";

/** A fault of a certificate. */
export interface CertificateFault {
  /** The fault, in words. */
  readonly failure: string;
  /** What mends it. */
  readonly remedy: string;
}

/**
 * Looks at the certificate that a server shows.
 *
 * @param url The URL of the server, https:.
 * @param now The time, in ms since 1970.
 * @returns What is wrong with the certificate; `undefined` if it cannot be fetched.
 */
export async function certificateFault(url: URL, now: number = Date.now()): Promise<CertificateFault | undefined> {
  const hostname = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  const certificate = await fetchCertificate(hostname, url.port === "" ? 443 : Number(url.port));
  return certificate === undefined ? undefined : faultOf(certificate, hostname, now);
}

/** Fetches a certificate without trusting it: nothing is sent to the server. */
function fetchCertificate(host: string, port: number): Promise<PeerCertificate | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, servername: serverName(host), rejectUnauthorized: false }, () => {
      end(socket.getPeerCertificate());
    });
    const end = (certificate: PeerCertificate | undefined): void => {
      socket.destroy();
      resolve(certificate !== undefined && Object.keys(certificate).length > 0 ? certificate : undefined);
    };
    socket.setTimeout(TIMEOUT, () => end(undefined));
    socket.on("error", () => end(undefined));
    socket.on("close", () => end(undefined));
  });
}

/** An IP address is no server name (RFC 6066 §3). */
function serverName(host: string): string {
  return host.includes(":") || Number.isInteger(Number(host.split(".").at(-1))) ? "" : host;
}

function faultOf(certificate: PeerCertificate, hostname: string, now: number): CertificateFault {
  const { valid_from, valid_to, subject, issuer } = certificate;
  const day = (text: string): string => new Date(text).toISOString().slice(0, 10);
  if (Date.parse(valid_to) < now) {
    return {
      failure: `its certificate has expired on ${day(valid_to)}`,
      remedy: "Renew it, and have the server read it",
    };
  }
  if (Date.parse(valid_from) > now) {
    return {
      failure: `its certificate is not valid before ${day(valid_from)}`,
      remedy: "Set the clock of this machine",
    };
  }
  if (JSON.stringify(subject) === JSON.stringify(issuer)) {
    return { failure: "its certificate is self-signed", remedy: PUBLIC };
  }
  if (checkServerIdentity(hostname, certificate) !== undefined) {
    const name = quote(String(subject?.CN ?? "?"));
    return { failure: `its certificate is for ${name}, not for this host`, remedy: `Get one for ${quote(hostname)}` };
  }
  const by = quote(String(issuer?.CN ?? issuer?.O ?? "?"));
  return {
    failure: `its certificate is not trusted: either its authority ${by} is not a public one, or the server does not ` +
      "send the whole chain",
    remedy: `Give the server the file with the chain, such as fullchain.pem. ${PUBLIC}`,
  };
}
