/**
 * The WebSocket client for pages, alone and small: `WebSocketClient` over the browser's own `WebSocket`, at most 10 KiB
 * minified and gzipped. Names, errors and events are those of the class of `@tackline/websocket/browser`, which has all
 * members, and the receiver of WhatsApp messages besides. Sizes and what is left out are in docs/client.md.
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
export type {
  CloseFrame,
  CloseInfo,
  ConnectionState,
  MessageOptions,
  SendResult,
  SlowConsumer,
} from "./connection/options.ts";
export type { ConnectionOptions, ProtocolOptions } from "./connection/options.ts";
export type { Extension } from "./protocol/extensions.ts";
export type { ReceiveOptions } from "./connection/receive_options.ts";
export type { MessageData, SendBytes, SendData } from "./protocol/payload.ts";

export type { Clock } from "./base/clock.ts";
export { printable } from "./base/log.ts";
export type { LogHandler, LogLevel, LogRecord } from "./base/log.ts";
export { WebSocketClient } from "./client/page_client.ts";
export type { PageConnection } from "./client/page_link.ts";
export { TERMINAL_CODES } from "./client/page_settings.ts";
export type { PageClientOptions, PageHandlerName, PageHandlers, PageSettings } from "./client/page_settings.ts";
export type { ClientHandlers, WebSocketClientOptions } from "./client/settings.ts";
export type {
  ClientHandshakeRequest,
  ClientHandshakeResponse,
  CompressionOffer,
  HeaderSource,
} from "./client/connector.ts";
export type { ReconnectAttempt, ReconnectFailure, ReconnectOptions } from "./client/reconnect.ts";
export type { CompressionOptions } from "./protocol/compression.ts";
export type { FrameInfo, Opcode, Role } from "./protocol/frame_header.ts";
export type { PemData } from "./base/pem.ts";
