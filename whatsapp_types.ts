/**
 * The records a WhatsApp Cloud API notification is made of. Names follow the Cloud API, in camelCase.
 *
 * @module
 */

/** A JSON object as Meta sent it. */
export type JsonObject = { [key: string]: unknown };

/** Who sent a message. */
export interface WhatsAppSender {
  /** The phone number if there is one, else the business-scoped user id; "" if Meta gave neither. */
  id: string;
  /** The phone number, digits only. Absent for users who have adopted a username (2026). */
  phone?: string;
  /** The business-scoped user id, such as `US.13491208655302741918`. */
  userId?: string;
  /** The user id within the parent business portfolio, such as `US.ENT.…`. */
  parentUserId?: string;
  /** The profile name, if the notification has a contact that matches. */
  name?: string;
  /** The username, without a leading `@`. */
  username?: string;
}

/** What a message answers or was forwarded from. */
export interface WhatsAppContext {
  /** The id of the message that is answered; absent for forwarded messages. */
  messageId?: string;
  /** Who sent that message. */
  from?: string;
  /** Whether the message was forwarded. */
  forwarded: boolean;
  /** Whether it was forwarded many times. */
  frequentlyForwarded: boolean;
  /** The product of the catalogue that the message asks about. */
  referredProduct?: {
    /** The catalogue. */
    catalogId?: string;
    /** The product. */
    productRetailerId?: string;
  };
}

/** The advertisement or post that led to a message. */
export interface WhatsAppReferral {
  /** Its URL. */
  sourceUrl?: string;
  /** Its id. */
  sourceId?: string;
  /** `ad` or `post`. */
  sourceType?: string;
  /** Its headline. */
  headline?: string;
  /** Its text. */
  body?: string;
  /** `image` or `video`. */
  mediaType?: string;
  /** The URL of its picture. */
  imageUrl?: string;
  /** The URL of its video. */
  videoUrl?: string;
  /** The URL of its thumbnail. */
  thumbnailUrl?: string;
  /** The click id. */
  ctwaClid?: string;
}

/** An error as Meta reports it. */
export interface WhatsAppError {
  /** Meta's error code; 0 if there was none. */
  code: number;
  /** A short text. */
  title?: string;
  /** A longer text. */
  message?: string;
  /** Details. */
  details?: string;
  /** A page about the error. */
  href?: string;
}

/** An image, video, audio, document or sticker. */
export interface WhatsAppMedia {
  /** The media id, valid for 7 days, with which the Graph API gives the file. */
  id: string;
  /** Its MIME type. */
  mimeType?: string;
  /** Its SHA-256 digest, in base64. */
  sha256?: string;
  /** What the sender wrote to it: images, videos and documents. */
  caption?: string;
  /** The name of the file: documents. */
  filename?: string;
  /** A short-lived URL, since November 2025. */
  url?: string;
  /** Whether it was recorded in the app: audio. */
  voice?: boolean;
  /** Whether it is animated: stickers. */
  animated?: boolean;
}

/** A place. */
export interface WhatsAppLocation {
  /** Degrees, as sent: not checked, and `NaN` if that is no number. */
  latitude: number;
  /** Degrees, as sent: not checked, and `NaN` if that is no number. */
  longitude: number;
  /** Its name. */
  name?: string;
  /** Its address. */
  address?: string;
  /** Its URL. */
  url?: string;
}

