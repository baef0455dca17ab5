/**
 * Meta's Cloud API without a server: notifications as typed records, their signature, and a client that answers
 * messages.
 *
 * @example A notification to typed records
 * ```ts
 * import { parseNotification, simulateNotification } from "@tackline/websocket/cloud-api";
 *
 * const { json } = simulateNotification(1, { type: "text" });
 * const { records } = parseNotification(json);
 * for (const record of records) if (record.kind === "message") console.log(record.type, record.sender.name);
 * ```
 *
 * @module
 */

export { WhatsAppApi } from "./api.ts";
export { WhatsAppApiError } from "./api_error.ts";
export type { GraphError } from "./api_error.ts";
export type { WhatsAppApiOptions } from "./api_settings.ts";
export { GraphClient } from "./graph.ts";
export type { GraphCall, GraphMethod } from "./graph.ts";
export type { QueuedRecipient, SendQueueState } from "./send_queue.ts";
export { WhatsAppBlockedUsers } from "./blocked_users.ts";
export type { BlockedUser, BlockListOptions, BlockOutcome, ChangedUser, FailedUser } from "./blocked_users.ts";
export { WhatsAppBusinessProfile } from "./business_profile.ts";
export type {
  BusinessProfile,
  BusinessProfileChanges,
  BusinessProfileOptions,
  BusinessVertical,
} from "./business_profile.ts";
export { WhatsAppConversations } from "./conversation.ts";
export type {
  DeliveryEvent,
  MessageHistory,
  MessageHistoryOptions,
  PassOptions,
  ResponderRole,
  ThreadControlOptions,
  ThreadControlResult,
} from "./conversation.ts";
export { WhatsAppConversationalComponents } from "./conversational_components.ts";
export type {
  ConversationalComponents,
  ConversationalComponentsChanges,
  WhatsAppCommand,
} from "./conversational_components.ts";
export { WhatsAppPhoneNumber } from "./phone_number.ts";
export type {
  PhoneNumberCallbacks,
  PhoneNumberInfo,
  PhoneNumberInfoOptions,
  PhoneNumberListOptions,
  PhoneNumberSettingsOptions,
  RegisterOptions,
  RequestCodeOptions,
} from "./phone_number.ts";
export type {
  CallHoliday,
  CallHours,
  CallHoursOfDay,
  CallingSettings,
  PhoneNumberSettings,
  PhoneNumberSettingsChanges,
  SettingStatus,
  SipSettings,
} from "./phone_number_settings.ts";
export { WhatsAppQrCodes } from "./qr_codes.ts";
export type { QrCode, QrCodeImage, QrCodeListOptions, QrCodeOptions } from "./qr_codes.ts";
export type {
  CallbackOptions,
  CallOptions,
  SubscribedApp,
  SubscribeOptions,
  WebhookOptions,
  WebhookSubscription,
} from "./subscriptions.ts";
export { WhatsAppUsername } from "./username.ts";
export type { SetUsernameOptions, UsernameState } from "./username.ts";
export type { WhatsAppUser } from "./user_address.ts";
export type {
  DownloadOptions,
  MediaFile,
  MediaInfo,
  ReadOptions,
  SendOptions,
  SendTextOptions,
  SentMessage,
  TemplateOptions,
  UploadHandleOptions,
  UploadOptions,
  UploadSource,
} from "./calls.ts";
export type {
  AudioContents,
  ContactContents,
  DocumentContents,
  ImageContents,
  LocationContents,
  MediaByFile,
  MediaById,
  MediaByLink,
  MediaReference,
  ReactionContents,
  StickerContents,
  TextContents,
  VideoContents,
} from "./contents.ts";
export type {
  AddressRequestContents,
  ButtonsContents,
  CallButtonContents,
  FlowContents,
  InteractiveHeader,
  InteractiveTexts,
  ListContents,
  ListRow,
  ListSection,
  ReplyButton,
  UrlButtonContents,
} from "./contents_interactive.ts";
export type {
  CarouselContents,
  CatalogContents,
  MediaCard,
  ProductCard,
  ProductContents,
  ProductsContents,
  ProductSection,
} from "./contents_products.ts";
export type { MessageContents } from "./message_contents.ts";
export type { Recipient } from "./recipient.ts";
export type {
  TemplateButton,
  TemplateCard,
  TemplateContents,
  TemplateCurrency,
  TemplateDateTime,
  TemplateHeader,
  TemplateParameters,
  TemplateValue,
  TemplateValues,
} from "./template_components.ts";
export { WhatsAppSenders } from "./senders.ts";
export type { MediaKind } from "./media_types.ts";
export { WhatsAppCalls } from "./calling.ts";
export type { CallAction, CallActionLimit, CallPermission, CallSession, StartCallOptions } from "./calling.ts";
export { WhatsAppFlows } from "./flows.ts";
export type {
  CreatedFlow,
  FlowAsset,
  FlowCategory,
  FlowChanges,
  FlowDefinition,
  FlowDetails,
  FlowListOptions,
  FlowMediaOptions,
  FlowMetricName,
  FlowMetricOptions,
  FlowMetricPoint,
  FlowPreview,
  FlowPreviewOptions,
  FlowPublicKey,
  FlowValidation,
  FlowValidationError,
} from "./flows.ts";
export type {
  TemplateDefinitionButton,
  TemplateDefinitionComponent,
  TemplateNamedExample,
} from "./template_definition.ts";
export { WhatsAppTemplates } from "./templates.ts";
export type {
  CreatedTemplate,
  MessageTemplate,
  TemplateCategory,
  TemplateChanges,
  TemplateDefinition,
  TemplateDeleteOptions,
  TemplateGetOptions,
  TemplateListOptions,
  TemplateQuality,
  TemplateStatus,
} from "./templates.ts";
export { decryptFlowRequest, encryptFlowResponse, verifyFlowToken } from "./flow_crypto.ts";
export type { DecryptedFlowRequest, FlowKey, FlowRequest } from "./flow_crypto.ts";
export { flowEndpoint } from "./flow_endpoint.ts";
export type { FlowAnswer, FlowEndpointOptions, FlowScreen } from "./flow_endpoint.ts";
export { FlowEndpointError } from "./flow_endpoint_error.ts";
export { decryptFlowMedia, flowMediaOf } from "./flow_media.ts";
export type { FlowMedia } from "./flow_media.ts";
export { parseNotification } from "./parse.ts";
export type { JsonObject } from "./json.ts";
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
} from "./account_records.ts";
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
} from "./field_records.ts";
export type { WhatsAppContact } from "./contact_card.ts";
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
} from "./messages.ts";
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
} from "./records.ts";
export type { WhatsAppRecordBase } from "./record_base.ts";
export type { WhatsAppFilter } from "./filter.ts";
export { laterStatus, statusKey } from "./status.ts";
export { signNotification, verifySignature } from "./signature.ts";
export type { FlowEndpointErrorCode, WhatsAppApiErrorCode } from "../base/errors.ts";
export { SIMULATED_TYPES, type SimulatedOptions, simulateNotification } from "./simulated.ts";
export type { SimulatedNotification } from "./simulated.ts";
export type { Clock } from "../base/clock.ts";
