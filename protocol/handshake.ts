/**
 * The opening handshake of RFC 6455 §4, both sides, as pure functions of heads.
 *
 * @module
 */

import { assertProtocols } from "./subprotocol.ts";
import { HandshakeError, OptionError } from "../base/errors.ts";
import { joinCookies, separateCookies } from "./cookie.ts";
import { type Extension, formatExtensions, parseExtensions } from "./extensions.ts";
import { encodeHead, type Head, type HeaderFields, parseStatusLine } from "./head.ts";
import { isToken, isVisibleAscii } from "../base/token.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { createHash } from "node:crypto";

/** RFC 6455 §1.3: concatenated to the key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** The version of the protocol (RFC 6455 §4.1). */
const VERSION = "13";

/**
 * The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2).
 *
 * @param key The value of `Sec-WebSocket-Key`.
 * @returns The value in base64.
 *
 * @example The one of RFC 6455 §1.3
 * ```ts
 * import { acceptKey } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * ```
 */
export function acceptKey(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

/**
 * A fresh key: 16 random bytes in base64 (RFC 6455 §4.1).
 *
 * @returns The value for `Sec-WebSocket-Key`.
 */
export function createKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
}

// ---- The server's side ------------------------------------------------------------------------------------------

/** Checks that a server leaves out. */
export interface UpgradeChecks {
  /** Take a request by HTTP/1.0, and one without `Upgrade` and `Connection`: proxies make such of valid ones. */
  skipUpgradeCheck?: boolean | undefined;
  /** Take any `Sec-WebSocket-Version`. */
  skipVersionCheck?: boolean | undefined;
}

/** A valid request to open a WebSocket. */
export interface UpgradeRequest {
  /** The value of `Sec-WebSocket-Key`. */
  key: string;
  /** The subprotocols the client offers, in its order of preference. */
  protocols: string[];
  /** The extensions the client offers, in its order of preference. */
  extensions: Extension[];
}

/**
 * Tells whether a request wants to open a WebSocket, validly or not. All others are plain HTTP.
 *
 * @param fields Its header fields.
 * @returns `true` if it names the protocol or carries a key.
 */
export function wantsWebSocket(fields: HeaderFields): boolean {
  return includesToken(fields, "upgrade", "websocket") || fields.get("sec-websocket-key") !== undefined;
}

/**
 * Checks a request to open a WebSocket (RFC 6455 §4.2.1).
 *
 * @param method Its method.
 * @param minorVersion The minor HTTP version.
 * @param fields Its header fields.
 * @param checks Checks to leave out.
 * @returns The key and the offers of the client.
 * @throws {HandshakeError} With the status to answer with: 400, 405 or 426.
 */
export function checkUpgradeRequest(
  method: string,
  minorVersion: number,
  fields: HeaderFields,
  checks: UpgradeChecks = {},
): UpgradeRequest {
  if (method !== "GET") throw refusal(`The method is ${quote(method)}, a WebSocket is opened with GET`, 405);
  // RFC 9112 §3.2: HTTP/1.0 knows no Host.
  const hosts = fields.all("host").length;
  if (hosts !== 1 && (hosts > 1 || minorVersion > 0)) throw refusal("There must be one Host header");
  if (!checks.skipUpgradeCheck) {
    if (minorVersion < 1) {
      throw refusal('The HTTP version is 1.0, a WebSocket needs 1.1: see "skipUpgradeCheck" if a proxy asks so');
    }
    if (!includesToken(fields, "upgrade", "websocket")) throw refusal('The Upgrade header does not say "websocket"');
    if (!includesToken(fields, "connection", "upgrade")) throw refusal('The Connection header does not say "Upgrade"');
  }
  checkVersion(fields, checks.skipVersionCheck ?? false);
  const key = single(fields, "sec-websocket-key", "Sec-WebSocket-Key");
  if (key === undefined || !isKey(key)) throw refusal("Sec-WebSocket-Key is not 16 bytes in base64");
  const lengths = fields.all("content-length");
  if (fields.get("transfer-encoding") !== undefined || lengths.length > 1 || (lengths[0] ?? "0") !== "0") {
    throw refusal("A request to open a WebSocket has no body");
  }
  return { key, protocols: readProtocols(fields), extensions: parseExtensions(fields.all("sec-websocket-extensions")) };
}

