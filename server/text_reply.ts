/**
 * Answers to plain requests without `Request`, `Response` and streams, for requests with a short body of known length
 * and answers of a short text. The bytes on the wire are the same, in half of the time.
 *
 * @module
 */

import { concat } from "../base/bytes.ts";
import { timeHandler } from "../base/handler_time.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import { bodyFraming, isHost, planResponse, textBody, textResponse } from "../protocol/http.ts";

/** Longest body, in bytes: it is collected before it is handed over. */
const MAX_BODY = 64 * 1024;

/** A short text as the answer to a request. It is made once, and serves any number of requests. */
export class TextReply {
  /** The status. */
  readonly status: number;
  #message: string;
  #headers: Record<string, string>;
  #encoded: Uint8Array | undefined;
  /** Time of its encoding, in s. */
  #encodedAt = 0;

  /**
   * Makes a reply.
   *
   * @param status The status.
   * @param message The text, without a line end; safe to show to the peer.
   * @param headers More header fields.
   */
  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    this.status = status;
    this.#message = message;
    this.#headers = headers;
  }

  /**
   * Converts the reply to a `Response`.
   *
   * @returns A new response.
   */
  toResponse(): Response {
    return textResponse(this.status, this.#message, this.#headers);
  }

  /**
   * Encodes head and body as an answer to POST on a connection that is kept alive; once a second, since the head has
   * the date.
   *
   * @returns The bytes, which must not be changed.
   */
  encode(): Uint8Array {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (this.#encoded !== undefined && this.#encodedAt === second) return this.#encoded;
    const date = new Date(now).toUTCString();
    const body = textBody(this.#message);
    const content = { length: body.length, decoded: false };
    const { head } = planResponse(this.toResponse(), { method: "POST", minorVersion: 1 }, true, date, content);
    this.#encodedAt = second;
    this.#encoded = concat(head, body);
    return this.#encoded;
  }
}

/** Takes the body of a request, which is valid only during the call, and answers it. */
export type BodyTaker = (body: Uint8Array) => TextReply | Promise<TextReply>;

const INTERNAL_ERROR = new TextReply(500, "Internal server error");

/**
 * Hands over the body of a request.
 *
 * @param take Takes it.
 * @param body The body.
 * @param failed Called with the error if that fails.
 * @returns The answer; 500 if it fails.
 */
export function takeBody(
  take: BodyTaker,
  body: Uint8Array,
  failed: (error: unknown) => void,
): TextReply | Promise<TextReply> {
  const fail = (error: unknown): TextReply => {
    failed(error);
    return INTERNAL_ERROR;
  };
  try {
    const reply = timeHandler(() => take(body));
    return reply instanceof TextReply ? reply : reply.catch(fail);
  } catch (error) {
    return fail(error);
  }
}

/**
 * Returns the length of the body, if a request may be answered without `Request`: then a `Request` would have the
 * same path and host.
 *
 * @param line The request line.
 * @param fields The header fields.
 * @param maxBodySize Largest body, in bytes; 0: no limit.
 * @returns The length in bytes; 0: the request needs `Request`, or is malformed.
 * @throws {HttpError} With 400 or 501 if the framing of the body is ambiguous or malformed.
 */
export function directLength(line: RequestLine, fields: HeaderFields, maxBodySize: number): number {
  if (line.method !== "POST" || fields.get("expect") !== undefined) return 0;
  const framing = bodyFraming(fields, line.minorVersion);
  if (framing.kind !== "length" || framing.length > MAX_BODY) return 0;
  if (maxBodySize > 0 && framing.length > maxBodySize) return 0;
  return isPlainPath(line.path) && isUsableHost(fields.all("host")) ? framing.length : 0;
}

const DOT = 0x2e;
const SLASH = 0x2f;

/** Tells whether `URL` leaves a path as it is. */
function isPlainPath(path: string): boolean {
  let before = 0;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    const lower = code | 0x20;
    const plain = (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === SLASH ||
      code === 0x2d || code === 0x5f || (code === DOT && before !== SLASH);
    if (!plain) return false;
    before = code;
  }
  return path.charCodeAt(0) === SLASH;
}

/** The last host that was valid in a URL: nearly all requests have the same host. */
let usableHost = "";

function isUsableHost(hosts: readonly string[]): boolean {
  const [host = ""] = hosts;
  if (hosts.length !== 1 || host === "") return false;
  if (host === usableHost) return true;
  if (!isHost(host) || !URL.canParse(`http://${host}/`)) return false;
  usableHost = host;
  return true;
}
