/**
 * Settings that only sockets can use, or need in another form than a browser: their checks, header fields, the proxy.
 *
 * @module
 */

import { isIP } from "node:net";
import { describe, OptionError } from "../base/errors.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { assertHostName, withoutBrackets } from "../base/host_name.ts";
import { assertPem } from "../base/pem.ts";
import { assertSecret, assertToken } from "../base/secrets.ts";
import { assertSocketPath } from "../base/socket_path.ts";
import { isFieldValue, isToken, isVisibleAscii } from "../base/token.ts";
import { assertFrameSize } from "../protocol/frame_header.ts";
import { assertProtocols } from "../protocol/subprotocol.ts";
import { assertOneSource } from "../transport/certificate.ts";
import type { ProxyAddress } from "../transport/transport.ts";
import type { HeaderSource, PlaceOptions, RequestSettings, SocketSettings } from "./connector.ts";
import { assertTlsForSettings } from "./tls_settings.ts";

/**
 * Checks that options of a client name one place.
 *
 * @param options The options, whose kinds were not checked.
 * @throws {OptionError} If there is a Unix socket, and a port too.
 */
export function checkSocketOptions({ path, port }: PlaceOptions): void {
  if (!path || (port ?? undefined) === undefined) return;
  throw new OptionError(
    'The setting "port" does not go with "path", that of a Unix socket; for the path of URLs use "pathName"',
  );
}

/**
 * Checks settings whose kinds are right.
 *
 * @param settings The settings of a client.
 * @throws {OptionError} If one cannot be used.
 */
export function checkSocketSettings(settings: SocketSettings): void {
  const { hostname, path, pathName, origin, headers, token, protocols, proxy, frameSize, serverName } = settings;
  assertHostName(hostname);
  assertSocketPath(path);
  assertPath(pathName);
  for (const name of ["certificate", "certificateKey", "rootCertificate"] as const) assertPem(settings[name], name);
  assertOneSource(settings);
  if (serverName !== "") assertServerName(serverName);
  assertOrigin(origin);
  if (typeof headers !== "function") makeHeaders(headers);
  assertBearer(token);
  assertProtocols(protocols);
  parseProxy(proxy);
  assertFrameSize(frameSize, true);
}

function assertOrigin(origin: string): void {
  if (isVisibleAscii(origin)) return;
  throw new OptionError(`The setting "origin" is ${quote(redactUrl(origin))}, not an origin`);
}

/** RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs". */
function assertPath(path: string): void {
  if (path.includes("#")) throw new OptionError(`The path ${quote(redactUrl(path))} has a fragment`);
}

/** RFC 6066 §3: no addresses as server names. */
function assertServerName(name: string): void {
  assertHostName(name, "", "serverName");
  if (isIP(withoutBrackets(name)) === 0) return;
  throw new OptionError('The setting "serverName" is an address: TLS has names only, so set "hostname" to it instead');
}

/**
 * Checks that settings go with the target of the client.
 *
 * @param settings The settings of a client.
 * @throws {OptionError} If one of TLS is of no use, or a proxy stands before a Unix socket.
 */
export function checkSocketTarget(settings: SocketSettings): void {
  assertTlsForSettings(settings);
  if (settings.path === "" || settings.proxy === "") return;
  throw new OptionError('The setting "proxy" does not go with "path": a proxy reaches no Unix socket');
}

function assertBearer(token: RequestSettings["token"]): void {
  if (token === undefined || typeof token === "function") return;
  assertSecret("token", token);
  assertToken("token", token);
}

/**
 * Converts header fields as a program gives them.
 *
 * @param headers Names and values.
 * @returns A copy.
 * @throws {OptionError} If a name or value is not valid.
 */
export function makeHeaders(headers: HeaderSource): Headers {
  if (typeof headers !== "object" || headers === null) {
    throw new OptionError('The setting "headers" is not an object of names and values, nor Headers');
  }
  // Errors of the runtimes would quote the value.
  const given = headers instanceof Headers ? [] : Object.entries(headers);
  for (const [name, value] of given) assertField(name, value);
  try {
    return new Headers(headers);
  } catch (cause) {
    throw new OptionError(`The setting "headers" is not valid: ${describe(cause)}`);
  }
}

function assertField(name: string, value: unknown): void {
  if (!isToken(name)) throw new OptionError(`The setting "headers" is not valid: ${quote(name)} is not a header name`);
  if (isFieldValue(String(value))) return;
  throw new OptionError(
    `The setting "headers" is not valid: the value of ${quote(name)} has a character that is not allowed`,
  );
}

/**
 * Reads the setting `proxy`.
 *
 * @param url The setting; "" for none.
 * @returns The address of the proxy, or `undefined`.
 * @throws {OptionError} If it is not the URL of an HTTP proxy.
 */
export function parseProxy(url: string): ProxyAddress | undefined {
  if (url === "") return undefined;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // Without the URL itself, which may hold a password.
  if (parsed === undefined) throw new OptionError('The setting "proxy" is not a URL');
  if (parsed.protocol !== "http:") {
    throw new OptionError(`The setting "proxy" is of the scheme "${parsed.protocol}": it must begin with "http://"`);
  }
  return {
    hostname: withoutBrackets(parsed.hostname),
    port: parsed.port === "" ? 80 : Number(parsed.port),
    authorization: basicCredentials(parsed),
  };
}

/**
 * Encodes the user name and password of a URL as a value of `Authorization` (RFC 7617).
 *
 * @param url The URL.
 * @returns The value; `undefined` if the URL has neither.
 */
export function basicCredentials({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${btoa(`${percentDecode(username)}:${percentDecode(password)}`)}`;
}

/**
 * Decodes as the URL Standard does, one character for each byte: a "%" that no two hexadecimal digits follow stands for
 * itself. `decodeURIComponent` throws for it, and for bytes that are not UTF-8.
 */
function percentDecode(text: string): string {
  const [first, ...rest] = text.split("%");
  return first + rest.map((part) => {
    const octet = Number(`0x${part.slice(0, 2)}`);
    return part.length < 2 || Number.isNaN(octet) ? `%${part}` : String.fromCharCode(octet) + part.slice(2);
  }).join("");
}
