/**
 * Contract of a connector: it opens WebSockets for a client, by sockets or by the `WebSocket` of the platform.
 *
 * @module
 */

import type { CloseInfo, ConnectionSettings, Delivery, StartOptions, StepResult } from "../connection/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CompressionOptions, CompressionSettings } from "../protocol/compression.ts";
import type { MessageData } from "../protocol/payload.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { Meter } from "../base/stats.ts";
import type { ProxyAddress } from "../transport/transport.ts";
import type { BytePair } from "../transport/stream.ts";
import type { Extension } from "../protocol/extensions.ts";

/** Request that a client is about to send; header fields may be added. */
export interface ClientHandshakeRequest {
  /** URL of the server. */
  readonly url: string;
  /** The additional header fields. Those of the handshake itself cannot be set. */
  readonly headers: Headers;
}

/** Answer of the server. */
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

/** Compression that a client offers: `false` none, `true` the defaults, or one offer or several. */
export type CompressionOffer = boolean | CompressionOptions | readonly CompressionOptions[];

/** WebSocket of a client. In a page some members throw, because a browser does not offer them. */
export type ClientConnection = Omit<
  WebSocketConnection,
  | "setRequest"
  | "start"
  | "open"
  | "abandon"
  | "sendShared"
  | "subscribe"
  | "unsubscribe"
  | "topics"
  | "setDelivery"
  | "deliverBatch"
  | "step"
  | "releaseHeld"
  | "closeWith"
>;

/** Takes the events of a client's connection, in the order of arrival. */
export interface ClientConnectionHandler {
  /** Called for a message, or with `frameByFrame` for a frame of one. */
  message(data: MessageData, frame?: FrameInfo | undefined): void;
  /** Called for a ping, after the automatic pong. */
  ping(payload: Uint8Array): void;
  /** Called for a pong. */
  pong(payload: Uint8Array): void;
  /** Called for the server's close frame, after the automatic answer. */
  close(code: number, reason: string): void;
  /** Called when the connection has ended: the last call, exactly once. */
  disconnect(info: CloseInfo): void;
  /** Called with the failure of the connection. */
  error(error: unknown): void;
}

/** One attempt to connect, as the settings of the client describe it. */
export interface ConnectPlan {
  /** URL of the server. */
  readonly url: string;
  /** Host name or address, without brackets. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
  /** Speaks TLS. */
  readonly tls: boolean;
  /** Sends nothing without TLS, except to a loopback address. */
  readonly requiresTls: boolean;
  /** Value of `Host`. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** Value of `Origin`, or "". */
  readonly origin: string;
  /** More header fields; `onSendHandshake` may add some. */
  readonly headers: Headers;
  /** Subprotocols in the order of preference. */
  readonly protocols: readonly string[];
  /** Compression to offer, in the order of preference. */
  readonly deflateOffers: readonly CompressionSettings[];
  /** PEM file with certificates that are trusted besides those of the runtime, or "". */
  readonly rootCertificateFile: string;
  /** Settings of the connection. */
  readonly settings: ConnectionSettings;
  /** Proxy to connect through. */
  readonly proxy: ProxyAddress | undefined;
  /** Largest number of redirects to follow. */
  readonly maxRedirects: number;
  /** Counts bytes, frames and messages. */
  readonly meter: Meter;
  /** `true` if the program has a handler for pings or pongs. */
  readonly showsControlFrames: boolean;
  /** Streams to use instead of a socket. */
  readonly stream?: BytePair | undefined;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
}

/** Questions to the program while its client connects. */
export interface ConnectProgram {
  /** Shows the request, before it is sent. */
  sendHandshake(request: ClientHandshakeRequest): Promise<void>;
  /** Shows the answer of a server that opened the WebSocket. Rejects if the program refuses it. */
  acceptResponse(response: ClientHandshakeResponse): Promise<void>;
}

/** A WebSocket whose handshake is done, with the members that only the client uses. */
export interface OpenedConnection {
  /**
   * Makes the connection; no event comes before `begin`.
   *
   * @param handler Takes the events.
   * @param start How it starts.
   * @returns The connection.
   */
  attach(handler: ClientConnectionHandler, start: StartOptions): ClientConnection;
  /** Delivers what has come, and what comes. */
  begin(): void;
  /**
   * Changes when events are delivered.
   *
   * @param delivery The new mode.
   */
  setDelivery(delivery: Delivery): void;
  /** Delivers what has come since the last batch. */
  deliverBatch(): void;
  /**
   * Handles one incoming frame or message.
   *
   * @param timeout Time to wait for one, in ms; 0: no limit.
   * @returns The kind of what came.
   * @throws {StateError} If a step waits already.
   */
  step(timeout: number): Promise<StepResult>;
  /** Hands over the messages that waited for a handler. */
  releaseMessages(): void;
  /**
   * Closes the connection because of an error that was reported.
   *
   * @param code The close code.
   * @param error The error.
   */
  closeWith(code: number, error: unknown): void;
}

/** A way to connect. */
export interface Connector {
  /** `true` if header fields can be sent with the handshake. */
  readonly sendsHeaders: boolean;
  /** `true` if this platform can connect without streams of the program. */
  readonly available: boolean;
  /**
   * Reads the setting `compression`.
   *
   * @param option The setting.
   * @returns The offers, in the order of preference.
   * @throws {OptionError} If a field is out of range.
   * @throws {StateError} If this platform cannot do it.
   */
  deflateOffers(option: CompressionOffer): readonly CompressionSettings[];
  /**
   * Connects.
   *
   * @param plan The attempt.
   * @param program Asked on the way.
   * @returns The open WebSocket.
   */
  connect(plan: ConnectPlan, program: ConnectProgram): Promise<OpenedConnection>;
}
