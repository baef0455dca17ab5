/**
 * How a client gets from nothing to an open WebSocket: with sockets of its own where the runtime has them, or with the platform's
 * own `WebSocket`, as in a page. Chosen at run time.
 *
 * Code for pages must not reach what names a runtime or `node:`. So the sockets are not imported here: `client.ts` brings them.
 *
 * @module
 */

import type { CloseInfo, ConnectionSettings, StartOptions } from "../connection/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { Meter } from "../base/stats.ts";
import type { ProxyAddress } from "../transport/transport.ts";
import type { BytePair } from "../transport/stream.ts";
import type { Extension } from "../protocol/extensions.ts";

/** The request a client is about to send; headers may be added. */
export interface ClientHandshakeRequest {
  /** Where it goes. */
  readonly url: string;
  /** The additional header fields. Those of the handshake itself cannot be set. */
  readonly headers: Headers;
}

/** The answer of the server. */
export interface ClientHandshakeResponse {
  /** The status: 101. */
  readonly status: number;
  /** All header fields. */
  readonly headers: Headers;
  /** The subprotocol the server chose, or "". */
  readonly protocol: string;
  /** The extensions the server accepted. */
  readonly extensions: readonly Extension[];
}

/** What a client offers: `false` nothing, `true` the defaults, or one offer or several. */
export type CompressionOffer = boolean | CompressionOptions | readonly CompressionOptions[];

/** One WebSocket as a client has it. In a page some members throw, since a browser does not offer them. */
export type ClientConnection = Omit<WebSocketConnection, "subscribe" | "unsubscribe" | "topics">;

/** Takes what happens on a client's connection. Calls come in the order of arrival. */
export interface ClientConnectionHandler {
  /** A message, or with frame by frame delivery a frame of one. */
  message(data: MessageData, frame?: FrameInfo): void;
  /** A ping came; the automatic pong is on its way. */
  ping(payload: Uint8Array): void;
  /** A pong came. */
  pong(payload: Uint8Array): void;
  /** The server's close frame came; the automatic answer is on its way. */
  close(code: number, reason: string): void;
  /** The connection has ended. The last call, exactly once. */
  disconnect(info: CloseInfo): void;
  /** The connection failed, and why. */
  error(error: unknown): void;
}

/** What a client wants of its next connection. */
export interface ConnectPlan {
  /** Where to connect, as a URL. */
  readonly url: string;
  /** Host name or address, without brackets. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
  /** Whether to speak TLS. */
  readonly tls: boolean;
  /** Whether nothing may be sent without TLS, but to a loopback address. */
  readonly requiresTls: boolean;
  /** The value of `Host`. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** The value of `Origin`, or "". */
  readonly origin: string;
  /** More header fields; the program may add some when it is asked. */
  readonly headers: Headers;
  /** Subprotocols in the order of preference. */
  readonly protocols: readonly string[];
  /** What follows from the setting `compression`, in the order of preference. */
  readonly deflateOffers: readonly CompressionSettings[];
  /** PEM file with certificates that are trusted besides the runtime's own, or "". */
  readonly rootCertificateFile: string;
  /** Limits and habits of the connection. */
  readonly settings: ConnectionSettings;
  /** The proxy to go through. */
  readonly proxy: ProxyAddress | undefined;
  /** The most redirects to follow. */
  readonly maxRedirects: number;
  /** Counts. */
  readonly meter: Meter;
  /** Whether the program wants to see pings and pongs. */
  readonly showsControlFrames: boolean;
  /** Streams to use instead of a socket. */
  readonly stream?: BytePair;
  /** Gives the attempt up. */
  readonly signal: AbortSignal;
}

/** What the program is asked while its client connects. */
export interface ConnectProgram {
  /** The request is about to be sent. */
  sendHandshake(request: ClientHandshakeRequest): Promise<void>;
  /** The server opened the WebSocket. Rejects if the program refuses it. */
  acceptResponse(response: ClientHandshakeResponse): Promise<void>;
}

/** A WebSocket whose handshake is done, and of which the program has heard nothing yet. */
export interface OpenedConnection {
  /**
   * Makes the connection; nothing comes before `begin`.
   *
   * @param handler Takes what happens.
   * @param start How it starts.
   * @returns The connection.
   */
  attach(handler: ClientConnectionHandler, start: StartOptions): ClientConnection;
  /** What has come may be delivered from now on. */
  begin(): void;
}

/** A way to connect. */
export interface Connector {
  /** Whether header fields can be sent with the handshake. */
  readonly sendsHeaders: boolean;
  /** Whether this platform has what it takes, streams of the program aside. */
  readonly available: boolean;
  /**
   * Reads the setting `compression`.
   *
   * @param option The setting.
   * @returns What to offer, in the order of preference.
   * @throws {OptionError} If a field is out of range.
   * @throws {StateError} If this platform cannot do it.
   */
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[];
  /**
   * Connects.
   *
   * @param plan What the client wants.
   * @param program Asked on the way.
   * @returns The open WebSocket.
   */
  connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection>;
}
