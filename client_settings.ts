/**
 * What a client is told: its settings, its handlers, and how to connect.
 *
 * @module
 */

import type { CloseInfo, ConnectionOptions, StepResult } from "./connection_types.ts";
import type { CompressionOptions } from "./deflate.ts";
import type { Extension } from "./handshake.ts";
import type { FrameInfo } from "./message.ts";
import type { BytePair } from "./transport_stream.ts";

/** What `checkIncoming` came to: nothing in time, a message, a control frame, or the end of the connection. */
export type IncomingResult = StepResult;

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

/** The handlers of a client: those of the server, less the connection. */
export interface ClientHandlers {
  /** The request is about to be sent: headers may be added. */
  onSendHandshake?: (request: ClientHandshakeRequest) => void | Promise<void>;
  /** The server opened the WebSocket; `false` refuses it. */
  onHandshakeResponse?: (response: ClientHandshakeResponse) => boolean | void | Promise<boolean | void>;
  /** The handshake is done: from here on messages may be sent. */
  onConnect?: () => void | Promise<void>;
  /** A text message came, or with `frameByFrame` a frame of one. */
  onMessageReceived?: (text: string, frame?: FrameInfo) => void | Promise<void>;
  /** A binary message came, or with `frameByFrame` a frame of one. */
  onBinaryDataReceived?: (bytes: Uint8Array, frame?: FrameInfo) => void | Promise<void>;
  /** A ping came; the automatic pong is on its way, unless `manualPong`. */
  onPing?: (data: Uint8Array) => void | Promise<void>;
  /** A pong came. */
  onPong?: (data: Uint8Array) => void | Promise<void>;
  /** The server's close frame came; the automatic answer is on its way, unless `manualClose`. */
  onClose?: (code: number, reason: string) => void | Promise<void>;
  /** The connection has ended: exactly once for each `onConnect`. */
  onDisconnect?: (info: CloseInfo) => void | Promise<void>;
  /**
   * Something failed: a protocol violation, a handler ({@linkcode HandlerError}), a connect by `active`. Without this
   * handler, errors of handlers are printed with `console.error`, and others are dropped.
   */
  onError?: (error: unknown) => void;
}

/** What a client offers: `false` nothing, `true` the defaults, or one offer or several. */
export type CompressionOffer = boolean | CompressionOptions | readonly CompressionOptions[];

/** Settings of a client. `0` turns a limit off. They are read by `connect`. */
export interface ClientSettings extends ConnectionOptions {
  /**
   * Host name or address of the server.
   * @default {"localhost"}
   */
  hostName?: string;
  /**
   * Port of the server.
   * @default {8888}
   */
  port?: number;
  /**
   * Path, and query if there is one.
   * @default {"/"}
   */
  pathName?: string;
  /**
   * Whether to speak TLS.
   * @default {false}
   */
  useSSL?: boolean;
  /** PEM file with certificates that are trusted besides the runtime's own. */
  rootCertificateFile?: string;
  /** The value of the `Origin` header; "" sends none. */
  origin?: string;
  /** More header fields. */
  headers?: Record<string, string> | Headers;
  /** Subprotocols in the order of preference. */
  protocols?: readonly string[];
  /**
   * Whether to offer compression (RFC 7692), and how. Several offers stand in the order of preference: a server takes the first it
   * can.
   * @default {false}
   */
  compression?: CompressionOffer;
  /**
   * How long name resolution, TCP, TLS and handshake may take together, in ms.
   * @default {10000}
   */
  connectTimeout?: number;
  /**
   * `true`: events come by themselves. `false`: nothing is delivered until `checkIncoming()`, and what is not fetched is
   * not read from the socket.
   * @default {true}
   */
  autoCheckMessages?: boolean;
  /**
   * 0: events come as bytes come. Else they come in batches, each so many ms, so that a UI or a game loop is woken at its own
   * pace; up to 1 MiB waits in between.
   * @default {0}
   */
  autoCheckInterval?: number;
  /**
   * How long `checkIncoming` waits, in ms; 0: until something comes.
   * @default {1000}
   */
  checkTimeout?: number;
}

/** Settings and handlers of a client. */
export interface WebSocketClientOptions extends ClientSettings, ClientHandlers {}

/** How to connect. */
export interface ConnectOptions {
  /** Gives the attempt up. */
  signal?: AbortSignal;
  /** Connects over these streams instead of opening a socket. */
  stream?: BytePair;
}