function checkVersion(fields: HeaderFields, skip: boolean): void {
  if (skip) return;
  const version = single(fields, "sec-websocket-version", "Sec-WebSocket-Version");
  if (version === undefined) throw refusal("Sec-WebSocket-Version is missing");
  // RFC 6455 §4.2.2: 426 "and a Sec-WebSocket-Version header field indicating the version(s) the server is capable of".
  if (version !== VERSION) throw refusal(`Sec-WebSocket-Version is ${quote(version)}, 13 is supported`, 426);
}

function single(fields: HeaderFields, name: string, shown: string): string | undefined {
  const values = fields.all(name);
  if (values.length > 1) throw refusal(`There is more than one ${shown} header`);
  return values[0];
}

function includesToken(fields: HeaderFields, name: string, token: string): boolean {
  return fields.list(name).some((member) => member.toLowerCase() === token);
}

/** 16 bytes in base64: 22 characters, of which the last carries 4 bits that must be zero, and two of padding. */
function isKey(key: string): boolean {
  if (key.length !== 24 || !key.endsWith("==") || !"AQgw".includes(key[21]!)) return false;
  for (let at = 0; at < 22; at++) if (!isBase64Code(key.charCodeAt(at))) return false;
  return true;
}

function isBase64Code(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) ||
    code === 0x2b || code === 0x2f;
}

/** RFC 6455 §4.1: subprotocols are tokens, each offered once. */
function readProtocols(fields: HeaderFields): string[] {
  const protocols = fields.list("sec-websocket-protocol");
  const seen = new Set<string>();
  for (const protocol of protocols) {
    if (!isToken(protocol)) throw refusal("Sec-WebSocket-Protocol is malformed");
    if (seen.has(protocol)) throw refusal("Sec-WebSocket-Protocol names a subprotocol twice");
    seen.add(protocol);
  }
  return protocols;
}

function refusal(message: string, status = 400): HandshakeError {
  return new HandshakeError("ERR_HANDSHAKE_REQUEST", message, status);
}

/** Answer of a server that opens the WebSocket. */
export interface UpgradeAnswer {
  /** The client's key. */
  key: string;
  /** The chosen subprotocol, or "". */
  protocol: string;
  /** The accepted extensions. */
  extensions: readonly Extension[];
  /** More header fields. */
  headers?: Iterable<readonly [string, string]> | undefined;
}

/**
 * Encodes the answer that opens a WebSocket (RFC 6455 §4.2.2).
 *
 * @param answer The agreement.
 * @returns The bytes of the head.
 * @throws {HandshakeError} If a header field has a character that is not allowed.
 */
export function encodeUpgradeResponse(answer: UpgradeAnswer): Uint8Array {
  const fields: [string, string][] = [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", acceptKey(answer.key)],
  ];
  if (answer.protocol !== "") fields.push(["Sec-WebSocket-Protocol", answer.protocol]);
  if (answer.extensions.length > 0) fields.push(["Sec-WebSocket-Extensions", formatExtensions(answer.extensions)]);
  if (answer.headers !== undefined) { for (const [name, value] of answer.headers) fields.push([name, value]); }
  return encodeHead("HTTP/1.1 101 Switching Protocols", fields);
}

// ---- The client's side ------------------------------------------------------------------------------------------

/** Request of a client. */
export interface UpgradeOffer {
  /** The host, with the port unless it is the default of the scheme. */
  host: string;
  /** Path and query. */
  target: string;
  /** A fresh key: see {@linkcode createKey}. */
  key: string;
  /** The value of `Origin`, or "". */
  origin: string;
  /** Subprotocols in the order of preference. */
  protocols: readonly string[];
  /** Extensions in the order of preference. */
  extensions: readonly Extension[];
  /** More header fields. */
  headers: Iterable<readonly [string, string]>;
}

/** Header fields that the handshake itself decides. */
const RESERVED_FIELDS = new Set([
  "host",
  "upgrade",
  "connection",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "content-length",
  "transfer-encoding",
]);

/**
 * Encodes the request that opens a WebSocket (RFC 6455 §4.1).
 *
 * @param offer The offer of the client.
 * @returns The bytes of the head.
 * @throws {OptionError} If a subprotocol is no token or named twice, the target has a character that is not allowed, or
 * `headers` has a field of the handshake itself.
 */
