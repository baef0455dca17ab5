/**
 * The handlers of a server, and the options of its methods.
 *
 * @module
 */

import type { CloseInfo, MessageOptions } from "../connection/options.ts";
import type { FrameInfo } from "../protocol/frame_header.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { LogHandler } from "../base/log.ts";
import type { HandlersTable } from "../base/settings.ts";
import type { AllowWithHeaders } from "./upgrade_headers.ts";

/**
 * Result of a handler without an answer: anything, since it is ignored; a promise is watched for its rejection. Not
 * `unknown`: for that TypeScript before 7 infers the result, and a handler could not use the object that gets it.
 */
export type HandlerResult = void;

/** Decision of {@linkcode ServerHandlers.onAllow}. */
export type AllowAnswer = boolean | Response | AllowWithHeaders;

/** Answer of {@linkcode ServerHandlers.onAllow}, now or later. */
export type AllowResult = AllowAnswer | Promise<AllowAnswer>;

/** Answer of {@linkcode ServerHandlers.onCommandGet}. */
export type CommandResult = Response | void | Promise<Response | void>;

/**
 * The handlers of a server. They are called synchronously in the order of arrival. An error that they throw or reject
 * with goes to `onError`, and the connection is closed with 1011.
 */
export interface ServerHandlers<Data = unknown> {
  /** Called for the pass phrase of an encrypted private key. */
  onGetSSLPassword?: (() => string | Promise<string>) | undefined;
  /**
   * Called after TCP and TLS, before the handshake; for plain HTTP, refused connections and port scans too, whose
   * `onDisconnect` has `opened: false`. For WebSockets only: `onOpen`.
   */
  onConnect?: ((connection: WebSocketConnection<Data | undefined>) => HandlerResult) | undefined;
  /**
   * Called for a valid handshake request, which is in `connection.request`. `true` opens the WebSocket, `{ headers }`
   * too, with header fields such as `Set-Cookie` in the answer. `false` answers 403, and a `Response` is sent as it is:
   * a new one each time, with a status that gives the reason. Without an answer the request is refused too. A promise
   * has `handshakeTimeout`, then the peer gets 503; `connection.request.signal` aborts then, and when the peer leaves
   * before. Later answers are ignored. Without this handler all requests are allowed.
   */
  onAllow?: ((connection: WebSocketConnection<Data | undefined>) => AllowResult) | undefined;
  /**
   * Chooses one of the offered subprotocols; "" or `undefined` for none. Without this handler the first of
   * `protocols` that is offered is chosen.
   */
  onSelectProtocol?: ((connection: WebSocketConnection<Data>, offered: string[]) => string | undefined) | undefined;
  /** Called when the WebSocket is open: from here on messages may be sent. Its counterpart is `onEnd`. */
  onOpen?: ((connection: WebSocketConnection<Data>) => HandlerResult) | undefined;
  /** Called at the same time, behind `onOpen`: its former name. */
  onHandshakeResponseSent?: ((connection: WebSocketConnection<Data>) => HandlerResult) | undefined;
  /** Called for a text message, or with `frameByFrame` for a frame of one. */
  onMessageReceived?:
    | ((connection: WebSocketConnection<Data>, text: string, frame?: FrameInfo) => HandlerResult)
    | undefined;
  /** Called for a binary message, or with `frameByFrame` for a frame of one. */
  onBinaryDataReceived?:
    | ((connection: WebSocketConnection<Data>, bytes: Uint8Array<ArrayBuffer>, frame?: FrameInfo) => HandlerResult)
    | undefined;
  /** Called for a ping; it is answered already, unless `manualPong` is set. */
  onPing?: ((connection: WebSocketConnection<Data>, data: Uint8Array<ArrayBuffer>) => HandlerResult) | undefined;
  /** Called for a pong. */
  onPong?: ((connection: WebSocketConnection<Data>, data: Uint8Array<ArrayBuffer>) => HandlerResult) | undefined;
  /** Called for the peer's close frame; it is answered already, unless `manualClose` is set. */
  onClose?: ((connection: WebSocketConnection<Data>, code: number, reason: string) => HandlerResult) | undefined;
  /** Called when a WebSocket has ended: exactly once for each `onOpen`, and before `onDisconnect`. */
  onEnd?: ((connection: WebSocketConnection<Data>, info: CloseInfo) => HandlerResult) | undefined;
  /**
   * Called when a connection has ended, exactly once for each `onConnect`: for those that were never open too, whose
   * `data` may not be set. `info.opened` tells them apart; `onEnd` is called for WebSockets only.
   */
  onDisconnect?: ((connection: WebSocketConnection<Data | undefined>, info: CloseInfo) => HandlerResult) | undefined;
  /**
   * Answers a plain HTTP request. Without an answer it gets 426, on another path than `pathName` or those of `routes`
   * 404. Each request needs a `Response` of its own, with a status from 200 to 599. The time is not limited;
   * `request.signal` aborts when the client leaves, or `stop` gives it up, before all of the response is sent.
   */
  onCommandGet?: ((request: Request, connection: WebSocketConnection<Data | undefined>) => CommandResult) | undefined;
  /**
   * Called for failures: a protocol violation, a refused handshake, a handler ({@linkcode HandlerError}), a message
   * that neither a handler nor a loop gets (`ERR_NO_HANDLER`, once for each connection), the listener.
   * Without this handler, errors of handlers and the first `ERR_NO_HANDLER` are printed with `console.error`, and
   * others are dropped.
   */
  onError?: ((error: unknown, connection?: WebSocketConnection<Data | undefined>) => HandlerResult) | undefined;
  /**
   * Called with a structured record for each start and stop, connection, refusal and failure. The same
   * records go to the channel `tackline:websocket:server` of `node:diagnostics_channel`.
   */
  onLog?: LogHandler | undefined;
}

