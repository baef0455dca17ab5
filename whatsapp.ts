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
// The classes and options that those of this entry extend
export { WebSocketClient } from "./client/client.ts";
export type { ClientHandlers, WebSocketClientOptions } from "./client/settings.ts";
export type { ConnectionOptions } from "./connection/options.ts";
export type { ServerHandlers } from "./server/handlers.ts";
export { WebSocketServer } from "./server/server.ts";
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
export { RedisJournal } from "./redis/journal.ts";
export type { RedisJournalOptions } from "./redis/journal.ts";
export type { RedisDurability } from "./redis/server_config.ts";
export type { BunRedisClient, IoRedisClient, NodeRedisClient, RedisClient } from "./redis/client.ts";
export { JournalError } from "./base/errors.ts";
export type { JournalErrorCode } from "./base/errors.ts";
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
  HandlerErrorCode,
  HandshakeErrorCode,
  HttpErrorCode,
  OptionErrorCode,
  ProtocolErrorCode,
  StateErrorCode,
  TransportErrorCode,
  WebSocketErrorCode,
  WebSocketErrorOptions,
} from "./base/errors.ts";
export type { CloseInfo } from "./connection/options.ts";
export type { MessageData, SendBytes, SendData } from "./protocol/payload.ts";
export type { WebSocketConnection } from "./connection/connection.ts";
export type { Clock } from "./base/clock.ts";
export type { PeerCertificate } from "./transport/transport.ts";
export type { PemData } from "./base/pem.ts";
export type { ClientCertificateMode, NamedCertificate } from "./server/named_certificates.ts";
export type { ServerCertificates } from "./server/settings.ts";

useReceiverRemedies();
