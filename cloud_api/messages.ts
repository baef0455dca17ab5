/**
 * Types of WhatsApp messages: sender, context, and contents of each type. Names follow the Cloud API, in camelCase.
 *
 * @module
 */

import type { WhatsAppContact } from "./contact_card.ts";
import type { JsonObject } from "./json.ts";
import type { WhatsAppRecordBase } from "./record_base.ts";

/** Sender of a message. */
export interface WhatsAppSender {
  /** The phone number if there is one, else the business-scoped user id; "" if Meta gave neither. */
  id: string;
  /**
   * The phone number, digits only. Absent for users with a username who had no contact with the business for 30 days
   * and are not in its contact book (2026).
   */
  phone?: string | undefined;
  /** The business-scoped user id, such as `US.13491208655302741918`. */
  userId?: string | undefined;
  /** The user id within the parent business portfolio, such as `US.ENT.…`. */
  parentUserId?: string | undefined;
  /** The profile name, if the notification has a contact that matches. */
  name?: string | undefined;
  /** The username, without a leading `@`. */
  username?: string | undefined;
  /**
   * The WhatsApp id, if it differs from the phone number: some numbers of Brazil, Mexico and Argentina have two forms.
   */
  waId?: string | undefined;
  /** The hash of the customer's identity, if the business has it checked. */
  identityKeyHash?: string | undefined;
  /** The contact as sent, if the notification has one that matches. */
  contact?: JsonObject | undefined;
}

/** Context of a message that answers another one, or was forwarded. */
export interface WhatsAppContext {
  /**
   * The id of the message that is answered; absent for forwarded messages. Within an `edit` it is `M0`, which is no id.
   */
  messageId?: string | undefined;
  /** Sender of that message; a phone number id in answers to call permissions. */
  from?: string | undefined;
  /** Business-scoped user id of its sender, since 2026. */
  fromUserId?: string | undefined;
  /** User id of its sender within the parent business portfolio, since 2026. */
  fromParentUserId?: string | undefined;
  /** `true` if the message was forwarded. */
  forwarded: boolean;
  /** `true` if it was forwarded many times. */
  frequentlyForwarded: boolean;
  /** The product of the catalogue that the message asks about. */
  referredProduct?: WhatsAppProduct | undefined;
}

/** The advertisement or post that led to a message. */
export interface WhatsAppReferral {
  /** Its URL. */
  sourceUrl?: string | undefined;
  /** Its id. */
  sourceId?: string | undefined;
  /** `ad` or `post`. */
  sourceType?: string | undefined;
  /** Its headline. */
  headline?: string | undefined;
  /** Its text. */
  body?: string | undefined;
  /** `image` or `video`. */
  mediaType?: string | undefined;
  /** The URL of its picture. */
  imageUrl?: string | undefined;
  /** The URL of its video. */
  videoUrl?: string | undefined;
  /** The URL of its thumbnail. */
  thumbnailUrl?: string | undefined;
  /** The click id; absent for advertisements in the status tab. */
  ctwaClid?: string | undefined;
  /** The greeting that the advertisement showed. */
  welcomeMessage?: string | undefined;
  /** Reference that the business put into the link. */
  ref?: string | undefined;
}

/** An error as Meta reports it. */
export interface WhatsAppError {
  /** Meta's error code; 0 if there was none. */
  code: number;
  /** A short text. */
  title?: string | undefined;
  /** A longer text. */
  message?: string | undefined;
  /** Details. */
  details?: string | undefined;
  /** A page about the error. */
  href?: string | undefined;
}

/** An image, video, audio, document or sticker. */
export interface WhatsAppMedia {
  /** The media id, valid for 7 days, with which the Graph API gives the file. */
  id: string;
  /** Its MIME type. */
  mimeType?: string | undefined;
  /** Its SHA-256 digest, in base64. */
  sha256?: string | undefined;
  /** Caption of the sender: images, videos and documents. */
  caption?: string | undefined;
  /** The name of the file: documents. */
  filename?: string | undefined;
  /** A URL that is valid for about 5 minutes and needs the access token: since November 2025, and not always. */
  url?: string | undefined;
  /**
   * `true` if it was recorded in the app: audio. (A voicemail is `audio` too; the id of its message begins with
   * `wacid.`)
   */
  voice?: boolean | undefined;
  /** `true` if it is animated: stickers. */
  animated?: boolean | undefined;
}

/** A template that the business sent: in echoes and in messages of the past. */
export interface WhatsAppSentTemplate {
  /** Its name. */
  name?: string | undefined;
  /** The code of its language, such as `en_US`. */
  language?: string | undefined;
  /** Its components as sent. */
  components: JsonObject[];
}