/** Names of the handlers. */
export const SERVER_HANDLERS: HandlersTable<ServerHandlers> = {
  onGetSSLPassword: true,
  onConnect: true,
  onAllow: true,
  onSelectProtocol: true,
  onOpen: true,
  onHandshakeResponseSent: true,
  onMessageReceived: true,
  onBinaryDataReceived: true,
  onPing: true,
  onPong: true,
  onClose: true,
  onEnd: true,
  onDisconnect: true,
  onCommandGet: true,
  onError: true,
  onLog: true,
};

/** Names that other libraries use, in small letters, and the handlers or settings of this one. */
export const SERVER_NAMES: Readonly<Record<string, string>> = {
  verifyclient: "onAllow",
  onupgrade: "onAllow",
  handleprotocols: "onSelectProtocol",
  onopen: "onOpen",
  onconnection: "onOpen",
  onmessage: "onMessageReceived",
  onclose: "onEnd",
  onerror: "onError",
  onrequest: "onCommandGet",
  host: "hostname",
};

/**
 * Options of one message to the subscribers of a topic.
 *
 * Also from {@linkcode MessageOptions}:
 * - `slowConsumer`: Treatment of this message beyond `maxBufferedAmount`; the default is the setting `slowConsumer`.
 */
export interface PublishOptions<Data = unknown> extends MessageOptions {
  /** A connection that does not get the message, such as its sender. */
  except?: WebSocketConnection<Data | undefined> | undefined;
}

/** Options of `stop`. */
export interface StopOptions {
  /**
   * The close code for each connection.
   * @default {1001}
   */
  code?: number | undefined;
  /**
   * The close reason for each connection.
   * @default {""}
   */
  reason?: string | undefined;
  /**
   * Time that connections have to end, in ms; 0: no limit. Those whose peers make progress get it again, at most ten
   * times. The default is the setting `closeTimeout`.
   */
  closeTimeout?: number | undefined;
  /** Aborts the wait: the remaining connections are terminated. */
  signal?: AbortSignal | undefined;
}
