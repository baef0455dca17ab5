/**
 * The entry for pages: `WebSocketClient` and `WhatsAppReceiver` over the browser's own `WebSocket`. Nothing here, nor
 * in what it imports, names a runtime or `node:`. The size of a bundle is in docs/client.md.
 *
 * The classes are those of the main entry. What a browser does not offer (`ping`, headers, frames, parameters of
 * compression) throws a `StateError` with the code `ERR_UNSUPPORTED` that says so, when it is called or when `connect`
 * meets it.
 *
 * Differences that follow from the browser's interface:
 * - It cannot be told to read more slowly. What the program does not take waits up to 1 MiB, or `maxMessageSize` if
 *   that is more, and one message; then the connection is given up with `ERR_SLOW_CONSUMER`.
 * - A message beyond `maxMessageSize` is refused when it has come. The server sees a close frame without a code.
 * - Behind `close()`, messages that are still on their way may not be delivered.
 * - Why a connection could not be made is not told. A loss without a sign, such as a cable that is pulled, is
 *   reported when the browser notices: let the server send pings.
 *
 * @example A receiver in a page
 * ```ts
 * import { WhatsAppReceiver } from "@tackline/websocket/browser";
 *
 * export async function show(receiverToken: string, list: { append(line: string): void }): Promise<void> {
 *   const receiver = new WhatsAppReceiver("wss://hooks.example.com/whatsapp", { receiverToken });
 *   await receiver.connect();
 *   for await (const message of receiver.messages) {
 *     if (message.type === "text") list.append(`${message.sender.name}: ${message.text.body}`);
 *   }
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
export type { PemData } from "./base/pem.ts";
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
export type { WhatsAppFilter } from "./cloud_api/filter.ts";
export { laterStatus, statusKey } from "./cloud_api/status.ts";
export { parseNotification } from "./cloud_api/parse.ts";
export type { JsonObject } from "./cloud_api/json.ts";
export type {
  WhatsAppAccountInfo,
  WhatsAppAccountUpdate,
  WhatsAppAlert,
  WhatsAppBan,
  WhatsAppDisconnection,
  WhatsAppFlowError,
  WhatsAppFlowEvent,
  WhatsAppLimits,
  WhatsAppPartnerCertification,
  WhatsAppPaymentConfiguration,
  WhatsAppPricingTier,
  WhatsAppRateCountry,
  WhatsAppRateEligibility,
  WhatsAppRestriction,
  WhatsAppTemplateButton,
  WhatsAppTemplateComponents,
  WhatsAppTemplateUpdate,
  WhatsAppUserIdChange,
  WhatsAppViolation,
} from "./cloud_api/account_records.ts";
export type {
  WhatsAppAccountSettings,
  WhatsAppAutomaticEvent,
  WhatsAppCall,
  WhatsAppCallHours,
  WhatsAppCallingSettings,
  WhatsAppCallSession,
  WhatsAppContactSync,
  WhatsAppGroupEvent,
  WhatsAppGroupParticipant,
  WhatsAppGroupSetting,
  WhatsAppHandover,
  WhatsAppHoliday,
  WhatsAppOperatingHours,
  WhatsAppSipServer,
  WhatsAppUserPreference,
} from "./cloud_api/field_records.ts";
export type { WhatsAppContact } from "./cloud_api/contact_card.ts";
export type {
  ContentsOf,
  WhatsAppAudioMessage,
  WhatsAppButton,
  WhatsAppButtonMessage,
  WhatsAppCallPermission,
  WhatsAppContactsMessage,
  WhatsAppContents,
  WhatsAppContext,
  WhatsAppDocumentMessage,
  WhatsAppEdit,
  WhatsAppEditMessage,
  WhatsAppError,
  WhatsAppImageMessage,
  WhatsAppInteractive,
  WhatsAppInteractiveMessage,
  WhatsAppLocation,
  WhatsAppLocationMessage,
  WhatsAppMedia,
  WhatsAppMessage,
  WhatsAppMessageBase,
  WhatsAppOrder,
  WhatsAppOrderMessage,
  WhatsAppProduct,
  WhatsAppReaction,
  WhatsAppReactionMessage,
  WhatsAppReferral,
  WhatsAppRequestWelcomeMessage,
  WhatsAppRevoke,
  WhatsAppRevokeMessage,
  WhatsAppSender,
  WhatsAppSentTemplate,
  WhatsAppStickerMessage,
  WhatsAppSystem,
  WhatsAppSystemMessage,
  WhatsAppTemplateMessage,
  WhatsAppTextMessage,
  WhatsAppUnknownMessage,
  WhatsAppUnsupported,
  WhatsAppUnsupportedMessage,
  WhatsAppVideoMessage,
} from "./cloud_api/messages.ts";
export type {
  ParsedNotification,
  SkippedItem,
  WhatsAppAccountError,
  WhatsAppAmount,
  WhatsAppConversation,
  WhatsAppEcho,
  WhatsAppHistoryMessage,
  WhatsAppOther,
  WhatsAppPayment,
  WhatsAppPaymentDetails,
  WhatsAppPricing,
  WhatsAppRecord,
  WhatsAppRefund,
  WhatsAppStandby,
  WhatsAppStatus,
  WhatsAppTransaction,
  WhatsAppUserAction,
} from "./cloud_api/records.ts";
export type { WhatsAppRecordBase } from "./cloud_api/record_base.ts";
export type { CompressionOptions } from "./protocol/compression.ts";
export type { FrameInfo, Opcode, Role } from "./protocol/frame_header.ts";
