/**
 * A handshake request that another HTTP server has read, as the head that the port would have read.
 *
 * @module
 */

import type { AcceptSettings } from "./accept_host.ts";
import { EMPTY } from "../base/bytes.ts";
import { HandshakeError, OptionError } from "../base/errors.ts";
import { showValue } from "../base/option_names.ts";
import { isFieldContent, isToken } from "../base/token.ts";
import { wantsWebSocket } from "../protocol/handshake.ts";
import { type Head, HeaderFields } from "../protocol/head.ts";
import { type DuplexSocket, duplexTransport, isDuplexSocket } from "../transport/duplex.ts";
import { type BytePair, type BytePairInfo, hasStreams, streamTransport } from "../transport/stream.ts";
import type { Transport } from "../transport/transport.ts";

/** A handshake request that another HTTP server has read: a `Request`, or the request of `node:http`. */
export interface UpgradeSource {
  /**
   * The method.
   * @default {"GET"}
   */
  readonly method?: string | undefined;
  /** Path and query, or the whole URL, whose host counts then. */
  readonly url?: string | undefined;
  /**
   * The version of HTTP.
   * @default {"1.1"}
   */
  readonly httpVersion?: string | undefined;
  /** The header fields: `Headers`, or an object with a text or several for each name. */
  readonly headers:
    | Iterable<readonly [name: string, value: string]>
    | Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The stream of a handshake request: a socket in the form of `node:net`, or a pair of byte streams. */
export type UpgradeStream = DuplexSocket | (BytePair & BytePairInfo);

/**
 * Makes the transport over a stream, which is locked from here on.
 *
 * @param stream The stream.
 * @returns The transport, not opened yet.
 * @throws {OptionError} If it is no stream, or was handed over before.
 */
export function upgradeTransport(stream: UpgradeStream): Transport {
  if (isDuplexSocket(stream)) return duplexTransport(stream);
  if (!hasStreams(stream)) {
    throw new OptionError(
      `handleUpgrade() takes the socket of the event "upgrade", or an object with two streams, not ${
        showValue(stream)
      }`,
    );
  }
  const { remoteAddress, localAddress, encrypted } = stream;
  return streamTransport(stream, { remoteAddress, localAddress, encrypted });
}

/**
 * Checks the bytes that came behind a request.
 *
 * @param head The bytes.
 * @returns The bytes; none without them.
 * @throws {OptionError} If they are none.
 */
export function earlyBytes(head: unknown): Uint8Array {
  if (head === undefined || head === null) return EMPTY;
  if (head instanceof Uint8Array) return head;
  throw new OptionError(`The third argument of handleUpgrade() is ${showValue(head)} instead of bytes`);
}

/** The head of a handshake request that another HTTP server has read. */
export class UpgradeHead implements Head {
  /** The request line. */
  readonly startLine: string;
  /** The header fields. */
  readonly fields: HeaderFields;

  /**
   * Takes over a request. Its content is the peer's: see `check`.
   *
   * @param source The request.
   * @throws {OptionError} If it is no request.
   */
  constructor(source: UpgradeSource) {
    if (typeof source !== "object" || source === null) {
      throw new OptionError(`handleUpgrade() takes a request with "url" and "headers", not ${showValue(source)}`);
    }
    const { method = "GET", url, httpVersion = "1.1", headers } = source;
    for (const [name, value] of Object.entries({ method, url, httpVersion })) {
      if (typeof value === "string") continue;
      throw new OptionError(`The "${name}" of the request is ${showValue(value)} instead of a string`);
    }
    const target = withoutFragment(url!);
    this.startLine = `${method} ${target} HTTP/${httpVersion}`;
    this.fields = readFields(headers);
    // A Request may have its host in the URL only.
    if (this.fields.get("host") !== undefined || !URL.canParse(target)) return;
    this.fields.append("host", new URL(target).host);
  }

  /**
   * Checks the head as `HeadReader` checks the bytes of one, and that it asks for a WebSocket.
   *
   * @param limits The limits of heads.
   * @throws {HandshakeError} With status 400 if it is malformed, 431 if it is beyond a limit.
   */
  check({ maxHeadSize, maxHeaderFields }: Pick<AcceptSettings, "maxHeadSize" | "maxHeaderFields">): void {
    let size = this.startLine.length + "\r\n\r\n".length;
    for (const [name, value] of this.fields) {
      if (!isToken(name) || !isFieldContent(value)) {
        throw new HandshakeError("ERR_HEAD_SYNTAX", "A header field is malformed", 400);
      }
      size += name.length + value.length + ": \r\n".length;
    }
    if (maxHeaderFields > 0 && this.fields.count > maxHeaderFields) {
      throw new HandshakeError("ERR_HEAD_TOO_LARGE", `The head has more than ${maxHeaderFields} fields`, 431);
    }
    if (maxHeadSize > 0 && size > maxHeadSize) {
      throw new HandshakeError("ERR_HEAD_TOO_LARGE", `The head is larger than ${maxHeadSize} bytes`, 431);
    }
    // Another upgrade, such as "h2c"; plain requests are the other server's.
    if (wantsWebSocket(this.fields)) return;
    throw new HandshakeError("ERR_HANDSHAKE_REQUEST", 'The Upgrade header does not say "websocket"', 400);
  }
}

function withoutFragment(url: string): string {
  const mark = url.indexOf("#");
  return mark === -1 ? url : url.slice(0, mark);
}

function readFields(headers: UpgradeSource["headers"]): HeaderFields {
  if (typeof headers !== "object" || headers === null) {
    throw new OptionError(`The "headers" of the request are ${showValue(headers)} instead of Headers or an object`);
  }
  const fields = new HeaderFields();
  const entries = Symbol.iterator in headers ? headers : Object.entries(headers);
  for (const [name, value] of entries as Iterable<[string, string | readonly string[] | undefined]>) {
    for (const line of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      if (typeof line !== "string") {
        throw new OptionError(`The "headers" of the request have ${showValue(line)} instead of a string`);
      }
      fields.append(name, line);
    }
  }
  return fields;
}
