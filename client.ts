/**
 * The WebSocket client over sockets of Deno and Bun, alone. For pages: `@tackline/websocket/browser`.
 *
 * @example A client that reconnects
 * ```ts
 * import { WebSocketClient } from "@tackline/websocket/client";
 *
 * export async function printAll(url: string): Promise<void> {
 *   await using client = new WebSocketClient(url, { reconnect: true });
 *   await client.connect();
 *   for await (const message of client) console.log(message);
 * }
 * ```
 *
 * @module
 */

import { useSockets } from "./client/choose_connector.ts";
import { useClientRemedies } from "./client/remedies.ts";
import { socketConnector } from "./client/socket_connector.ts";

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
export type { Address } from "./transport/transport.ts";
export type { BytePair } from "./transport/stream.ts";
export type { Clock } from "./base/clock.ts";
export type { PemData } from "./base/pem.ts";
export type { PeerCertificate } from "./transport/transport.ts";
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
  BackplaneErrorCode,
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

export type { FrameInfo } from "./protocol/frame_header.ts";
export type { CompressionOptions } from "./protocol/compression.ts";

useSockets(socketConnector);
useClientRemedies();
