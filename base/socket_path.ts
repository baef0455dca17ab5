/**
 * Paths of Unix sockets, and how URLs write them: `ws+unix:/run/chat.sock:/path?query`, as in the library `ws`.
 *
 * @module
 */

import { quote } from "./error_text.ts";
import { OptionError } from "./errors.ts";

/** Longest path in bytes: `sun_path` of Linux has 108, with a zero behind it. */
export const MAX_SOCKET_PATH = 107;

/** Characters that would end the path in a URL. */
const DELIMITERS: ReadonlyMap<string, string> = new Map([[":", "%3A"], ["?", "%3F"], ["#", "%23"]]);

/**
 * Checks the setting `path`.
 *
 * @param path The path; "": none.
 * @throws {OptionError} If no system takes it.
 */
export function assertSocketPath(path: string): void {
  const fault = faultOf(path);
  if (fault === undefined) return;
  throw new OptionError(`The setting "path", that of a Unix socket, is ${quote(path)}: ${fault}`);
}

function faultOf(path: string): string | undefined {
  if (path.includes("://") || path.startsWith("unix:")) return "it must not have a scheme";
  if (path.includes("\0")) return "it must not have a zero, also not as the first character";
  if (path.endsWith("/")) return "it is a folder; the name of the socket is missing";
  const length = new TextEncoder().encode(path).length;
  return length > MAX_SOCKET_PATH ? `it has ${length} bytes, ${MAX_SOCKET_PATH} at most` : undefined;
}

/**
 * Writes a path as URLs have it.
 *
 * @param path The path.
 * @returns The same, without characters that would end it.
 */
export function encodeSocketPath(path: string): string {
  let encoded = "";
  for (const char of encodeURI(path)) encoded += DELIMITERS.get(char) ?? char;
  return encoded;
}

/** Parts of the URL of a Unix socket. */
export interface SocketUrl {
  /** Path of the socket. */
  readonly path: string;
  /** Host that the request names: a URL has none. */
  readonly hostname: string;
  /** Path of the request, and the query if there is one. */
  readonly target: string;
}

/**
 * Reads the URL of a Unix socket.
 *
 * @param url The URL, of the scheme `ws+unix:` or `wss+unix:`.
 * @returns Its parts; `undefined` for one of another scheme.
 * @throws {OptionError} If it names no socket.
 */
export function readSocketUrl({ protocol, host, pathname, search }: URL): SocketUrl | undefined {
  if (protocol !== "ws+unix:" && protocol !== "wss+unix:") return undefined;
  const hint = `write it as "${protocol}/absolute/path.sock:/path?query"`;
  if (host !== "") throw new OptionError(`The URL of a Unix socket has the host ${quote(host)}: ${hint}`);
  const colon = pathname.indexOf(":");
  const path = decoded(colon === -1 ? pathname : pathname.slice(0, colon));
  if (path === "" || path === "/") throw new OptionError(`The URL of a Unix socket has no path of a socket: ${hint}`);
  assertSocketPath(path);
  const target = colon === -1 ? "" : pathname.slice(colon + 1);
  return { path, hostname: "localhost", target: `${withSlash(target)}${search}` };
}

/**
 * Writes the URL of a Unix socket.
 *
 * @param target The path of the socket, "" for none, and that of the request.
 * @returns The URL; `undefined` without a socket.
 */
export function writeSocketUrl(
  { path, pathName, useSSL }: { readonly path: string; readonly pathName: string; readonly useSSL: boolean },
): string | undefined {
  if (path === "") return undefined;
  return `${useSSL ? "wss" : "ws"}+unix:${encodeSocketPath(path)}:${withSlash(pathName)}`;
}

function withSlash(target: string): string {
  return target.startsWith("/") ? target : `/${target}`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new OptionError(`The path ${quote(path)} of a Unix socket has "%" without two hexadecimal digits behind it`);
  }
}
