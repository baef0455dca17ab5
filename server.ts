/**
 * The WebSocket server (RFC 6455) on Deno and Bun, alone. The main entry has it too.
 *
 * @example An echo server
 * ```ts
 * import { WebSocketServer } from "@tackline/websocket/server";
 *
 * await using server = new WebSocketServer({
 *   port: 0,
 *   onMessageReceived: (connection, text) => void connection.send(text),
 * });
 * await server.start();
 * console.log(server.address?.port);
 * ```
 *
 * @module
 */

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
