/**
 * The WebSocket client for pages, alone: `WebSocketClient` over the browser's own `WebSocket`. With the receiver of
 * WhatsApp messages besides: `@tackline/websocket/browser`, which has the same class. Sizes are in docs/client.md.
 *
 * Differences that follow from the browser's interface are those of `@tackline/websocket/browser`.
 *
 * @example A client in a page
 * ```ts
 * import { WebSocketClient } from "@tackline/websocket/browser-client";
 *
 * export async function show(url: string, list: { append(line: string): void }): Promise<void> {
 *   const client = new WebSocketClient(url, { reconnect: true });
 *   await client.connect();
 *   for await (const message of client) list.append(String(message));
 * }
 * ```
 *
 * @module
 */

export {
  CloseCode,
  ConnectionClosedError,
  HandlerError,
  HandshakeError,
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

export type { Address } from "./transport/transport.ts";
export type { BytePair } from "./transport/stream.ts";
export type { Clock } from "./base/clock.ts";
export { printable } from "./base/log.ts";
export type { LogHandler, LogLevel, LogRecord } from "./base/log.ts";
export { HISTOGRAM_BOUNDS } from "./base/stats.ts";
export type { BackplaneTraffic, CompressionTraffic, HistogramSnapshot, Stats, Traffic } from "./base/stats.ts";
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
export type { CompressionOptions } from "./protocol/compression.ts";
export type { FrameInfo, Opcode, Role } from "./protocol/frame_header.ts";
export type { PemData } from "./base/pem.ts";
