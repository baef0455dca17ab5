/** A strict reader of HTTP/1.1 responses, as a client that trusts nothing: what follows a response must be another. */

import { assert } from "@std/assert";
import { concatAll } from "../../base/bytes.ts";
import { type HeaderFields, HeadReader, parseStatusLine } from "../../protocol/head.ts";
import { decode } from "./support.ts";

/** A response that was read. */
export interface ReadResponse {
  status: number;
  statusText: string;
  headers: Headers;
  body: Uint8Array;
  /** Way in which its body is delimited. */
  framing: "none" | "length" | "chunked" | "close";
}

/** The text of a body. */
export const textOf = ({ body }: ReadResponse): string => decode(body);

/**
 * Reads all responses of a connection that has ended, or is silent. Fails if one is malformed, or not complete.
 *
 * @param bytes All bytes of the connection.
 * @param methods Method of each request; GET for those behind.
 * @param ended `true` if the connection has ended: a body may last until then.
 */
export function readResponses(bytes: Uint8Array, methods: readonly string[] = [], ended = true): ReadResponse[] {
  const responses: ReadResponse[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const reader = new HeadReader({ maxHeadSize: 0, maxHeaderFields: 0 });
    rest = rest.subarray(reader.push(rest));
    assert(reader.head !== undefined, `not a whole head: ${JSON.stringify(decode(bytes).slice(-200))}`);
    const { status, statusText } = parseStatusLine(reader.head.startLine);
    assert(status >= 100 && status < 600, `the status ${status}`);
    // Interim responses have no body, and answer nothing.
    if (status < 200) continue;
    const { fields } = reader.head;
    const body = readBody(rest, status, methods[responses.length] ?? "GET", fields, ended);
    const headers = fields.toHeaders();
    responses.push({ status, statusText, headers, body: body.bytes, framing: body.framing });
    rest = rest.subarray(body.used);
  }
  return responses;
}

interface ReadBody extends Pick<ReadResponse, "framing"> {
  bytes: Uint8Array;
  used: number;
}

function readBody(
  rest: Uint8Array,
  status: number,
  method: string,
  fields: HeaderFields,
  ended: boolean,
): ReadBody {
  const lengths = fields.all("content-length");
  const codings = fields.all("transfer-encoding");
  assert(lengths.length + codings.length <= 1, "the length is told twice");
  if (status === 204) assert(lengths.length + codings.length === 0, "a 204 has a length (RFC 9110 §8.6)");
  const none = new Uint8Array(0);
  if (method === "HEAD" || status === 204 || status === 304) return { bytes: none, used: 0, framing: "none" };
  if (codings.length === 1) {
    assert(codings[0] === "chunked", codings[0]);
    return readChunks(rest);
  }
  if (lengths.length === 1) {
    assert(String(Number(lengths[0])) === lengths[0], `the length ${lengths[0]}`);
    const length = Number(lengths[0]);
    assert(rest.length >= length, `${rest.length} bytes instead of ${length}`);
    return { bytes: rest.slice(0, length), used: length, framing: "length" };
  }
  assert(ended && fields.get("connection")?.includes("close"), "a body without end");
  return { bytes: rest.slice(), used: rest.length, framing: "close" };
}

function readChunks(rest: Uint8Array): ReadBody {
  const pieces: Uint8Array[] = [];
  for (let at = 0;;) {
    const end = rest.indexOf(0x0a, at) + 1;
    assert(end > 0, "a chunk without size");
    const line = decode(rest.subarray(at, end));
    const size = parseInt(line, 16);
    assert(line === `${size.toString(16)}\r\n`, `the chunk size ${JSON.stringify(line)}`);
    at = end + size + 2;
    assert(at <= rest.length && decode(rest.subarray(at - 2, at)) === "\r\n", "a chunk without its end");
    if (size === 0) return { bytes: concatAll(pieces), used: at, framing: "chunked" };
    pieces.push(rest.slice(end, end + size));
  }
}