/** A location. */
export interface WhatsAppLocation {
  /** Degrees north, as sent: not checked, and `NaN` if that is no number. */
  latitude: number;
  /** Degrees east, as sent: not checked, and `NaN` if that is no number. */
  longitude: number;
  /** Its name. */
  name?: string | undefined;
  /** Its address. */
  address?: string | undefined;
  /** Its URL. */
  url?: string | undefined;
}

/** A reaction. */
export interface WhatsAppReaction {
  /** The message it belongs to. */
  messageId: string;
  /** The emoji; absent if the reaction was removed. */
  emoji?: string | undefined;
}

/** Answer of a customer to calls by the business. */
export interface WhatsAppCallPermission {
  /** `accept`, `reject`, …: open. */
  response?: string | undefined;
  /** `true` if it is valid until it is taken back; absent if Meta does not report it. */
  isPermanent?: boolean | undefined;
  /** End of its validity; absent if it is permanent or refused. */
  expirationTimestamp?: Date | undefined;
  /** `user_action` or `automatic`. */
  responseSource?: string | undefined;
}

/** A product of a catalogue. */
export interface WhatsAppProduct {
  /** The catalogue, if Meta names it. */
  catalogId?: string | undefined;
  /** The product, if Meta names it. */
  productRetailerId?: string | undefined;
}

/** The answer to an interactive message. `type` is open: unknown ones have `raw` only. */
export interface WhatsAppInteractive {
  /** `button_reply`, `list_reply`, `nfm_reply`, `call_permission_reply`, … */
  type: string;
  /** The id of the button or row: `button_reply`, `list_reply`. */
  id?: string | undefined;
  /** The title of the button or row: `button_reply`, `list_reply`. */
  title?: string | undefined;
  /** The description of the row: `list_reply`. */
  description?: string | undefined;
  /** The kind of flow: `nfm_reply`. */
  name?: string | undefined;
  /** The text shown: `nfm_reply`, and interactive messages of the business in echoes. */
  body?: string | undefined;
  /** The answers of the flow as JSON text, as sent: `nfm_reply`. */
  responseJson?: string | undefined;
  /** `responseJson` parsed; absent if it is not valid JSON: `nfm_reply`. */
  response?: unknown;
  /** Answer of the customer to calls: `call_permission_reply`. */
  callPermission?: WhatsAppCallPermission | undefined;
  /** The product that the customer chose: `product`, since August 2026. */
  product?: WhatsAppProduct | undefined;
  /** The contents as sent. */
  raw: JsonObject;
}

/** A tap on a quick reply button of a template. */
export interface WhatsAppButton {
  /** The text of the button. */
  text?: string | undefined;
  /** Payload that the program gave the button. */
  payload?: string | undefined;
}

/** An order from the catalogue. */
export interface WhatsAppOrder {
  /** The catalogue. */
  catalogId?: string | undefined;
  /** Text of the customer. */
  text?: string | undefined;
  /** Ordered products. */
  productItems: {
    /** The product. */
    productRetailerId?: string | undefined;
    /** Quantity; `undefined` if that is not a number. */
    quantity?: number | undefined;
    /** The price of one; `undefined` if that is not a number. */
    itemPrice?: number | undefined;
    /** The currency. */
    currency?: string | undefined;
  }[];
}

/** A change on the customer's side, such as of the phone number. `type` is open. */
export interface WhatsAppSystem {
  /** `user_changed_number`, `user_changed_user_id`, `customer_identity_changed`, … */
  type?: string | undefined;
  /** A text about it. */
  body?: string | undefined;
  /** The new phone number. */
  waId?: string | undefined;
  /** The new business-scoped user id. */
  userId?: string | undefined;
  /** The business-scoped user id before; since August 2026. */
  previousUserId?: string | undefined;
  /** The new user id within the parent business portfolio. */
  parentUserId?: string | undefined;
  /** User id within the parent business portfolio before; since August 2026. */
  previousParentUserId?: string | undefined;
  /** The customer's number before: `customer_changed_number` and `customer_identity_changed`, of old. */
  customer?: string | undefined;
  /** The hash of the customer's identity: `customer_identity_changed`, `user_identity_changed`. */
  identity?: string | undefined;
}

/** A message that the Cloud API does not deliver. */
export interface WhatsAppUnsupported {
  /** Its type, such as `poll_creation` or `pin`: open; absent in older notifications. The reason is in `errors`. */
  type?: string | undefined;
}

/** A message that its sender has changed, up to 15 minutes later: numbers that also use the app. */
export interface WhatsAppEdit {
  /** The message that was changed. */
  originalMessageId: string;
  /** Its contents now; absent if Meta sent none. */
  message?: WhatsAppContents | undefined;
  /** Its context now. */
  context?: WhatsAppContext | undefined;
}

/** A message that its sender has deleted, up to two days later: numbers that also use the app. */
export interface WhatsAppRevoke {
  /** The message that was deleted. */
  originalMessageId: string;
}