export function encodeUpgradeRequest(offer: UpgradeOffer): Uint8Array {
  assertProtocols(offer.protocols);
  if (!isVisibleAscii(offer.target)) {
    throw new OptionError(
      `Cannot connect: the path ${quote(redactUrl(offer.target))} has a character that must be percent-encoded`,
    );
  }
  const fields: [string, string][] = [
    ["Host", offer.host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", offer.key],
    ["Sec-WebSocket-Version", VERSION],
  ];
  if (offer.origin !== "") fields.push(["Origin", offer.origin]);
  if (offer.protocols.length > 0) fields.push(["Sec-WebSocket-Protocol", offer.protocols.join(", ")]);
  if (offer.extensions.length > 0) fields.push(["Sec-WebSocket-Extensions", formatExtensions(offer.extensions)]);
  const cookies: string[] = [];
  for (const [name, value] of offer.headers) {
    const lower = name.toLowerCase();
    if (RESERVED_FIELDS.has(lower)) {
      throw new OptionError(`Cannot connect: the header ${quote(name)} is set by the handshake itself`);
    }
    if (lower === "cookie") cookies.push(separateCookies(value));
    else fields.push([name, value]);
  }
  // RFC 6265 §5.4: one line for all cookies.
  if (cookies.length > 0) fields.push(["Cookie", joinCookies(cookies)]);
  return encodeHead(`GET ${offer.target} HTTP/1.1`, fields);
}

/** Agreement of a client with a server. */
export interface UpgradeAgreement {
  /** The subprotocol, or "". */
  protocol: string;
  /** The extensions. */
  extensions: Extension[];
}

/**
 * Checks the answer to a request that opens a WebSocket (RFC 6455 §4.1, the list at its end).
 *
 * @param head The head of the answer.
 * @param offer The offer of the client.
 * @returns The choice of the server.
 * @throws {HandshakeError} If it did not open a WebSocket, or not the one that was asked for.
 */
export function checkUpgradeResponse(
  head: Head,
  offer: Pick<UpgradeOffer, "key" | "protocols" | "extensions"> & Partial<Pick<UpgradeOffer, "target">>,
): UpgradeAgreement {
  const { status, statusText, minorVersion } = parseStatusLine(head.startLine);
  if (status !== 101) {
    const headers = head.fields.toHeaders();
    const answer = `The server answered ${status} ${statusText}`.trim();
    // Without the query, which may hold a secret.
    const path = quote(offer.target?.split("?", 1)[0] ?? "/");
    const message = status === 404 || status === 200 ? `${answer}: there is no WebSocket at ${path}` : answer;
    throw new HandshakeError("ERR_HANDSHAKE_STATUS", message, status, { headers });
  }
  if (minorVersion < 1) throw mismatch("The server answered with HTTP/1.0");
  const { fields } = head;
  if (!includesToken(fields, "upgrade", "websocket")) throw mismatch('The Upgrade header does not say "websocket"');
  if (!includesToken(fields, "connection", "upgrade")) throw mismatch('The Connection header does not say "Upgrade"');
  const accepts = fields.all("sec-websocket-accept");
  if (accepts.length !== 1 || accepts[0] !== acceptKey(offer.key)) {
    throw mismatch("Sec-WebSocket-Accept does not match the key");
  }
  return { protocol: readChosenProtocol(fields, offer), extensions: readAcceptedExtensions(fields, offer) };
}

function readChosenProtocol(fields: HeaderFields, offer: Pick<UpgradeOffer, "protocols">): string {
  const chosen = fields.all("sec-websocket-protocol");
  if (chosen.length === 0) return "";
  if (chosen.length > 1 || !offer.protocols.includes(chosen[0]!)) {
    throw mismatch(`The server chose the subprotocol ${quote(chosen.join(", "))}, which was not offered`);
  }
  return chosen[0]!;
}

function readAcceptedExtensions(fields: HeaderFields, offer: Pick<UpgradeOffer, "extensions">): Extension[] {
  let extensions: Extension[];
  try {
    extensions = parseExtensions(fields.all("sec-websocket-extensions"));
  } catch (cause) {
    throw new HandshakeError("ERR_HANDSHAKE_RESPONSE", "Sec-WebSocket-Extensions is malformed", 101, { cause });
  }
  for (const { name } of extensions) {
    if (!offer.extensions.some((offered) => offered.name === name)) {
      throw mismatch(`The server chose the extension ${quote(name)}, which was not offered`);
    }
  }
  return extensions;
}

function mismatch(message: string): HandshakeError {
  return new HandshakeError("ERR_HANDSHAKE_RESPONSE", message, 101);
}
