/**
 * The request of a WebSocket handshake as a server has received it, and the checks of its `Host` and `Origin`.
 *
 * @module
 */

import type { AcceptHost, AcceptSettings } from "./accept_host.ts";
import { setRequest, startConnection, type WebSocketConnection } from "../connection/connection.ts";
import type { HandshakeRequest, HandshakeResult } from "../connection/options.ts";
import { HandshakeError } from "../base/errors.ts";
import { acceptDeflateOffer } from "../protocol/deflate.ts";
import type { Extension } from "../protocol/extensions.ts";
import { checkUpgradeRequest, encodeUpgradeResponse, type UpgradeRequest } from "../protocol/handshake.ts";
import { type Head, type HeaderFields, parseRequestLine, type RequestLine } from "../protocol/head.ts";
import type { UpgradeFields } from "./upgrade_headers.ts";
import { UpgradeHead } from "./upgrade_request.ts";

type Offers = Pick<HandshakeRequest, "protocols" | "extensions">;

/** Offers of a request that opens no WebSocket. */
const NO_OFFERS: Offers = {
  protocols: Object.freeze<string[]>([]),
  extensions: Object.freeze<Extension[]>([]),
};

/** A request as `connection.request` has it; its `Headers` are made when the program reads them. */
export class ReceivedRequest implements HandshakeRequest {
  /** The method. */
  readonly method: string;
  /** The path, without the query. */
  readonly path: string;
  /** The query, without the question mark. */
  readonly query: string;
  /** The subprotocols that were offered. */
  readonly protocols: readonly string[];
  /** The extensions that were offered. */
  readonly extensions: readonly Extension[];
  #fields: HeaderFields;
  #headers: Headers | undefined;
  /** Made when the program reads the signal, or when it must abort. */
  #controller: AbortController | undefined;

  /**
   * Makes the request.
   *
   * @param line The request line.
   * @param fields The header fields.
   * @param offers Those of a checked handshake.
   */
  constructor(line: RequestLine, fields: HeaderFields, offers: Offers = NO_OFFERS) {
    this.protocols = offers.protocols;
    this.extensions = offers.extensions;
    this.method = line.method;
    this.path = line.path;
    this.query = line.query;
    this.#fields = fields;
  }

  /** The header fields. */
  get headers(): Headers {
    this.#headers ??= this.#fields.toHeaders();
    return this.#headers;
  }

  /** Aborts when the decision of the program is not needed any more. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /**
   * Aborts the signal.
   *
   * @param reason The reason.
   */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}

/**
 * Checks a handshake.
 *
 * @param line The request line.
 * @param fields The header fields.
 * @param settings The settings of the server.
 * @returns The checked handshake, and the request for the program.
 * @throws {HandshakeError} If the server refuses it.
 */
export function receiveHandshake(
  line: RequestLine,
  fields: HeaderFields,
  { pathName, options, origins }: AcceptSettings,
): { upgrade: UpgradeRequest; request: ReceivedRequest } {
  if (pathName !== "" && line.path !== pathName) {
    throw new HandshakeError("ERR_HANDSHAKE_REQUEST", "There is no WebSocket at this path", 404);
  }
  const upgrade = checkUpgradeRequest(line.method, line.minorVersion, fields, options);
  checkOrigin(fields, origins);
  return { upgrade, request: new ReceivedRequest(line, fields, upgrade) };
}

/**
 * Opens the WebSocket of a handshake that the program allows.
 *
 * @param host The server.
 * @param connection The connection, which sends the answer.
 * @param upgrade The handshake.
 * @param headers Header fields of the program.
 * @returns `false` if the connection has ended meanwhile.
 */
export function openHandshake<Data>(
  host: AcceptHost<Data>,
  connection: WebSocketConnection<Data>,
  upgrade: UpgradeRequest,
  headers: UpgradeFields = [],
): boolean {
  const protocol = host.selectProtocol(connection, upgrade.protocols);
  const { compression } = host.settings();
  const agreed = compression && acceptDeflateOffer(upgrade.extensions, compression);
  const extensions = agreed === undefined ? [] : [agreed.extension];
  const result: HandshakeResult = agreed === undefined
    ? { protocol, extensions }
    : { protocol, extensions, compression: agreed };
  const preface = encodeUpgradeResponse({ key: upgrade.key, protocol, extensions, headers });
  // Program or peer may have ended the connection; asked last, since the first hash lets Deno run pending microtasks.
  return startConnection(connection, result, { preface });
}

/** RFC 6454: a browser names the origin of its page; other clients need not. */
function checkOrigin(fields: HeaderFields, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const given = fields.all("origin");
  if (given.length === 0 || (given.length === 1 && origins.includes(given[0]!))) return;
  throw new HandshakeError("ERR_ORIGIN", "Pages of this origin may not connect", 403);
}

/**
 * Reads the request line of a head, and gives the connection its request.
 *
 * @param connection The connection.
 * @param head The head, whose `Host` field becomes the one that counts.
 * @param settings The settings of the server.
 * @returns The parts of the line.
 * @throws {HandshakeError} If the head is malformed.
 */
export function receiveRequest(
  connection: WebSocketConnection,
  head: Head,
  settings: AcceptSettings,
): RequestLine {
  if (head instanceof UpgradeHead) head.check(settings);
  const line = parseRequestLine(head.startLine);
  // RFC 9112 §3.2.2: the authority of the target counts, and not the header.
  if (line.authority !== "") head.fields.replace("host", line.authority);
  setRequest(connection, new ReceivedRequest(line, head.fields));
  return line;
}

/**
 * Checks the `Host` of a request.
 *
 * @param fields The header fields.
 * @param hosts The setting; empty: all.
 * @throws {HandshakeError} If the server has another name.
 */
export function checkHost(fields: HeaderFields, hosts: readonly string[]): void {
  if (hosts.length === 0) return;
  const given = (fields.get("host") ?? "").toLowerCase();
  const colon = given.lastIndexOf(":");
  const name = colon > given.lastIndexOf("]") ? given.slice(0, colon) : given;
  if (hosts.some((host) => host.toLowerCase() === given || host.toLowerCase() === name)) return;
  throw new HandshakeError("ERR_HOST", "This server does not serve this host", 421);
}
