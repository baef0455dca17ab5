/**
 * Meta's Cloud API without a server: notifications as typed records, their signature, and the client that answers.
 *
 * @module
 */

export { WhatsAppApi } from "./api.ts";
export type { MediaFile, ReadOptions, Recipient, SendOptions, SendTextOptions, SentMessage, TemplateOptions, WhatsAppApiOptions } from "./api.ts";
export { parseNotification } from "./parse.ts";
export type { ContentsOf, JsonObject, ParsedNotification, SkippedItem, WhatsAppAccountError, WhatsAppAudioMessage, WhatsAppButton, WhatsAppButtonMessage, WhatsAppCallPermission, WhatsAppContact, WhatsAppContactsMessage, WhatsAppContents, WhatsAppContext, WhatsAppConversation, WhatsAppDocumentMessage, WhatsAppEcho, WhatsAppEdit, WhatsAppEditMessage, WhatsAppError, WhatsAppHistoryMessage, WhatsAppImageMessage, WhatsAppInteractive, WhatsAppInteractiveMessage, WhatsAppLocation, WhatsAppLocationMessage, WhatsAppMedia, WhatsAppMessage, WhatsAppMessageBase, WhatsAppOrder, WhatsAppOrderMessage, WhatsAppOther, WhatsAppPricing, WhatsAppProduct, WhatsAppReaction, WhatsAppReactionMessage, WhatsAppRecord, WhatsAppReferral, WhatsAppRequestWelcomeMessage, WhatsAppRevoke, WhatsAppRevokeMessage, WhatsAppSender, WhatsAppStandby, WhatsAppStatus, WhatsAppStickerMessage, WhatsAppSystem, WhatsAppSystemMessage, WhatsAppTextMessage, WhatsAppUnknownMessage, WhatsAppUnsupported, WhatsAppUnsupportedMessage, WhatsAppUserAction, WhatsAppVideoMessage } from "./types.ts";
export type { WhatsAppFilter } from "./filter.ts";
export { laterStatus, statusKey } from "./status.ts";
export { signNotification, verifySignature } from "./signature.ts";
export { WhatsAppApiError } from "../base/errors.ts";
export type { GraphError, WhatsAppApiErrorCode } from "../base/errors.ts";
export { SIMULATED_TYPES, simulateNotification } from "./simulated.ts";
export type { SimulatedNotification } from "./simulated.ts";
