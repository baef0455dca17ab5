/**
 * The contract between an accepted connection and its server.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { ProtocolOptions } from "../connection/options.ts";
import type { Complete } from "../base/settings.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CompressionSettings } from "../protocol/compression.ts";
import type { AdmissionTicket } from "./admission.ts";
import type { Transport } from "../transport/transport.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";
import type { MemoryBudget } from "../base/memory_budget.ts";
import type { BodyTaker, TextReply } from "./text_reply.ts";
import type { UpgradeFields } from "./upgrade_headers.ts";

/** Checked answer of the program to a handshake. */
export type AllowDecision = boolean | Response | UpgradeFields;

/** Decides for an accepted connection: the server. */
export interface AcceptHost<Data> {
  /** Returns the settings. */
  settings(): AcceptSettings;
  /** Tells whether the server stops, or has stopped before the answer: the connection is not kept alive then. */
  stopping(connection: WebSocketConnection<Data>): boolean;
  /** Counts the memory that requests of all connections hold. */
  readonly bodies: MemoryBudget;
  /**
   * Learns from a trusted proxy which client has sent a request.
   *
   * @param connection The connection, whose `remoteAddress` becomes that of the client.
   * @param transport Its transport.
   * @param ticket Counts the connection.
   * @param fields The header fields.
   * @throws {Refusal} If the server does not serve the peer, or the client has too many connections.
   */
  identify(
    connection: WebSocketConnection<Data>,
    transport: Transport,
    ticket: AdmissionTicket,
    fields: HeaderFields,
  ): void;

  /**
   * Finds the route of a request; missing if the server has none.
   *
   * @param line The request line.
   * @param fields The header fields.
   * @param connection The connection it came on.
   * @returns What decides about the request instead; `undefined`: this host.
   * @throws {HandshakeError} If there is no WebSocket at the path.
   */
  route?(
    line: RequestLine,
    fields: HeaderFields,
    connection: WebSocketConnection<Data>,
  ): AcceptHost<Data> | undefined;
  /**
   * Asks the program whether to open the WebSocket; header fields are added to the answer that opens it. `awaited`
   * tells whether the answer still counts.
   */
  allow(
    connection: WebSocketConnection<Data>,
    awaited: () => boolean,
  ): AllowDecision | Promise<AllowDecision>;
  /** Chooses a subprotocol; "" for none. */
  selectProtocol(connection: WebSocketConnection<Data>, offered: string[]): string;
  /**
   * Answers a POST with a short body of known length without `Request` and `Response`; missing if the server cannot.
   *
   * @param line Its request line; the path is one that `URL` leaves as it is.
   * @param fields Its header fields.
   * @param connection The connection it came on.
   * @returns The answer, if the head is enough for one; a function that takes the body; `undefined`: `respond` answers.
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
  /** Counts a refusal that is not reported as an error. */
  refused(reason: string, connection: WebSocketConnection<Data>): void;
  /** Reports a failure. */
  error(error: unknown, connection: WebSocketConnection<Data>): void;
}

/** Settings of an accepted connection. */
export interface AcceptSettings {
  /** Path that opens a WebSocket; "": any. */
  pathName: string;
  /** Path of health checks; "": none. */
  healthPath: string;
  /** Switches of the protocol: checks of the handshake to skip. */
  options: Complete<ProtocolOptions>;
  /** Origins whose pages may open a WebSocket; empty: all. */
  origins: readonly string[];
  /** Host names of the server; empty: all. */
  hosts: readonly string[];
  /** Compression, if the client can; `undefined`: none. */
  compression: CompressionSettings | undefined;
  /** Time for a request to arrive, in ms; 0: no limit. */
  handshakeTimeout: number;
  /** Time for the next request of a kept connection to begin, in ms; 0: no limit. */
  keepAliveTimeout: number;
  /** Time for the body of a plain request to arrive, in ms; 0: no limit. */
  bodyTimeout: number;
  /** Largest number of plain requests of one connection; 0: no limit. */
  maxRequests: number;
  /** Time for the peer to end TCP after the last response, in ms; 0: no limit. */
  closeTimeout: number;
  /** Largest body of a plain request, in bytes; 0: no limit. */
  maxBodySize: number;
  /** Largest request head, in bytes; 0: no limit. */
  maxHeadSize: number;
  /** Largest number of header fields; 0: no limit. */
  maxHeaderFields: number;
  /** The clock. */
  clock: Clock;
}
