/**
 * Header fields that a program adds to the answer that opens a WebSocket, such as `Set-Cookie`.
 *
 * @module
 */

import { quote } from "../base/error_text.ts";
import { isFieldContent, isToken } from "../base/token.ts";

/** Answer of `onAllow` that opens the WebSocket, with header fields of the program. */
export interface AllowWithHeaders {
  /**
   * The header fields: an object, `Headers`, or pairs of name and value. Of `Headers` and pairs each `Set-Cookie` is a
   * line of its own. Fields of the handshake itself are an error: `Connection`, `Upgrade`, `Content-Length`,
   * `Transfer-Encoding`, `Sec-WebSocket-…`.
   */
  readonly headers: Headers | Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
}

/** Names and values. */
export type UpgradeFields = readonly (readonly [name: string, value: string])[];

/** Names of fields that the handshake, or the framing of HTTP, decides. */
const RESERVED = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const RESERVED_PREFIX = "sec-websocket-";

/**
 * Checks an answer of `onAllow` that is an object.
 *
 * @param answer The answer.
 * @returns The header fields, in order.
 * @throws {TypeError} If it is not `{ headers }`, or a field cannot be sent. The message has no values: they may be
 * secrets.
 */
export function upgradeFields(answer: object): UpgradeFields {
  // A Response of another library has headers too, and must not open a WebSocket.
  const names = Reflect.ownKeys(answer);
  const prototype = Object.getPrototypeOf(answer);
  if (names.length !== 1 || names[0] !== "headers" || (prototype !== Object.prototype && prototype !== null)) {
    throw new TypeError(
      "it returned an object that is neither a Response nor { headers }: return true, false, a Response, or { headers }",
    );
  }
  const fields = pairsOf((answer as AllowWithHeaders).headers);
  for (const [name, value] of fields) assertField(name, value);
  return fields;
}

function pairsOf(headers: unknown): [string, string][] {
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError(`it returned { headers } with ${headers === null ? "null" : typeof headers} as headers`);
  }
  if (!(Symbol.iterator in headers)) return Object.entries(headers);
  return Array.from(headers as Iterable<unknown>, (pair) => {
    if (Array.isArray(pair) && pair.length === 2) return [pair[0], pair[1]];
    throw new TypeError("it returned { headers } whose entries are not pairs of name and value");
  });
}

function assertField(name: unknown, value: unknown): void {
  if (typeof name !== "string" || !isToken(name)) {
    throw new TypeError(`it returned { headers }, of which ${quote(String(name))} is not a header name`);
  }
  const lower = name.toLowerCase();
  if (RESERVED.has(lower) || lower.startsWith(RESERVED_PREFIX)) {
    throw new TypeError(`it returned { headers } with ${quote(name)}, which the handshake itself sets: leave it out`);
  }
  if (typeof value !== "string") {
    throw new TypeError(
      `it returned { headers } with ${typeof value} as the value of ${quote(name)}: several values are several pairs`,
    );
  }
  if (!isFieldContent(value)) {
    throw new TypeError(
      `it returned { headers }, in which the value of ${quote(name)} has a character that is not allowed`,
    );
  }
}
