/**
 * The head of an HTTP/1.1 message (RFC 9112 §2–5): bytes in any chunking to start line and header fields. Strict where
 * leniency lets two parsers disagree: no bare LF, no folded lines, no space before the colon.
 *
 * @module
 */

import { EMPTY } from "../base/bytes.ts";
import { HandshakeError } from "../base/errors.ts";
import { joinCookies } from "./cookie.ts";
import { quote } from "../base/error_text.ts";
import { assertClientByte, assertClientLine } from "./peer_protocol.ts";
import { isFieldContent, isToken, isTokenCode, isVisibleAscii } from "../base/token.ts";
import { decodeAscii } from "./utf8.ts";

/** Limits of a head. `0` turns one off. */
export interface HeadLimits {
  /**
   * The most bytes of a head, start line included.
   * @default {16384}
   */
  maxHeadSize?: number | undefined;
  /**
   * The most header fields.
   * @default {128}
   */
  maxHeaderFields?: number | undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const FIRST_CAPACITY = 512;

/** Header fields in the order they came, looked up by name in any case. */
export class HeaderFields implements Iterable<[name: string, value: string]> {
  /** Names, in lower case, and values in turn: many connections keep their fields, and this takes the least memory. */
  #fields: string[] = [];

  /** Number of fields; one name may have several. */
  get count(): number {
    return this.#fields.length / 2;
  }

  /**
   * Adds a field.
   *
   * @param name Its name, in any case.
   * @param value Its value.
   */
  append(name: string, value: string): void {
    this.#fields.push(name.toLowerCase(), value);
  }

  /**
   * All values of a name.
   *
   * @param name The name in lower case.
   * @returns The values in order, one for each line.
   */
  all(name: string): readonly string[] {
    const values: string[] = [];
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index += 2) if (fields[index] === name) values.push(fields[index + 1]!);
    return values;
  }

  /**
   * All values of a name as one, as `Headers.get` has it.
   *
   * @param name The name in lower case.
   * @returns The values with commas between, cookies with semicolons; or `null`.
   */
  combined(name: string): string | null {
    const first = this.get(name);
    if (first === undefined) return null;
    const values = this.all(name);
    if (values.length === 1) return first;
    return name === "cookie" ? joinCookies(values) : values.join(", ");
  }

  /**
   * The value of a field that comes at most once.
   *
   * @param name The name in lower case.
   * @returns The first value, or `undefined`.
   */
  get(name: string): string | undefined {
    for (let index = 0; index < this.#fields.length; index += 2) {
      if (this.#fields[index] === name) return this.#fields[index + 1];
    }
    return undefined;
  }

  /**
   * Gives the first field of a name another value.
   *
   * @param name The name in lower case.
   * @param value The value.
   */
  replace(name: string, value: string): void {
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index += 2) {
      if (fields[index] !== name) continue;
      fields[index + 1] = value;
      return;
    }
  }

  /**
   * The members of a comma separated list (RFC 9110 §5.6.1) over all lines of a name. Not for lists with quoted commas.
   *
   * @param name The name in lower case.
   * @returns The members that are not empty.
   */
  list(name: string): string[] {
    const members: string[] = [];
    for (const value of this.all(name)) {
      for (const member of value.split(",")) {
        const trimmed = trim(member);
        if (trimmed !== "") members.push(trimmed);
      }
    }
    return members;
  }

  /**
   * The fields as the web's `Headers`.
   *
   * @returns A copy.
   */
  toHeaders(): Headers {
    const headers = new Headers();
    for (const [name, value] of this) if (name !== "cookie") headers.append(name, value);
    // Deno would put commas between several.
    const cookies = this.combined("cookie");
    if (cookies !== null) headers.set("cookie", cookies);
    return headers;
  }

  /** Iterates over name and value of each field. */
  *[Symbol.iterator](): Iterator<[name: string, value: string]> {
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index += 2) yield [fields[index]!, fields[index + 1]!];
  }
}

/** Removes optional white space: spaces and tabs only (RFC 9110 §5.6.3). */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** The head of a message. */
export interface Head {
  /** The first line, without its line end. */
  startLine: string;
  /** The header fields. */
  fields: HeaderFields;
}

/**
 * Reads one head. Every byte is looked at once, however the head is cut into chunks.
 *
 * @example
 * ```ts
 * import { HeadReader } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new HeadReader();
 * const bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest");
 * const used = reader.push(bytes);
 * assertEquals(used, bytes.length - 4);
 * assertEquals(reader.head?.fields.get("host"), "a");
 * ```
 */