/** A contact card. */
export interface WhatsAppContact {
  /** The name. */
  name: {
    /** As shown. */
    formattedName?: string;
    /** First name. */
    firstName?: string;
    /** Last name. */
    lastName?: string;
    /** Middle name. */
    middleName?: string;
    /** Suffix. */
    suffix?: string;
    /** Prefix. */
    prefix?: string;
  };
  /** Phone numbers. */
  phones: {
    /** The number. */
    phone?: string;
    /** The WhatsApp id. */
    waId?: string;
    /** Such as `HOME`. */
    type?: string;
  }[];
  /** E-mail addresses. */
  emails: {
    /** The address. */
    email?: string;
    /** Such as `WORK`. */
    type?: string;
  }[];
  /** Postal addresses. */
  addresses: {
    /** Street. */
    street?: string;
    /** City. */
    city?: string;
    /** State. */
    state?: string;
    /** Postal code. */
    zip?: string;
    /** Country. */
    country?: string;
    /** Country code. */
    countryCode?: string;
    /** Such as `HOME`. */
    type?: string;
  }[];
  /** Web pages. */
  urls: {
    /** The URL. */
    url?: string;
    /** Such as `WORK`. */
    type?: string;
  }[];
  /** The organisation. */
  org?: {
    /** Company. */
    company?: string;
    /** Department. */
    department?: string;
    /** Title. */
    title?: string;
  };
  /** The birthday, as sent. */
  birthday?: string;
}

/** A reaction. */
export interface WhatsAppReaction {
  /** The message it belongs to. */
  messageId: string;
  /** The emoji; absent if the reaction was removed. */
  emoji?: string;
}

/** The answer to an interactive message. `type` is open: new ones come with nothing but `raw`. */
export interface WhatsAppInteractive {
  /** `button_reply`, `list_reply`, `nfm_reply`, `call_permission_reply`, … */
  type: string;
  /** The id of the button or row: `button_reply`, `list_reply`. */
  id?: string;
  /** The title of the button or row: `button_reply`, `list_reply`. */
  title?: string;
  /** The description of the row: `list_reply`. */
  description?: string;
  /** The kind of flow: `nfm_reply`. */
  name?: string;
  /** The text shown: `nfm_reply`. */
  body?: string;
  /** The answers of the flow as JSON text, as sent: `nfm_reply`. */
  responseJson?: string;
  /** `responseJson` parsed; absent if it is not valid JSON: `nfm_reply`. */
  response?: unknown;
  /** The contents as sent. */
  raw: JsonObject;
}

/** A tap on a quick reply button of a template. */
export interface WhatsAppButton {
  /** The text of the button. */
  text?: string;
  /** What the program gave the button. */
  payload?: string;
}

/** An order from the catalogue. */
export interface WhatsAppOrder {
  /** The catalogue. */
  catalogId?: string;
  /** What the customer wrote to it. */
  text?: string;
  /** What is ordered. */
  productItems: {
    /** The product. */
    productRetailerId?: string;
    /** How many; `undefined` if that is not a number. */
    quantity?: number;
    /** The price of one; `undefined` if that is not a number. */
    itemPrice?: number;
    /** The currency. */
    currency?: string;
  }[];
}

/** A change on the customer's side, such as of the phone number. `type` is open. */
export interface WhatsAppSystem {
  /** `user_changed_number`, `user_changed_user_id`, `customer_identity_changed`, … */
  type?: string;
  /** A text about it. */
  body?: string;
  /** The new phone number. */
  waId?: string;
  /** The new business-scoped user id. */
  userId?: string;
  /** The business-scoped user id before. */
  previousUserId?: string;
  /** The hash of the customer's identity. */
  identity?: string;
}

/** What every message has. */
export interface WhatsAppMessageBase {
  /** Tells it from the other records. */
  kind: "message";
  /** The message id, opaque. It holds the phone number in base64, so logging it logs that. "" if Meta gave none. */
  id: string;
  /** When it was sent. */
  timestamp?: Date;
  /** Who sent it. */
  sender: WhatsAppSender;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number it was sent to: the key for routing. */
  phoneNumberId?: string;
  /** That number, as shown. */
  displayPhoneNumber?: string;
  /** The group it was sent to. */
  groupId?: string;
  /** What it answers, or was forwarded from. */
  context?: WhatsAppContext;
  /** The advertisement that led to it. */
  referral?: WhatsAppReferral;
  /** Errors reported with it. */
  errors: WhatsAppError[];
  /** The message as sent. */
  raw: JsonObject;
}

