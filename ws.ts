/**
 * A home for servers written for npm `ws` 8: its `WebSocketServer` and `WebSocket`, over the server of this library.
 *
 * @example An echo server
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket/ws";
 *
 * const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
 * server.on("connection", (socket, request) => {
 *   console.log(request.url);
 *   socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
 * });
 * server.close();
 * ```
 *
 * @module
 */

export { default } from "./ws/module.ts";
export type { CloseEvent, ErrorEvent, Event, MessageEvent, ServerOptions, WebSocketClass } from "./ws/module.ts";
export { WebSocketServer, WebSocketServerEmitter } from "./ws/server.ts";
export type { GivenOptions, RefusedSocket, WebSocketServerEmitterClass, WebSocketServerEvents } from "./ws/server.ts";
export { createWebSocketStream } from "./ws/stream.ts";
export { WebSocket, WebSocketEmitter } from "./ws/websocket.ts";
export type {
  ControlCallback,
  PropertyFunction,
  PropertyListener,
  SendCallback,
  WebSocketEvents,
} from "./ws/websocket.ts";
export type {
  ExtraSettings,
  HandleProtocols,
  HttpListener,
  HttpServer,
  PerMessageDeflateOptions,
  UpgradeRequest,
  VerifyAnswer,
  VerifyClient,
  VerifyInfo,
  WebSocketServerOptions,
} from "./ws/options.ts";
export type { BinaryType, Data, NodeBuffer, RawData } from "./ws/binary_type.ts";
export type { ConvertibleData, SocketData, SocketSendOptions } from "./ws/send_data.ts";
export type {
  SocketCloseEvent,
  SocketErrorEvent,
  SocketEvent,
  SocketEventListener,
  SocketEventName,
  SocketEventTable,
  SocketMessageEvent,
} from "./ws/event_target.ts";
export type { AnyListener, Emitter, EmitterClass, EventListener, EventTable, KnownListener } from "./ws/emitter.ts";
export type { CompressionOptions } from "./protocol/compression.ts";
export type { SendBytes, SendData } from "./protocol/payload.ts";
export type { UpgradeStream } from "./server/upgrade_request.ts";
export type { BytePair, BytePairInfo } from "./transport/stream.ts";
export type { DuplexSocket } from "./transport/duplex.ts";
export type { Address } from "./transport/transport.ts";
