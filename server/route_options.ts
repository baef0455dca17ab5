/**
 * The options of one route of a server.
 *
 * @module
 */

import type { ConnectionOptions } from "../connection/options.ts";
import type { CompressionOptions } from "../protocol/compression.ts";
import type { OptionTable } from "../base/option_names.ts";
import type { ServerHandlers } from "./handlers.ts";

/**
 * Handlers and settings of one route. Those that are not given are the server's. They are read when the server is made.
 *
 * Also from {@linkcode ServerHandlers}:
 * - `onAllow`: Called for a valid handshake request, which is in `connection.request`.
 * - `onSelectProtocol`: Chooses one of the offered subprotocols; "" or `undefined` for none.
 * - `onOpen`: Called when the WebSocket is open: from here on messages may be sent.
 * - `onHandshakeResponseSent`: Called at the same time, behind `onOpen`: its former name.
 * - `onMessageReceived`: Called for a text message, or with `frameByFrame` for a frame of one.
 * - `onBinaryDataReceived`: Called for a binary message, or with `frameByFrame` for a frame of one.
 * - `onPing`: Called for a ping; it is answered already, unless `manualPong` is set.
 * - `onPong`: Called for a pong.
 * - `onClose`: Called for the peer's close frame; it is answered already, unless `manualClose` is set.
 * - `onEnd`: Called when a WebSocket has ended: exactly once for each `onOpen`, and before `onDisconnect`.
 * - `onCommandGet`: Answers a plain HTTP request.
 * - `onError`: Called for failures: a protocol violation, a refused handshake, a handler ({@linkcode HandlerError}), a
 *   message that neither a handler nor a loop gets (`ERR_NO_HANDLER`, once for each connection), the listener.
 *
 * Also from {@linkcode ConnectionOptions}:
 * - `options`: Switches of the protocol.
 * - `splitMessage` (default `false`): Send messages in frames of at most `frameSize` bytes.
 * - `frameSize` (default `0`): Longest frame on the wire, header included, in bytes, when `splitMessage` is on; 0: no
 *   splitting.
 * - `maxMessageSize` (default `16777216`): Largest message accepted from the peer, in bytes.
 * - `maxFragments` (default `131072`): Most fragments of one message, empty ones included; beyond it 1008.
 * - `maxBufferedAmount` (default `33554432`): Most bytes that wait for a slow peer; control frames and compressed
 *   fragments may exceed it a little.
 * - `highWaterMark` (default `65536`): Number of waiting bytes from which `send` returns `"backpressure"`.
 * - `slowConsumer` (default `"close"`): Effect of a message beyond `maxBufferedAmount`: `"close"` ends the connection
 *   at once, `"drop"` skips the message.
 * - `closeTimeout` (default `10000`): Longest time for the closing handshake, and then for the end of TCP, in ms.
 * - `idleTimeout` (default `0`): Longest time in which only pings and pongs come or are sent, in ms, exact to an
 *   eighth.
 * - `pingInterval` (default `25000`): Time between the answer to a ping and the next ping, in ms.
 * - `pongTimeout` (default `20000`): Longest time to the answer to a ping, in ms.
 * - `maxMessageRate` (default `0`): Most messages and control frames a second; beyond it 1008.
 * - `maxByteRate` (default `0`): Most bytes a second, on the wire; beyond it 1008.
 * - `concurrency` (default `64`): Most promises of message handlers that may be pending on one connection.
 * - `rateBurstSeconds` (default `5`): Messages and bytes that may come at once, as the seconds in which
 *   `maxMessageRate` and `maxByteRate` would let them in; at least 1 to be of use.
 *
 * @typeParam Data The type of `connection.data`.
 *
 * @example
 * ```ts
 * import { type RouteOptions, WebSocketServer } from "@tackline/websocket";
 *
 * const chat: RouteOptions = {
 *   maxMessageSize: 4096,
 *   onMessageReceived: (connection, text) => void server.publish(connection.params.room!, text),
 *   onOpen: (connection) => void connection.subscribe(connection.params.room!),
 * };
 * export const server: WebSocketServer = new WebSocketServer({ routes: { "/chat/:room": chat } });
 * ```
 */
export interface RouteOptions<Data = unknown>
  extends
    Omit<ServerHandlers<Data>, "onGetSSLPassword" | "onConnect" | "onDisconnect" | "onLog">,
    Omit<ConnectionOptions, "messageTimeout" | "clock"> {
  /** Subprotocols of the route, in its order of preference. */
  protocols?: readonly string[] | undefined;
  /** Compress messages for clients that offer it; an object says how. */
  compression?: boolean | CompressionOptions | undefined;
  /** Origins whose pages may open a WebSocket; empty: all. */
  origins?: readonly string[] | undefined;
  /** Largest body of a plain HTTP request, in bytes; 0: no limit. */
  maxBodySize?: number | undefined;
}

/** Names of the handlers of a route. */
export const ROUTE_HANDLERS: OptionTable<Pick<RouteOptions, keyof RouteOptions & keyof ServerHandlers>> = {
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
  onCommandGet: true,
  onError: true,
};

/** Names of the settings of a route: those of one connection. */
export const ROUTE_SETTINGS: OptionTable<Omit<RouteOptions, keyof ServerHandlers>> = {
  options: true,
  splitMessage: true,
  frameSize: true,
  maxMessageSize: true,
  maxFragments: true,
  maxBufferedAmount: true,
  highWaterMark: true,
  slowConsumer: true,
  closeTimeout: true,
  idleTimeout: true,
  pingInterval: true,
  pongTimeout: true,
  maxMessageRate: true,
  maxByteRate: true,
  rateBurstSeconds: true,
  concurrency: true,
  protocols: true,
  compression: true,
  origins: true,
  maxBodySize: true,
};
