/**
 * The contract between an accepted connection and its server.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { ProtocolOptions } from "../connection/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CompressionSettings } from "../protocol/compression.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import type { MemoryBudget } from "../base/memory_budget.ts";
import type { BodyTaker, TextReply } from "./text_reply.ts";

/** What a server decides for an accepted connection. */
export interface AcceptHost<Data> {
  /** Limits and habits. */
  settings(): AcceptSettings;
  /** Whether the server stops: no connection is kept alive then. */
  stopping(): boolean;
  /** Memory that requests of all connections hold. */
  readonly bodies: MemoryBudget;
  /** Asks the program whether to open the WebSocket. `awaited` tells it whether the answer still matters. */
  allow(
    connection: WebSocketConnection<Data>,
    awaited: () => boolean,
  ): boolean | Response | Promise<boolean | Response>;
  /** Chooses a subprotocol; "" for none. */
  selectProtocol(connection: WebSocketConnection<Data>, offered: string[]): string;
  /**
   * Decides about a POST with a short body of known length without the objects of the web.
   *
   * @param line Its request line; the path is one that `URL` leaves as it is.
   * @param fields Its header fields.
   * @param connection The connection it came on.
   * @returns The answer, if the head is enough for one; what takes the body; `undefined`: `respond` is to be asked.
   */
  direct?(
    line: RequestLine,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): TextReply | BodyTaker | undefined;
  /** Answers a plain HTTP request. */
  respond(request: Request, connection: WebSocketConnection<Data>): Promise<Response>;
  /** The handshake is done. */
  opened(connection: WebSocketConnection<Data>): void;
  /** A connection was refused, for a reason that is not reported as an error. */
  refused(reason: string, connection: WebSocketConnection<Data>): void;
  /** Something failed. */
  error(error: unknown, connection: WebSocketConnection<Data>): void;
}

/** Limits and habits of an {@linkcode AcceptSession}. */
export interface AcceptSettings {
  /** Non-empty: the only path that opens a WebSocket. */
  pathName: string;
  /** What the handshake does not insist on. */
  options: ProtocolOptions;
  /** Origins whose pages may open a WebSocket; empty: all. */
  origins: readonly string[];
  /** Names under which the server is reached; empty: all. */
  hosts: readonly string[];
  /** How to compress, if the client can. */
  compression: CompressionSettings | undefined;
  /** How long a request may take to come, and the next one to begin, in ms; 0: no limit. */
  handshakeTimeout: number;
  /** How long the body of a plain request may take to come, in ms; 0: no limit. */
  bodyTimeout: number;
  /** The most plain requests of one connection; 0: no limit. */
  maxRequests: number;
  /** How long the peer may take to end TCP after the last response, in ms; 0: no limit. */
  closeTimeout: number;
  /** The most bytes of the body of a plain request; 0: no limit. */
  maxBodySize: number;
  /** The most bytes of a request head; 0: no limit. */
  maxHeadSize: number;
  /** The most header fields; 0: no limit. */
  maxHeaderFields: number;
  /** Time. */
  clock: Clock;
}
