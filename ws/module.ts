/**
 * The default export of the entry: the class `WebSocket`, with the server as a static member, as npm `ws` has it.
 *
 * @module
 */

import type { SocketCloseEvent, SocketErrorEvent, SocketEvent, SocketMessageEvent } from "./event_target.ts";
import type { WebSocketServerOptions } from "./options.ts";
import { WebSocketServer } from "./server.ts";
import { createWebSocketStream } from "./stream.ts";
import { WebSocket } from "./websocket.ts";

/**
 * The options of a server, by the name that `@types/ws` has for them.
 *
 * @typeParam Socket Class of the connections.
 */
export type ServerOptions<Socket extends WebSocket = WebSocket> = WebSocketServerOptions<Socket>;
/** An event of a {@linkcode WebSocket}. */
export type Event = SocketEvent<WebSocket>;
/** A message came. */
export type MessageEvent = SocketMessageEvent<WebSocket>;
/** The connection has ended. */
export type CloseEvent = SocketCloseEvent<WebSocket>;
/** The connection failed, or a listener. */
export type ErrorEvent = SocketErrorEvent<WebSocket>;

/** The class {@linkcode WebSocket}, with the server as static members. */
export interface WebSocketClass {
  /** Makes a view without a connection, for a server. */
  new (address: null, protocols?: undefined, options?: object): WebSocket;
  /** Prototype of the class. */
  readonly prototype: WebSocket;
  /** Value of `readyState` before the handshake is done. */
  readonly CONNECTING: 0;
  /** Value of `readyState` while messages can be sent. */
  readonly OPEN: 1;
  /** Value of `readyState` from the first close frame on. */
  readonly CLOSING: 2;
  /** Value of `readyState` after the end. */
  readonly CLOSED: 3;
  /** The class {@linkcode WebSocketServer}. */
  readonly Server: typeof WebSocketServer;
  /** The class {@linkcode WebSocketServer}. */
  readonly WebSocketServer: typeof WebSocketServer;
  /** This class. */
  readonly WebSocket: typeof WebSocket;
  /** Makes a stream of a connection. */
  readonly createWebSocketStream: typeof createWebSocketStream;
}

/** A connection as programs written for npm `ws` expect it. */
type WebSocketDefault = WebSocket;
/** The class {@linkcode WebSocket}, with the server as static members. */
const WebSocketDefault: WebSocketClass = Object.assign(WebSocket, {
  Server: WebSocketServer,
  WebSocketServer,
  WebSocket,
  createWebSocketStream,
});
export default WebSocketDefault;
