/**
 * WebSocket server and client for Deno and Bun (RFC 6455, RFC 7692), with frame-level control and no npm dependencies;
 * and, built on them, the WhatsApp Cloud API pair: a webhook server that keeps Meta's notifications, and receivers.
 *
 * - Here: {@linkcode WebSocketServer} ({@linkcode WebSocketServerOptions}) and {@linkcode WebSocketClient}
 *   ({@linkcode WebSocketClientOptions}). Alone: `@tackline/websocket/server`, `@tackline/websocket/client`.
 * - `@tackline/websocket/whatsapp`: `WhatsAppServer`, `WhatsAppReceiver`, and `WhatsAppApi`, which answers.
 * - For web pages: `@tackline/websocket/browser`; the client alone: `@tackline/websocket/browser-client`.
 *
 * @example An echo server and a client
 * ```ts
 * import { WebSocketClient, WebSocketServer } from "@tackline/websocket";
 *
 * await using server = new WebSocketServer({ port: 0 });
 * server.onMessageReceived = (connection, text) => void connection.send(text);
 * await server.start();
 * await using client = new WebSocketClient(`ws://localhost:${server.address?.port}/`);
 * await client.connect();
 * client.send("Hello");
 * console.log(await client.receive()); // Hello
 * ```
 *
 * @example A webhook server behind a proxy, and a receiver of its messages
 * ```ts
 * import { WhatsAppReceiver, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * const receiverToken = "chosen by you";
 * await using server = new WhatsAppServer({ port: 0, hostname: "127.0.0.1", behindProxy: true, receiverToken });
 * server.appSecret = "from Meta's dashboard";
 * server.journal = null; // in production: the path of a file
 * await server.start();
 * await using receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address?.port}/`, { receiverToken });
 * receiver.onWhatsAppMessageReceived = (message) => console.log(message.sender.name, message.type);
 * await receiver.connect();
 * ```
 *
 * @module
 */

import "./client.ts";

export { WebSocketConnection } from "./connection/connection.ts";
export type {
  CloseFrame,
  CloseInfo,
  ConnectionOptions,
  ConnectionState,
  HandshakeRequest,
  MessageOptions,
  ProtocolOptions,
  SendResult,
  SlowConsumer,
} from "./connection/options.ts";
export type { ReceiveOptions } from "./connection/receive_options.ts";
export type { MessageData, SendBytes, SendData } from "./protocol/payload.ts";

export type { Extension } from "./protocol/extensions.ts";

export { Opcode } from "./protocol/frame_header.ts";
export type { Role } from "./protocol/frame_header.ts";
export type { Address, PeerCertificate } from "./transport/transport.ts";
export type { BytePair } from "./transport/stream.ts";
export type { Clock } from "./base/clock.ts";
export type { PemData } from "./base/pem.ts";
export { printable } from "./base/log.ts";
export type { LogHandler, LogLevel, LogRecord } from "./base/log.ts";
export { HISTOGRAM_BOUNDS } from "./base/stats.ts";
export type { BackplaneTraffic, CompressionTraffic, HistogramSnapshot, Stats, Traffic } from "./base/stats.ts";
export {
  CertificateError,
  CloseCode,
  ConnectionClosedError,
  HandlerError,
  HandshakeError,
  HttpError,
  OptionError,
  ProtocolError,
  StateError,
  TransportError,
  WebSocketError,
} from "./base/errors.ts";
export type {
  CertificateErrorCode,
  ConnectionClosedErrorCode,
  FlowEndpointErrorCode,
  HandlerErrorCode,
  HandshakeErrorCode,
  HttpErrorCode,
  JournalErrorCode,
  OptionErrorCode,
  ProtocolErrorCode,
  StateErrorCode,
  TransportErrorCode,
  WebSocketErrorCode,
  WebSocketErrorOptions,
  WhatsAppApiErrorCode,
} from "./base/errors.ts";
export { WebSocketClient } from "./client/client.ts";
export type {
  ClientConnection,
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  CompressionOffer,
  HeaderSource,
} from "./client/connector.ts";
export type { ClientHandlers, ConnectOptions, IncomingResult, WebSocketClientOptions } from "./client/settings.ts";
export { TERMINAL_CODES } from "./client/reconnect.ts";
export type { ReconnectAttempt, ReconnectFailure, ReconnectOptions } from "./client/reconnect.ts";
export { WebSocketServer } from "./server/server.ts";
export type {
  AllowAnswer,
  AllowResult,
  CommandResult,
  HandlerResult,
  PublishOptions,
  ServerHandlers,
  StopOptions,
} from "./server/handlers.ts";
export type { ClientCertificateMode, NamedCertificate } from "./server/named_certificates.ts";
export type { ServerCertificates, WebSocketServerOptions } from "./server/settings.ts";
export type { RouteOptions } from "./server/route_options.ts";
export type { AllowWithHeaders } from "./server/upgrade_headers.ts";
export type { UpgradeSource, UpgradeStream } from "./server/upgrade_request.ts";
export type { DuplexSocket } from "./transport/duplex.ts";
export type { BytePairInfo } from "./transport/stream.ts";
export { BackplaneError } from "./base/errors.ts";
export type { BackplaneErrorCode } from "./base/errors.ts";
export { BroadcastChannelBackplane } from "./pubsub/broadcast_channel.ts";
export type { Backplane, BackplaneListener, BackplaneSubscription } from "./pubsub/backplane.ts";
export { RedisBackplane } from "./redis/backplane.ts";
export type { RedisBackplaneOptions } from "./redis/backplane.ts";
export type {
  BunRedisClient,
  IoRedisClient,
  IoRedisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisClient,
} from "./redis/client.ts";
export type { NodeRedisSentinel, RedisAddress, RedisClientMaker, RedisSentinels, RedisSource } from "./redis/source.ts";
export type { FrameInfo } from "./protocol/frame_header.ts";
export type { CompressionOptions } from "./protocol/compression.ts";
