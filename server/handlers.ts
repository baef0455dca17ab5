/**
 * What a server tells and asks its program.
 *
 * @module
 */

import type { CloseInfo, MessageOptions } from "../connection/options.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { LogHandler } from "../base/log.ts";

/** What a handler may return when nothing is asked of it; a promise is watched for its rejection. */
export type HandlerResult = void | Promise<void>;

/** What {@linkcode ServerHandlers.onAllow} may answer. */
export type AllowResult = boolean | Response | Promise<boolean | Response>;

/** What {@linkcode ServerHandlers.onCommandGet} may answer. */
export type CommandResult = Response | void | Promise<Response | void>;

/**
 * The handlers of a server. They are called synchronously in the order of arrival; what they throw or reject with goes
 * to `onError`, and the connection is closed with 1011.
 */
export interface ServerHandlers<Data = unknown> {
  /** Asked for the pass phrase of an encrypted private key. */
  onGetSSLPassword?: () => string | Promise<string>;
  /**
   * TCP (and TLS) is there, the handshake is not done yet. Called for plain HTTP and for refused connections too, whose
   * `onDisconnect` has 1006; for WebSockets only: `onHandshakeResponseSent`.
   */
  onConnect?: (connection: WebSocketConnection<Data>) => HandlerResult;
  /**
   * A valid handshake request came; `connection.request` has it. `true` opens the WebSocket, `false` answers 403, a
   * `Response` is sent as it is: a new one each time, with a status that says why. Without an answer it is refused too. A promise
   * has `handshakeTimeout`, then the peer gets 503; `connection.request.signal` aborts then, and when the peer leaves before. Later answers
   * are ignored. Without this handler all are allowed.
   */
  onAllow?: (connection: WebSocketConnection<Data>) => AllowResult;
  /**
   * Chooses one of the offered subprotocols; "" or `undefined` for none. Without this handler the first of `protocols`
   * that is offered is chosen.
   */
  onSelectProtocol?: (connection: WebSocketConnection<Data>, offered: string[]) => string | undefined;
  /** The handshake is done: from here on messages may be sent. */
  onHandshakeResponseSent?: (connection: WebSocketConnection<Data>) => HandlerResult;
  /** A text message came, or with `frameByFrame` a frame of one. */
  onMessageReceived?: (connection: WebSocketConnection<Data>, text: string, frame?: FrameInfo) => HandlerResult;
  /** A binary message came, or with `frameByFrame` a frame of one. */
  onBinaryDataReceived?: (connection: WebSocketConnection<Data>, bytes: Uint8Array, frame?: FrameInfo) => HandlerResult;
  /** A ping came; the automatic pong is on its way, unless `manualPong`. */
  onPing?: (connection: WebSocketConnection<Data>, data: Uint8Array) => HandlerResult;
  /** A pong came. */
  onPong?: (connection: WebSocketConnection<Data>, data: Uint8Array) => HandlerResult;
  /** The peer's close frame came; the automatic answer is on its way, unless `manualClose`. */
  onClose?: (connection: WebSocketConnection<Data>, code: number, reason: string) => HandlerResult;
  /** The connection has ended: exactly once for each `onConnect`. */
  onDisconnect?: (connection: WebSocketConnection<Data>, info: CloseInfo) => HandlerResult;
  /**
   * A plain HTTP request came. Without an answer it gets 426, on another path than `pathName` 404. Each request needs a `Response`
   * of its own. The time it takes is not limited.
   */
  onCommandGet?: (request: Request, connection: WebSocketConnection<Data>) => CommandResult;
  /**
   * Something failed: a protocol violation, a refused handshake, a handler ({@linkcode HandlerError}), the listener.
   * Without this handler, errors of handlers are printed with `console.error`, and others are dropped.
   */
  onError?: (error: unknown, connection?: WebSocketConnection<Data>) => void;
  /**
   * Something happened, as a structured record: listening, each connection from its beginning to its end, refusals, failures. The same
   * records go to the channel `tackline:websocket:server` of `node:diagnostics_channel`.
   */
  onLog?: LogHandler;
}

/** What is different for one message to the subscribers of a topic. */
export interface PublishOptions<Data = unknown> extends MessageOptions {
  /** A connection that does not get it: the one it came from. */
  except?: WebSocketConnection<Data>;
}

/** How to stop a server. */
export interface StopOptions {
  /**
   * The close code for each connection.
   * @default {1001}
   */
  code?: number;
  /**
   * The close reason for each connection.
   * @default {""}
   */
  reason?: string;
  /** How long to wait for the connections, in ms; 0: no limit. The default is the setting `closeTimeout`. */
  closeTimeout?: number;
  /** Hastens it: from then on nobody is waited for. */
  signal?: AbortSignal;
}
