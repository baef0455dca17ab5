/**
 * Plain HTTP/1.1 requests that share the port (RFC 9112): the body from bytes, `Request` and `Response` from and to the
 * wire. Ambiguous framing is refused, so that no request can be smuggled in.
 *
 * @module
 */

import { AbortableRequest, asRequest } from "./abortable_request.ts";
import { CollectedRequest } from "./collected_request.ts";
import { type HandshakeError, HttpError } from "../base/errors.ts";
import { encodeHead, type HeaderFields, type RequestLine } from "./head.ts";
import { isVisibleAscii } from "../base/token.ts";
import { quote } from "../base/error_text.ts";

const CR = 0x0d;
const LF = 0x0a;
/** The longest line with a chunk size, extensions included. */
const MAX_CHUNK_LINE = 256;
/** The most bytes of trailer fields, which are read and dropped. */
const MAX_TRAILER = 4096;

/** Framing of a request body. */
export type BodyFraming = { kind: "none" } | { kind: "length"; length: number } | { kind: "chunked" };

/**
 * Reads the framing of a request body (RFC 9112 §6.3).
 *
 * @param fields Its header fields.
 * @param minorVersion The minor HTTP version.
 * @returns The framing.
 * @throws {HttpError} With 400 if it is ambiguous or malformed, 501 for a transfer coding that is not known.
 */
export function bodyFraming(fields: HeaderFields, minorVersion: number): BodyFraming {
  const codings = fields.list("transfer-encoding");
  const lengths = fields.all("content-length");
  if (fields.all("transfer-encoding").length > 0) {
    if (lengths.length > 0) throw bad("Content-Length and Transfer-Encoding exclude each other");
    if (minorVersion === 0) throw bad("Transfer-Encoding needs HTTP/1.1");
    if (codings.length !== 1 || codings[0]!.toLowerCase() !== "chunked") {
      throw new HttpError("ERR_HTTP_SYNTAX", `The transfer coding ${quote(codings.join(", "))} is not supported`, 501);
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "none" };
  if (lengths.length > 1) throw bad("There is more than one Content-Length header");
  const length = parseDigits(lengths[0]!, 10);
  return length === 0 ? { kind: "none" } : { kind: "length", length };
}

function bad(message: string): HttpError {
  return new HttpError("ERR_HTTP_SYNTAX", message, 400);
}

function parseDigits(text: string, radix: 10 | 16): number {
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = digitValue(text.charCodeAt(at));
    if (digit >= radix) throw bad(`"${text.slice(0, 32)}" is not a length`);
    value = value * radix + digit;
  }
  if (text.length === 0 || !Number.isSafeInteger(value)) throw bad("A length is empty or out of range");
  return value;
}

/** The value of a hexadecimal digit, or 16. */
function digitValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 16;
}

type ChunkState = "size" | "data" | "dataEnd" | "trailer" | "done";

/** Reads the body of one request. Every byte is looked at once. */
export class BodyReader {
  #framing: BodyFraming;
  #limit: number;
  #total = 0;
  #remaining: number;
  #state: ChunkState;
  #line = "";
  #trailer = 0;

  /**
   * Makes a reader.
   *
   * @param framing The framing of the body.
   * @param limit The most bytes of the body; 0: no limit.
   * @throws {HttpError} With 413 if the announced length is beyond the limit.
   */
  constructor(framing: BodyFraming, limit: number) {
    this.#framing = framing;
    this.#limit = limit;
    this.#remaining = framing.kind === "length" ? framing.length : 0;
    this.#state = framing.kind === "none" ? "done" : framing.kind === "length" ? "data" : "size";
    if (framing.kind === "length") this.#checkLimit(framing.length);
  }

  /** True if the body is complete. */
  get done(): boolean {
    return this.#state === "done";
  }

