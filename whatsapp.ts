/**
 * The WhatsApp Cloud API pair: a webhook server that keeps Meta's notifications, and receivers that get typed messages
 * over WebSocket.
 *
 * @example A webhook server behind a proxy, and a receiver
 * ```ts
 * import { WhatsAppReceiver, WhatsAppServer } from "@tackline/websocket/whatsapp";
 *
 * await using server = new WhatsAppServer({
 *   hostname: "127.0.0.1",
 *   port: 0,
 *   behindProxy: true,
 *   verifyToken: "entered in Meta's dashboard",
 *   appSecret: "from Meta's dashboard",
 *   receiverToken: "given to receivers",
 *   journal: null, // in production: the path of a file
 * });
 * await server.start();
 *
 * await using receiver = new WhatsAppReceiver(`ws://127.0.0.1:${server.address?.port}/`, {
 *   receiverToken: "given to receivers",
 *   onWhatsAppMessageReceived: (message) => console.log(message.sender.name, message.type),
 * });
 * await receiver.connect();
 * ```
 *
 * @module
 */

import "./client.ts";
import { useReceiverRemedies } from "./whatsapp/remedies.ts";

export * from "./cloud_api/mod.ts";
// The classes that those of this entry extend; with all types that their members name, so that pages link to them
export { WebSocketClient } from "./client/client.ts";
export type { ClientHandlers, ConnectOptions, IncomingResult, WebSocketClientOptions } from "./client/settings.ts";
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
export type {
  AllowAnswer,
  AllowResult,
  CommandResult,
  HandlerResult,
  PublishOptions,
  ServerHandlers,
  StopOptions,
} from "./server/handlers.ts";
export { WebSocketServer } from "./server/server.ts";
export type { AllowWithHeaders } from "./server/upgrade_headers.ts";
export type { WebSocketServerOptions } from "./server/settings.ts";
export { WhatsAppServer } from "./whatsapp/server.ts";
export type { RawMessageHandler, WhatsAppDelivery, WhatsAppServerOptions } from "./whatsapp/settings.ts";
export type { FailedAttempts, ReceiverToken, ReceiverTokens, WhatsAppApp } from "./whatsapp/access.ts";
export type { SubjectForm } from "./whatsapp/distinguished_name.ts";
export { RECEIVER_PROTOCOL, TOKEN_PROTOCOL_PREFIX, tokenProtocol } from "./whatsapp/protocols.ts";
export { WhatsAppReceiver } from "./whatsapp/receiver.ts";
export type {
  WhatsAppOtherRecord,
  WhatsAppReceiverHandlers,
  WhatsAppReceiverOptions,
} from "./whatsapp/receiver_settings.ts";
export type { WhatsAppNotification } from "./whatsapp/pending_notification.ts";
export type { SeenStore } from "./whatsapp/deduplication.ts";
export { INBOX_PROTOCOL, INBOX_PROTOCOL_V2, InboxCloseCode } from "./inbox/protocol.ts";
export type { InboxPosition } from "./inbox/session.ts";
export type {
  Appended,
  Journal,
  JournalEntry,
  JournalListener,
  JournalRetention,
  NewEntry,
  SharedCursor,
  TakenEntries,
} from "./journal/journal.ts";
export type { SequenceRange } from "./journal/sequence_ranges.ts";
export { SqliteJournal } from "./journal/sqlite_journal.ts";
export { MemoryJournal } from "./journal/memory_journal.ts";
export { PostgresJournal } from "./postgres/journal.ts";
export type { PostgresJournalOptions } from "./postgres/journal.ts";
export type { PostgresDurability } from "./postgres/durability.ts";
export type {
  BunSqlClient,
  PgClient,
  PgPool,
  PostgresClient,
  PostgresClientMaker,
  PostgresJsClient,
  PostgresSource,
} from "./postgres/client.ts";
export { RedisJournal } from "./redis/journal.ts";
export type { RedisJournalOptions } from "./redis/journal.ts";
export type { RedisDurability } from "./redis/server_config.ts";
export type {
  BunRedisClient,
  IoRedisClient,
  IoRedisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisClient,
} from "./redis/client.ts";
export type { NodeRedisSentinel, RedisAddress, RedisClientMaker, RedisSentinels, RedisSource } from "./redis/source.ts";
export { JournalError } from "./base/errors.ts";
export type {
  BackplaneErrorCode,
  CertificateErrorCode,
  ConnectionClosedErrorCode,
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
} from "./base/errors.ts";
export {
  BackplaneError,
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
export type { MessageData, SendBytes, SendData } from "./protocol/payload.ts";
export type { WebSocketConnection } from "./connection/connection.ts";
export type { Clock } from "./base/clock.ts";
export type { LogHandler, LogLevel, LogRecord } from "./base/log.ts";
export type { BackplaneTraffic, CompressionTraffic, HistogramSnapshot, Stats, Traffic } from "./base/stats.ts";
export type {
  ClientConnection,
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  CompressionOffer,
  HeaderSource,
} from "./client/connector.ts";
export type { ReconnectAttempt, ReconnectFailure, ReconnectOptions } from "./client/reconnect.ts";
export type { ReceiveOptions } from "./connection/receive_options.ts";
export type { CompressionOptions } from "./protocol/compression.ts";
export type { Extension } from "./protocol/extensions.ts";
export type { FrameInfo, Opcode, Role } from "./protocol/frame_header.ts";
export type { Backplane, BackplaneListener, BackplaneSubscription } from "./pubsub/backplane.ts";
export type { BytePair, BytePairInfo } from "./transport/stream.ts";
export type { Address } from "./transport/transport.ts";
export type { PeerCertificate } from "./transport/transport.ts";
export type { PemData } from "./base/pem.ts";
export type { RouteOptions } from "./server/route_options.ts";
export type { UpgradeSource, UpgradeStream } from "./server/upgrade_request.ts";
export type { DuplexSocket } from "./transport/duplex.ts";
export type { ClientCertificateMode, NamedCertificate } from "./server/named_certificates.ts";
export type { ServerCertificates } from "./server/settings.ts";

useReceiverRemedies();
