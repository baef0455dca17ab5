/**
 * Texts for the errors of the runtimes, the same on each: the reason and the remedy, with the code of the system.
 *
 * Deno and Bun name the same failure in different words ("Connection refused (os error 111)", "Failed to connect"), and
 * TLS failures have names of libraries. The error itself stays the `cause`.
 *
 * @module
 */

import { describe } from "../base/errors.ts";

/** Action that failed: some codes mean another thing for each. */
export type FailedAction = "connect" | "listen" | "open socket" | "read file";

/** Text for a code of the operating system or of the resolver. */
type Reason = string | Readonly<Partial<Record<FailedAction, string>>>;

const UNKNOWN_HOST = "the host name is not known";
const NO_PERMISSION = "the system does not permit it";

/** Bun reports a network or host that cannot be reached as ECONNREFUSED too (`findings/bun_connect_refused.sh`). */
const REASONS: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  ["ECONNREFUSED", "nothing accepts connections there"],
  ["ECONNRESET", "the peer has reset the connection"],
  ["ECONNABORTED", "the connection was aborted"],
  ["EPIPE", "the peer has closed the connection"],
  ["ETIMEDOUT", "there was no answer in time"],
  ["EHOSTUNREACH", "the host cannot be reached"],
  ["ENETUNREACH", "the network cannot be reached"],
  ["ENETDOWN", "the network is down"],
  ["EHOSTDOWN", "the host is down"],
  ["ENOTFOUND", UNKNOWN_HOST],
  ["ENODATA", UNKNOWN_HOST],
  ["EAI_NONAME", UNKNOWN_HOST],
  ["EAI_AGAIN", "the host name cannot be looked up now"],
  ["EADDRINUSE", {
    listen: "the port is in use already",
    connect: "no local port is free",
    "open socket": "there is a file of that name already",
  }],
  ["EADDRNOTAVAIL", {
    listen: "this machine does not have the address",
    connect: "this machine has no address or port to connect from",
  }],
  ["EAFNOSUPPORT", "this machine does not have addresses of that kind"],
  ["EACCES", {
    listen: "the system does not permit it: ports below 1024 need a privilege, or another port",
    connect: NO_PERMISSION,
    "open socket": "the process may not write to its folder",
    "read file": "the process may not read it",
  }],
  ["EPERM", NO_PERMISSION],
  ["EMFILE", "the process has too many open files"],
  ["ENFILE", "the system has too many open files"],
  ["ENOBUFS", "the system has no memory for it"],
  ["ENOENT", {
    connect: "there is no such file",
    "open socket": "its folder does not exist",
    "read file": "there is no such file",
  }],
  ["ENOTDIR", "there is no such file: a part of the path is not a directory"],
  ["EISDIR", "it is a directory"],
  ["ELOOP", "its links lead in a circle"],
  ["ENAMETOOLONG", "the path is too long"],
]);

/** Codes of failures that Deno reports in words only. */
const CODES_BY_WORDS: readonly (readonly [words: string, code: string])[] = [
  ["Temporary failure in name resolution", "EAI_AGAIN"],
  ["failed to lookup address information", "ENOTFOUND"],
  ["invalid host", "ENOTFOUND"],
];

/** Parts of the message, or the code, of a TLS failure, and the text for them. The first that fits counts. */
const TLS_REASONS: readonly (readonly [marks: readonly string[], text: string])[] = [
  [
    ["not valid for name", "NotValidForName", "ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"],
    "the certificate of the server is for other names",
  ],
  [["CaUsedAsEndEntity"], "the certificate of the server is one of an authority: issue one for the server with it"],
  [
    [
      "UnknownIssuer",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT",
      "SELF_SIGNED_CERT",
    ],
    'the certificate of the server is not trusted: set "rootCertificateFile" to that of its authority',
  ],
  [["certificate: Expired", "certificate expired", "CERT_HAS_EXPIRED"], "the certificate of the server has expired"],
  [
    ["NotValidYet", "not valid yet", "CERT_NOT_YET_VALID"],
    "the certificate of the server is not valid yet, or the clock of this machine is wrong",
  ],
  [
    ["unexpected end of file", "disconnected before secure TLS", "inside the TLS handshake"],
    "the server has left inside the TLS handshake: perhaps it does not speak TLS on this port",
  ],
  [["without sending TLS close_notify"], "the server has ended the connection without the closing alert of TLS"],
  [["BadEncoding"], 'a certificate of the server, or in "rootCertificateFile", is damaged'],
  [
    ["CertificateRequired", "CERTIFICATE_REQUIRED"],
    'the server wants a certificate of the client: set "certificateFile" and "certificateKeyFile"',
  ],
  [["NoApplicationProtocol", "NO_APPLICATION_PROTOCOL"], "the server does not speak HTTP/1.1 on this port (ALPN)"],
  [["ProtocolVersion", "PROTOCOL_VERSION"], "client and server have no version of TLS in common"],
  [["HandshakeFailure", "HANDSHAKE_FAILURE"], "the server has refused the TLS handshake"],
  [["UnrecognizedName", "UNRECOGNIZED_NAME", "UnrecognisedName"], "the server does not serve the host name"],
];

/** Marks of bytes that are not TLS. */
const NOT_TLS = ["InvalidContentType", "WRONG_VERSION_NUMBER", "wrong version number", "HTTP_REQUEST", "http request"];

/**
 * Explains why an action of the runtime failed.
 *
 * @param error The error of the runtime.
 * @param action The action.
 * @returns The reason, and the code of the system in brackets; the text of the runtime if neither is known.
 */
export function failureText(error: unknown, action: FailedAction = "connect"): string {
  const code = codeOf(error);
  const own = describe(error);
  const tls = action === "connect" ? tlsReason(code, own) : undefined;
  if (tls !== undefined) return tls;
  const reason = REASONS.get(code);
  const text = typeof reason === "object" ? reason[action] : reason;
  if (text !== undefined) return `${text} (${code})`;
  return code === "" || own.includes(code) ? own : `${own} (${code})`;
}

/** The bytes are not known any more: those of a proxy look the same. */
const NO_TLS_OF_CLIENT =
  'The client does not speak TLS, as this port does: it is to use "wss:"; or it is a proxy that ' +
  'sends the PROXY protocol: set "proxyProtocol", and list it in "trustedProxies"';

/**
 * Explains why a TLS handshake failed on a server.
 *
 * @param error The error of the runtime.
 * @returns The reason.
 */
export function serverTlsText(error: unknown): string {
  const text = describe(error);
  return isNotTls(codeOf(error), text) ? NO_TLS_OF_CLIENT : text;
}

function tlsReason(code: string, text: string): string | undefined {
  if (isNotTls(code, text)) return 'the server does not speak TLS on this port: use "ws:", or "useSSL: false"';
  return TLS_REASONS.find(([marks]) => hasMark(marks, code, text))?.[1];
}

function isNotTls(code: string, text: string): boolean {
  return hasMark(NOT_TLS, code, text);
}

function hasMark(marks: readonly string[], code: string, text: string): boolean {
  return marks.some((mark) => code.includes(mark) || text.includes(mark));
}

/** Returns "" if there is no code. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return CODES_BY_WORDS.find(([words]) => error.message.includes(words))?.[1] ?? "";
}
