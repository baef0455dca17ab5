/**
 * Faults of connecting that only a person can mend, as the errors of the platforms tell them.
 *
 * Each platform has its own: `name` of the error on Deno, `code` of Node's kind on Bun and in `node:tls`, a
 * `DOMException` in a page.
 *
 * @module
 */

import { HandlerError } from "../base/errors.ts";
import { isError } from "../base/thrown.ts";

/**
 * Fault of an attempt to connect: the program may not connect; the certificate is not trusted, or is for another name;
 * the certificate is out of date; the browser refuses the URL.
 */
export type ConnectFault = "permission" | "certificate" | "expired" | "url";

/** Begin of the messages of rustls. */
const RUSTLS = "invalid peer certificate: ";
/** In messages of rustls, with or without details. */
const RUSTLS_EXPIRED = ["certificate expired", "certificate not valid yet", "Expired", "NotValidYet"];

/** Faults by the `name` or `code` of an error. */
const FAULTS: ReadonlyMap<unknown, ConnectFault> = new Map<unknown, ConnectFault>([
  ["NotCapable", "permission"],
  ["PermissionDenied", "permission"],
  ["EACCES", "permission"],
  ["EPERM", "permission"],
  ["SecurityError", "url"],
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "expired"],
  ["CERT_CHAIN_TOO_LONG", "certificate"],
  ["CERT_REJECTED", "certificate"],
  ["CERT_REVOKED", "certificate"],
  ["CERT_SIGNATURE_FAILURE", "certificate"],
  ["CERT_UNTRUSTED", "certificate"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "certificate"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate"],
  ["HOSTNAME_MISMATCH", "certificate"],
  ["INVALID_CA", "certificate"],
  ["INVALID_PURPOSE", "certificate"],
  ["PATH_LENGTH_EXCEEDED", "certificate"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "certificate"],
  ["UNABLE_TO_GET_ISSUER_CERT", "certificate"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "certificate"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate"],
]);

/** Errors that are looked at, from the outermost on: a chain may lead back to its start. */
const MOST_CAUSES = 8;

/**
 * Finds the fault that an attempt to connect has failed with, in its error or what led to it. A failure of a handler of
 * the program counts as one of the network.
 *
 * @param error The error of the attempt.
 * @returns The fault; `undefined` if another attempt may succeed without a person.
 */
export function connectFault(error: unknown): ConnectFault | undefined {
  for (let left = MOST_CAUSES; left > 0 && isError(error, Error) && !isError(error, HandlerError); left--) {
    const { name, code, message, cause } = error as Error & { code?: unknown };
    const fault = FAULTS.get(code) ?? FAULTS.get(name);
    if (fault !== undefined) return fault;
    if (message.startsWith(RUSTLS)) return rustlsFault(message.slice(RUSTLS.length));
    error = cause;
  }
  return undefined;
}

function rustlsFault(detail: string): ConnectFault {
  return RUSTLS_EXPIRED.some((begin) => detail.startsWith(begin)) ? "expired" : "certificate";
}