/** A text. */
export interface WhatsAppTextMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "text";
  /** The contents. */
  text: {
    /** The text. */
    body: string;
  };
}

/** An image. */
export interface WhatsAppImageMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "image";
  /** The contents. */
  image: WhatsAppMedia;
}

/** A video. */
export interface WhatsAppVideoMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "video";
  /** The contents. */
  video: WhatsAppMedia;
}

/** A sound; with `voice` recorded in the app. */
export interface WhatsAppAudioMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "audio";
  /** The contents. */
  audio: WhatsAppMedia;
}

/** A file. */
export interface WhatsAppDocumentMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "document";
  /** The contents. */
  document: WhatsAppMedia;
}

/** A sticker. */
export interface WhatsAppStickerMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "sticker";
  /** The contents. */
  sticker: WhatsAppMedia;
}

/** A place. */
export interface WhatsAppLocationMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "location";
  /** The contents. */
  location: WhatsAppLocation;
}

/** Contact cards. */
export interface WhatsAppContactsMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "contacts";
  /** The contents. */
  contacts: WhatsAppContact[];
}

/** A reaction to another message, or its removal. */
export interface WhatsAppReactionMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "reaction";
  /** The contents. */
  reaction: WhatsAppReaction;
}

/** The answer to an interactive message. */
export interface WhatsAppInteractiveMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "interactive";
  /** The contents. */
  interactive: WhatsAppInteractive;
}

/** A tap on a quick reply button of a template. */
export interface WhatsAppButtonMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "button";
  /** The contents. */
  button: WhatsAppButton;
}

/** An order. */
export interface WhatsAppOrderMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "order";
  /** The contents. */
  order: WhatsAppOrder;
}

/** A change on the customer's side. */
export interface WhatsAppSystemMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "system";
  /** The contents. */
  system: WhatsAppSystem;
}

/** A message whose type is not known here, or whose contents are missing: see `raw`. */
export interface WhatsAppUnknownMessage extends WhatsAppMessageBase {
  /** The type. */
  type: "unknown";
  /** The `type` as sent; "" if there was none. */
  originalType: string;
}

/** A message of a customer. Tell the variants by `type`. */
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
  | WhatsAppUnknownMessage;

/** What became of a message the business sent. */
export interface WhatsAppStatus {
  /** Tells it from the other records. */
  kind: "status";
  /** The id of the message the business sent. */
  id: string;
  /** `sent`, `delivered`, `read`, `played`, `failed`, …: open. */
  status: string;
  /** When. */
  timestamp?: Date;
  /** The recipient's phone number, or the group. */
  recipientId?: string;
  /** The recipient's business-scoped user id. */
  recipientUserId?: string;
  /** `group` for a group. */
  recipientType?: string;
  /** The member of the group it is about. */
  recipientParticipantId?: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** That number, as shown. */
  displayPhoneNumber?: string;
  /** What the business gave the message on its way. */
  bizOpaqueCallbackData?: string;
  /** Why it failed. */
  errors: WhatsAppError[];
  /** The status as sent. */
  raw: JsonObject;
}

/** Anything else Meta notifies of: templates, account, calls, echoes of the business's own messages, history, … */
export interface WhatsAppOther {
  /** Tells it from the other records. */
  kind: "other";
  /** The `field` of the change, such as `message_template_status_update`; for parts of `messages`, that name too. */
  field: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The value as sent. */
  raw: JsonObject;
}

/** One thing a notification tells. */
export type WhatsAppRecord = WhatsAppMessage | WhatsAppStatus | WhatsAppOther;

/** Something in a notification that is no record. */
export interface SkippedItem {
  /** Where, such as `entry[0].changes[1].value.messages[2]`. */
  path: string;
  /** Why. */
  reason: string;
}

/** A notification, taken apart. */
export interface ParsedNotification {
  /** Everything it tells, in order. */
  records: WhatsAppRecord[];
  /** What is no record, and why. */
  skipped: SkippedItem[];
}
