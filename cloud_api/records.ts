/**
 * Types of the records of WhatsApp Cloud API notifications: one record for each message, status, error, …
 *
 * @module
 */

import type { JsonObject } from "./json.ts";
import type { WhatsAppError, WhatsAppMessage } from "./messages.ts";

/** The conversation that a status belongs to. */
export interface WhatsAppConversation {
  /** Its id. */
  id?: string;
  /** Its end: with `sent` only. */
  expirationTimestamp?: Date;
  /** Its origin, such as `service` or `marketing`: open. */
  originType?: string;
}

/** Price of a message. */
export interface WhatsAppPricing {
  /** `true` if it costs something; deprecated by Meta: see `type`. */
  billable?: boolean;
  /** `PMP` for each message, `CBP` for each conversation (before July 2025). */
  pricingModel?: string;
  /** `regular`, `free_customer_service`, `free_entry_point`, …: open. */
  type?: string;
  /** A more exact description of `type`, if Meta gives one. */
  subtype?: string;
  /** `marketing`, `utility`, `authentication`, `service`, …: open. */
  category?: string;
}

/** Status of a message that the business sent. */
export interface WhatsAppStatus {
  /** Kind of record. */
  kind: "status";
  /** The id of the message the business sent. */
  id: string;
  /** `sent`, `delivered`, `read`, `played`, `failed`, …: open. */
  status: string;
  /** Its time. */
  timestamp?: Date;
  /** The recipient's phone number, or the group. Absent in the same cases as `WhatsAppSender.phone`. */
  recipientId?: string;
  /** The recipient's business-scoped user id, since 2026. */
  recipientUserId?: string;
  /** The recipient's user id within the parent business portfolio. */
  parentRecipientUserId?: string;
  /** `group` for a group; absent otherwise. */
  recipientType?: string;
  /** Phone number of the member of the group. */
  recipientParticipantId?: string;
  /** Business-scoped user id of the member of the group. */
  recipientParticipantUserId?: string;
  /** User id of the member of the group within the parent business portfolio. */
  recipientParticipantParentUserId?: string;
  /** The recipient's profile name: with `sent`, `delivered` and `read` since 2026. */
  recipientName?: string;
  /** The recipient's username, without a leading `@`: with `delivered` and `read` since 2026. */
  recipientUsername?: string;
  /** The hash of the recipient's identity, if the business has it checked. */
  recipientIdentityKeyHash?: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string;
  /** Data that the business sent with the message, if any. */
  bizOpaqueCallbackData?: string;
  /** The conversation: since version 24 only where an advertisement began it. */
  conversation?: WhatsAppConversation;
  /** The price: with `sent`, or with one of `delivered` and `read`. */
  pricing?: WhatsAppPricing;
  /** Reasons of its failure. */
  errors: WhatsAppError[];
  /** The status as sent. */
  raw: JsonObject;
}

/** An error of the app or the account, such as too many requests: not of a message. */
export interface WhatsAppAccountError {
  /** Kind of record. */
  kind: "error";
  /** The error. */
  error: WhatsAppError;
  /** The `field` it came with. */
  field: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number, if Meta names one. */
  phoneNumberId?: string;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string;
  /** The error as sent. */
  raw: JsonObject;
}

/** An action of a customer that is no message, such as a tap on a link: since 2026. */
export interface WhatsAppUserAction {
  /** Kind of record. */
  kind: "userAction";
  /** `marketing_messages_link_click`, …: open. */
  actionType: string;
  /** Its time. */
  timestamp?: Date;
  /** Details as sent: the object called `<action_type>_data`. */
  data?: JsonObject;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string;
  /** The action as sent. */
  raw: JsonObject;
}

/** A message that the business itself sent with the app: not to be answered. */
export interface WhatsAppEcho {
  /** Kind of record. */
  kind: "echo";
  /** `smb_message_echoes` or `message_echoes`; `standby` if it came with that. */
  field: string;
  /** Its recipient: phone number, else business-scoped user id; "" if Meta gave neither. */
  to: string;
  /** The recipient's profile name, if the notification has a contact that matches. */
  recipientName?: string;
  /** The message; its sender is the business. */
  message: WhatsAppMessage;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The echo as sent. */
  raw: JsonObject;
}

/**
 * A message of the past, of a number that begins to use the Cloud API: one notification may bring thousands, in any
 * order.
 */
export interface WhatsAppHistoryMessage {
  /** Kind of record. */
  kind: "history";
  /** The message. */
  message: WhatsAppMessage;
  /** The chat: the customer's phone number or the group. Absent for media, which come by themselves. */
  threadId?: string;
  /** Its status, such as `READ`: messages of the business. */
  status?: string;
  /** 0: the last day, 1: the last 90 days, 2: the last 180 days. */
  phase?: number;
  /** Order of the notification within its phase. */
  chunkOrder?: number;
  /** Part of the history that has come, in percent. */
  progress?: number;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The message as sent. */
  raw: JsonObject;
}

/** A record of a conversation that another app leads: for information, not to be answered. Since August 2026. */
export interface WhatsAppStandby {
  /** Kind of record. */
  kind: "standby";
  /** The record. */
  record: WhatsAppMessage | WhatsAppStatus | WhatsAppEcho;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The record as sent. */
  raw: JsonObject;
}

/** Any other change: of templates, the account, calls, groups, … */
export interface WhatsAppOther {
  /** Kind of record. */
  kind: "other";
  /**
   * The `field` of the change, such as `message_template_status_update`; `changed_fields` for a notification without
   * values.
   */
  field: string;
  /** The WhatsApp Business account; a business portfolio in changes about partners, "0" for payment configurations. */
  accountId: string;
  /** The id of the business phone number, if it is about one. */
  phoneNumberId?: string;
  /** Its time: changes of an account. */
  timestamp?: Date;
  /** The value as sent. */
  raw: JsonObject;
}

/** One record of a notification; `kind` is the discriminant. */
export type WhatsAppRecord =
  | WhatsAppMessage
  | WhatsAppStatus
  | WhatsAppAccountError
  | WhatsAppUserAction
  | WhatsAppEcho
  | WhatsAppHistoryMessage
  | WhatsAppStandby
  | WhatsAppOther;

/** An item of a notification that is no record. */
export interface SkippedItem {
  /** Its path, such as `entry[0].changes[1].value.messages[2]`. */
  path: string;
  /** The reason. */
  reason: string;
}

/** A parsed notification. */
export interface ParsedNotification {
  /** Its records, in order. */
  records: WhatsAppRecord[];
  /** Items that are no records, with the reason. */
  skipped: SkippedItem[];
}
