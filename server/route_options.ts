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