export class HeadReader {
  #maxHeadSize: number;
  #maxHeaderFields: number;
  readonly #ofClient: boolean;
  /** The current line so far, if a chunk ended in it. */
  #line: Uint8Array = EMPTY;
  #lineLength = 0;
  #size = 0;
  #startLine: string | undefined;
  #fields = new HeaderFields();
  #head: Head | undefined;

  /**
   * Makes a reader.
   *
   * @param limits Limits of the head.
   * @param kind `"request"` refuses clients of other protocols at their first bytes.
   */
  constructor(limits: HeadLimits = {}, kind: "request" | "any" = "any") {
    this.#ofClient = kind === "request";
    this.#maxHeadSize = limits.maxHeadSize ?? 16 * 1024;
    this.#maxHeaderFields = limits.maxHeaderFields ?? 128;
  }

  /** The head, once it is complete. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** True if nothing has come yet. */
  get untouched(): boolean {
    return this.#size === 0;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The array that holds them.
   * @param start Index of the first byte.
   * @returns The index after the last byte that belongs to the head.
   * @throws {HandshakeError} With status 400 if the head breaks RFC 9112, 431 if it is beyond a limit.
   */
  push(chunk: Uint8Array, start = 0): number {
    let at = start;
    while (at < chunk.length && this.#head === undefined) {
      if (this.#ofClient && this.#startLine === undefined && this.#lineLength === 0) {
        assertClientByte(chunk[at]!, this.#size > 0);
      }
      const newline = chunk.indexOf(LF, at);
      const end = newline === -1 ? chunk.length : newline + 1;
      this.#count(end - at);
      if (newline === -1) this.#keep(chunk, at, end);
      else this.#endLine(chunk, at, end);
      at = end;
    }
    return at;
  }

  #count(length: number): void {
    this.#size += length;
    if (this.#maxHeadSize > 0 && this.#size > this.#maxHeadSize) {
      throw new HandshakeError("ERR_HEAD_TOO_LARGE", `The head is larger than ${this.#maxHeadSize} bytes`, 431);
    }
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#lineLength + end - start;
    if (length > this.#line.length) {
      const grown = new Uint8Array(Math.max(FIRST_CAPACITY, this.#line.length * 2, length));
      grown.set(this.#line.subarray(0, this.#lineLength));
      this.#line = grown;
    }
    this.#line.set(chunk.subarray(start, end), this.#lineLength);
    this.#lineLength = length;
  }

  #endLine(chunk: Uint8Array, start: number, end: number): void {
    if (this.#lineLength === 0) return this.#parseLine(chunk, start, end);
    this.#keep(chunk, start, end);
    const length = this.#lineLength;
    this.#lineLength = 0;
    this.#parseLine(this.#line, 0, length);
  }

  #parseLine(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 2 || bytes[end - 2] !== CR) throw syntax("A line does not end with CR LF");
    const last = end - 2;
    if (this.#startLine === undefined) {
      // RFC 9112 §2.2: empty lines before a request line are ignored.
      if (last === start) return;
      this.#startLine = decodeLine(bytes, start, last);
      if (this.#ofClient) assertClientLine(this.#startLine);
    } else if (last === start) {
      this.#line = EMPTY;
      this.#head = { startLine: this.#startLine, fields: this.#fields };
    } else this.#parseField(bytes, start, last);
  }

  #parseField(bytes: Uint8Array, start: number, end: number): void {
    let colon = start;
    while (colon < end && isTokenCode(bytes[colon]!)) colon++;
    if (colon === start || colon === end || bytes[colon] !== COLON) throw syntax("A header line has no valid name");
    if (this.#maxHeaderFields > 0 && this.#fields.count >= this.#maxHeaderFields) {
      throw new HandshakeError("ERR_HEAD_TOO_LARGE", `The head has more than ${this.#maxHeaderFields} fields`, 431);
    }
    this.#fields.append(decodeLine(bytes, start, colon), trim(decodeLine(bytes, colon + 1, end)));
  }
}

/** Latin-1, as HTTP has it; control characters are refused. */
function decodeLine(bytes: Uint8Array, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    const code = bytes[at]!;
    if ((code < SPACE && code !== TAB) || code === 0x7f) throw syntax("A line has a control character");
  }
  return decodeAscii(bytes, start, end);
}

function syntax(message: string): HandshakeError {
  return new HandshakeError("ERR_HEAD_SYNTAX", message, 400);
}

/** A request line (RFC 9112 §3). */
export interface RequestLine {
  /** The method. */
  method: string;
  /** The path, without the query. */
  path: string;
  /** The query, without the question mark. */
  query: string;
  /** Host and port that the absolute form names; empty with the others. */
  authority: string;
  /** The minor version: 0 or 1. */
  minorVersion: number;
}

/**
 * Parses a request line.
 *
 * @param line The line, without its end.
 * @returns Its parts.
 * @throws {HandshakeError} With status 400 if it is malformed, 505 if the version is not 1.x.
 */
export function parseRequestLine(line: string): RequestLine {
  const parts = line.split(" ");
  if (parts.length !== 3 || !isToken(parts[0]!) || parts[1] === "") throw syntax("The request line is malformed");
  const [method, target, version] = parts as [string, string, string];
  const minorVersion = parseVersion(version);
  if (target === "*" && method !== "OPTIONS") throw syntax("The request target is malformed");
  return { method, ...parseTarget(target), minorVersion };
}

/** RFC 9112 §3.2: the origin form, or the absolute form. */
function parseTarget(target: string): Pick<RequestLine, "path" | "query" | "authority"> {
  if (!isVisibleAscii(target)) throw syntax("The request target has a character that is not allowed");
  let origin = target;
  let authority = "";
  if (!target.startsWith("/") && target !== "*") {
    const scheme = target.indexOf("://");
    if (scheme < 1) throw syntax("The request target is malformed");
    let end = scheme + 3;
    while (end < target.length && target[end] !== "/" && target[end] !== "?") end++;
    origin = target[end] === "/" ? target.slice(end) : `/${target.slice(end)}`;
    authority = target.slice(scheme + 3, end);
    if (authority === "") throw syntax("The request target names no host");
  }
  const mark = origin.indexOf("?");
  if (mark === -1) return { path: origin, query: "", authority };
  return { path: origin.slice(0, mark), query: origin.slice(mark + 1), authority };
}

function parseVersion(version: string): number {
  if (version === "HTTP/1.1") return 1;
  if (version === "HTTP/1.0") return 0;
  if (version.startsWith("HTTP/")) {
    throw new HandshakeError("ERR_HEAD_SYNTAX", `The version ${quote(version)} is not supported`, 505);
  }
  throw syntax("The request line has no HTTP version");
}

/** A status line (RFC 9112 §4). */
export interface StatusLine {
  /** The status code. */
  status: number;
  /** The reason phrase. */
  statusText: string;
  /** The minor version: 0 or 1. */
  minorVersion: number;
}

/**
 * Parses a status line.
 *
 * @param line The line, without its end.
 * @returns Its parts.
 * @throws {HandshakeError} If it is malformed.
 */
export function parseStatusLine(line: string): StatusLine {
  const minorVersion = line.startsWith("HTTP/1.1 ") ? 1 : line.startsWith("HTTP/1.0 ") ? 0 : -1;
  const digits = line.slice(9, 12);
  const status = Number(digits);
  const separated = line.length === 12 || line[12] === " ";
  if (minorVersion === -1 || !isStatus(digits) || !separated) {
    throw new HandshakeError("ERR_HEAD_SYNTAX", "The answer does not start with an HTTP/1.1 status line");
  }
  return { status, statusText: line.slice(13), minorVersion };
}

function isStatus(digits: string): boolean {
  if (digits.length !== 3 || digits[0] === "0") return false;
  for (let at = 0; at < 3; at++) if (digits[at]! < "0" || digits[at]! > "9") return false;
  return true;
}

/**
 * Encodes a head.
 *
 * @param startLine The first line.
 * @param fields Names and values.
 * @returns The bytes, the empty line included.
 * @throws {HandshakeError} If a name is no token, or the start line or a value holds a line break or another control
 * character: nothing that is put into a head can start a line of its own.
 */
export function encodeHead(startLine: string, fields: Iterable<readonly [string, string]>): Uint8Array {
  // The target may hold credentials.
  if (!isFieldContent(startLine)) {
    throw new HandshakeError("ERR_HEAD_SYNTAX", "The start line has a character that is not allowed");
  }
  let text = startLine + "\r\n";
  for (const [name, value] of fields) {
    if (!isToken(name)) throw new HandshakeError("ERR_HEAD_SYNTAX", `The header name ${quote(name)} is not valid`);
    if (!isFieldContent(value)) {
      throw new HandshakeError(
        "ERR_HEAD_SYNTAX",
        `The value of the header ${quote(name)} has a character that is not allowed`,
      );
    }
    text += `${name}: ${value}\r\n`;
  }
  text += "\r\n";
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