/**
 * Members of all messages.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppMessageBase extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "message";
  /**
   * The message id, opaque. It holds the phone number in base64, so a log of it is a log of that. "" if Meta gave none.
   */
  id: string;
  /** Its sender. */
  sender: WhatsAppSender;
  /** The group it was sent to; absent outside groups. */
  groupId?: string | undefined;
  /** Its context, if it answers a message or was forwarded. */
  context?: WhatsAppContext | undefined;
  /** The advertisement that led to it: only in the first message after it. */
  referral?: WhatsAppReferral | undefined;
  /** A summary of the conversation so far: when another app hands the conversation over, since 2026. */
  conversationSummary?: string | undefined;
  /** The context of the hand-over as sent, with that summary. */
  conversationContext?: JsonObject | undefined;
  /** Errors reported with it. */
  errors: WhatsAppError[];
}

/**
 * A text.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppTextMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "text";
  /** The contents. */
  text: {
    /** The text. */
    body: string;
  };
}

/**
 * An image.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppImageMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "image";
  /** The contents. */
  image: WhatsAppMedia;
}

/**
 * A video.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppVideoMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "video";
  /** The contents. */
  video: WhatsAppMedia;
}

/**
 * An audio file; with `voice` recorded in the app.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppAudioMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "audio";
  /** The contents. */
  audio: WhatsAppMedia;
}

/**
 * A file.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppDocumentMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "document";
  /** The contents. */
  document: WhatsAppMedia;
}

/**
 * A sticker.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppStickerMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "sticker";
  /** The contents. */
  sticker: WhatsAppMedia;
}

/**
 * A location.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppLocationMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "location";
  /** The contents. */
  location: WhatsAppLocation;
}

/**
 * Contact cards.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppContactsMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "contacts";
  /** The contents. */
  contacts: WhatsAppContact[];
}

/**
 * A reaction to another message, or its removal.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppReactionMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "reaction";
  /** The contents. */
  reaction: WhatsAppReaction;
}

/**
 * The answer to an interactive message.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppInteractiveMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "interactive";
  /** The contents. */
  interactive: WhatsAppInteractive;
}

/**
 * A tap on a quick reply button of a template.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppButtonMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "button";
  /** The contents. */
  button: WhatsAppButton;
}

/**
 * An order.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppOrderMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "order";
  /** The contents. */
  order: WhatsAppOrder;
}

/**
 * A change on the customer's side.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppSystemMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "system";
  /** The contents. */
  system: WhatsAppSystem;
}

/**
 * A message that the Cloud API does not deliver, such as a poll.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppUnsupportedMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "unsupported";
  /** Its type. */
  unsupported: WhatsAppUnsupported;
}

/**
 * A message was changed.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppEditMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "edit";
  /** The contents. */
  edit: WhatsAppEdit;
}

/**
 * A message was deleted.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppRevokeMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "revoke";
  /** The contents. */
  revoke: WhatsAppRevoke;
}

/**
 * A customer opened the chat for the first time; withdrawn by Meta.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppRequestWelcomeMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "request_welcome";
}

/**
 * A template that the business sent: in echoes and in messages of the past.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppTemplateMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "template";
  /** The contents. */
  template: WhatsAppSentTemplate;
}

/**
 * A message of an unknown type, or without contents: see `raw`.
 *
 * Also from {@linkcode WhatsAppMessageBase}: `kind`, `id`, `sender`, `groupId`, `context`, `referral`,
 * `conversationSummary`, `conversationContext`, `errors`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppUnknownMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "unknown";
  /** The `type` as sent; "" if there was none. */
  originalType: string;
}

/** A message of a customer; `type` is the discriminant. */
export type WhatsAppMessage =
  | WhatsAppTextMessage
  | WhatsAppImageMessage
  | WhatsAppVideoMessage
  | WhatsAppAudioMessage
  | WhatsAppDocumentMessage
  | WhatsAppStickerMessage
  | WhatsAppLocationMessage
  | WhatsAppContactsMessage
  | WhatsAppReactionMessage
  | WhatsAppInteractiveMessage
  | WhatsAppButtonMessage
  | WhatsAppOrderMessage
  | WhatsAppSystemMessage
  | WhatsAppUnsupportedMessage
  | WhatsAppEditMessage
  | WhatsAppRevokeMessage
  | WhatsAppRequestWelcomeMessage
  | WhatsAppTemplateMessage
  | WhatsAppUnknownMessage;

/** Members of a variant of {@linkcode WhatsAppMessage} besides those of all messages: its `type` and contents. */
export type WhatsAppContents = ContentsOf<WhatsAppMessage>;

/** The contents of one variant. */
export type ContentsOf<Message> = Message extends WhatsAppMessageBase ? Omit<Message, keyof WhatsAppMessageBase>
  : never;