  #checkLimit(total: number): void {
    if (this.#limit === 0 || total <= this.#limit) return;
    throw new HttpError("ERR_HTTP_BODY_TOO_LARGE", `The body is larger than ${this.#limit} bytes`, 413);
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The array that holds them.
   * @param start Index of the first byte.
   * @param sink Takes pieces of the body; they are valid only during the call.
   * @returns The index after the last byte that belongs to the body.
   * @throws {HttpError} With 400 if the chunked coding is malformed, 413 if the body is beyond the limit.
   */
  push(chunk: Uint8Array, start: number, sink: (piece: Uint8Array) => void): number {
    let at = start;
    while (at < chunk.length && this.#state !== "done") {
      if (this.#state === "data") at = this.#data(chunk, at, sink);
      else this.#control(chunk[at++]!);
    }
    return at;
  }

  #data(chunk: Uint8Array, at: number, sink: (piece: Uint8Array) => void): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    this.#remaining -= end - at;
    sink(chunk.subarray(at, end));
    if (this.#remaining === 0) this.#state = this.#framing.kind === "length" ? "done" : "dataEnd";
    return end;
  }

  /** One octet outside the data: a size line, the line end after data, or the trailer. */
  #control(octet: number): void {
    if (octet === LF) {
      if (!this.#line.endsWith("\r")) throw bad("A line of the chunked coding does not end with CR LF");
      const line = this.#line.slice(0, -1);
      this.#line = "";
      this.#endLine(line);
      return;
    }
    if (this.#line.endsWith("\r") || (octet < 0x20 && octet !== CR && octet !== 0x09) || octet === 0x7f) {
      throw bad("The chunked coding has a control character");
    }
    this.#line += String.fromCharCode(octet);
    if (this.#state === "dataEnd" && this.#line.length > 1) throw bad("A chunk is longer than its size");
    if (this.#state === "trailer" ? ++this.#trailer > MAX_TRAILER : this.#line.length > MAX_CHUNK_LINE) {
      throw bad("A line of the chunked coding is too long");
    }
  }

  #endLine(line: string): void {
    if (this.#state === "size") this.#beginChunk(line);
    else if (this.#state === "dataEnd") {
      if (line !== "") throw bad("A chunk is longer than its size");
      this.#state = "size";
    } else if (line === "") this.#state = "done";
  }

  #beginChunk(line: string): void {
    const extension = line.indexOf(";");
    const size = parseDigits(extension === -1 ? line : line.slice(0, extension), 16);
    this.#total += size;
    this.#checkLimit(this.#total);
    this.#remaining = size;
    this.#state = size === 0 ? "trailer" : "data";
  }
}

/** Methods that the web's `Request` refuses to be made with. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * Makes the `Request` a handler gets.
 *
 * @param line The request line.
 * @param fields The header fields.
 * @param encrypted Whether it came over TLS.
 * @param body Its body, if it has one.
 * @returns The request.
 * @throws {HttpError} With 400 without a valid `Host`, 501 for a method that is not served.
 */
export function makeRequest(
  line: RequestLine,
  fields: HeaderFields,
  encrypted: boolean,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
): AbortableRequest & Request {
  const hosts = fields.all("host");
  if (hosts.length > 1 || (hosts.length === 0 && line.minorVersion > 0)) throw bad("There must be one Host header");
  // `Request` takes "get" for "GET".
  const method = line.method.toUpperCase();
  if (FORBIDDEN_METHODS.has(method)) {
    throw new HttpError("ERR_HTTP_SYNTAX", `The method ${quote(line.method)} is not served`, 501);
  }
  const target = (line.path === "*" ? "/*" : line.path) + (line.query === "" ? "" : `?${line.query}`);
  if (hosts.length > 0 && !isHost(hosts[0]!)) throw bad("The Host header is malformed");
  const url = `${encrypted ? "https" : "http"}://${hosts[0] || "localhost"}${target}`;
  if (!URL.canParse(url)) throw bad("Host or target are malformed");
  const carriesBody = body !== null && method !== "GET" && method !== "HEAD";
  const init: RequestInit & { duplex?: "half" | undefined } = { method: line.method, headers: fields.toHeaders() };
  if (!carriesBody) return asRequest(new AbortableRequest(url, init));
  init.body = body;
  init.duplex = "half";
  return asRequest(new CollectedRequest(url, init));
}

/**
 * Tells whether a text can only be host and port of a URL: another delimiter would change the path.
 *
 * @param text The text.
 * @returns `true` if it can be.
 */
export function isHost(text: string): boolean {
  for (const char of text) if ("/\\?#@".includes(char)) return false;
  return isVisibleAscii(text);
}

/** The body of a response, as far as it is known before its head is sent. */
export interface ResponseContent {
  /** Its length in bytes; `undefined`: not known, or there is no body. */
  length: number | undefined;
  /** `true` if it is not in the coding that the header names, so that the declared length is that of other bytes. */
  decoded: boolean;
}

const UNKNOWN: ResponseContent = { length: undefined, decoded: false };

/** Framing of a response. */
export interface ResponsePlan {
  /** The bytes of the head. */
  head: Uint8Array;
  /** True if the body is sent in chunks. */
  chunked: boolean;
  /** True if a body is sent at all. */
  hasBody: boolean;
  /** Bytes of the body that the head has promised; `undefined`: none, or chunks, or all until the connection ends. */
  length: number | undefined;
}

/** Header fields that belong to the connection, not to the response of the program (RFC 9110 §7.6.1). */
const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Encodes the head of a response and decides how its body is delimited. The length that the program declares counts
 * only where the true one is not known.
 *
 * @param response The response.
 * @param request Method and minor version of the request.
 * @param keepAlive Whether the connection lives on.
 * @param date The value of the `Date` header.
 * @param content The body, as far as it is known.
 * @returns Head and framing.
 * @throws {HandshakeError} If a header field or the status text has a character that is not allowed.
 */
export function planResponse(
  response: Response,
  request: Pick<RequestLine, "method" | "minorVersion">,
  keepAlive: boolean,
  date: string,
  content: ResponseContent = UNKNOWN,
): ResponsePlan {
  const { status, statusText, headers } = response;
  const fields: [string, string][] = [];
  let dated = false;
  let declared = "";
  for (const field of headers) {
    const [name, value] = field;
    if (name === "content-length") declared = value;
    else if (!CONNECTION_FIELDS.has(name) && !(content.decoded && name === "content-encoding")) fields.push(field);
    if (name === "date") dated = true;
  }
  if (!dated) fields.push(["date", date]);
  // RFC 9110 §6.4.1: answers to HEAD, 204 and 304 have no content.
  const isEmpty = status === 204 || status === 304;
  const hasBody = response.body !== null && !isEmpty && request.method !== "HEAD";
  // RFC 9110 §8.6: 204 has no length; that of a 304 would be one of a response that was not made.
  const length = isEmpty ? undefined : contentLength(response, request.method, content, declared);
  const chunked = hasBody && length === undefined && request.minorVersion === 1;
  if (length !== undefined) fields.push(["content-length", String(length)]);
  if (chunked) fields.push(["transfer-encoding", "chunked"]);
  // RFC 9110 §7.8: a 426 names the protocol to upgrade to.
  const options = status === 426 ? ["upgrade"] : [];
  if (status === 426) fields.push(["upgrade", "websocket"]);
  if (!keepAlive || (hasBody && length === undefined && !chunked)) options.push("close");
  if (options.length > 0) fields.push(["connection", options.join(", ")]);
  return {
    head: encodeHead(`HTTP/1.1 ${status} ${statusText || defaultStatusText(status)}`, fields),
    chunked,
    hasBody,
    length: hasBody ? length : undefined,
  };
}

/** The length to announce; `undefined`: none. */
function contentLength(
  response: Response,
  method: string,
  content: ResponseContent,
  declared: string,
): number | undefined {
  if (content.length !== undefined) return content.length;
  // An answer to HEAD has the length of the one to GET, which only the program knows.
  if (response.body === null && method !== "HEAD") return 0;
  return content.decoded ? undefined : declaredLength(declared);
}

/** The length that a response declares; `undefined` if there is none, or it is malformed. */
function declaredLength(value: string): number | undefined {
  if (value === "") return undefined;
  for (let at = 0; at < value.length; at++) if (digitValue(value.charCodeAt(at)) >= 10) return undefined;
  const length = Number(value);
  return Number.isSafeInteger(length) ? length : undefined;
}

/**
 * Encodes one chunk of a body (RFC 9112 §7.1).
 *
 * @param piece The data; an empty piece makes the last chunk.
 * @returns The bytes.
 */
export function encodeChunk(piece: Uint8Array): Uint8Array {
  const size = new TextEncoder().encode(`${piece.length.toString(16)}\r\n`);
  const bytes = new Uint8Array(size.length + piece.length + 2);
  bytes.set(size);
  bytes.set(piece, size.length);
  bytes.set([CR, LF], size.length + piece.length);
  return bytes;
}

const STATUS_TEXTS = new Map([
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [206, "Partial Content"],
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [304, "Not Modified"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Content Too Large"],
  [415, "Unsupported Media Type"],
  [416, "Range Not Satisfiable"],
  [421, "Misdirected Request"],
  [422, "Unprocessable Content"],
  [426, "Upgrade Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
  [505, "HTTP Version Not Supported"],
]);

function defaultStatusText(status: number): string {
  return STATUS_TEXTS.get(status) ?? "";
}

/**
 * The body of a response that is one line of text.
 *
 * @param message The text, without a line end.
 * @returns The bytes.
 */
export function textBody(message: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${message}\n`);
}

/**
 * Makes a response with the fault in plain text.
 *
 * @param status The status.
 * @param message The fault; safe to send to the peer.
 * @param headers More header fields.
 * @returns The response.
 */
export function textResponse(status: number, message: string, headers: Record<string, string> = {}): Response {
  const body = textBody(message);
  return new Response(body, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "content-length": String(body.length), ...headers },
  });
}

/** Time until another attempt after an overload, in s. */
const RETRY_AFTER = "5";

/**
 * Makes the answer to a request that is refused.
 *
 * @param error Why.
 * @returns The response, with what the status asks for: 426 names the version, 405 the method, 503 says when to try
 * again.
 */
export function refusalResponse(error: HandshakeError | HttpError): Response {
  const headers: Record<string, string> = {};
  if (error.status === 426) headers["sec-websocket-version"] = "13";
  if (error.status === 405) headers["allow"] = "GET";
  if (error.status === 503) headers["retry-after"] = RETRY_AFTER;
  return textResponse(error.status || 400, error.message, headers);
}
