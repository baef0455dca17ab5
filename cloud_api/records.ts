/**
 * Types of records: everything that a WhatsApp Cloud API notification tells, one record each.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";
import type { WhatsAppError, WhatsAppMessage } from "./messages.ts";

/** The conversation that a status belongs to. */
export interface WhatsAppConversation {
  /** Its id. */
  id?: string;
  /** When it ends: with `sent` only. */
  expirationTimestamp?: Date;
  /** What began it, such as `service` or `marketing`: open. */
  originType?: string;
}

/** What a message costs. */
export interface WhatsAppPricing {
  /** Whether it costs something; going away: see `type`. */
  billable?: boolean;
  /** `PMP` for each message, `CBP` for each conversation (before July 2025). */
  pricingModel?: string;
  /** `regular`, `free_customer_service`, `free_entry_point`, …: open. */
  type?: string;
  /** A closer description of `type`, if Meta gives one. */
  subtype?: string;
  /** `marketing`, `utility`, `authentication`, `service`, …: open. */
  category?: string;
}

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
  /** The recipient's phone number, or the group. Absent where a sender's is: see `WhatsAppSender.phone`. */
  recipientId?: string;
  /** The recipient's business-scoped user id, since 2026. */
  recipientUserId?: string;
  /** That id within the parent business portfolio. */
  parentRecipientUserId?: string;
  /** `group` for a group; absent otherwise. */
  recipientType?: string;
  /** The member of the group it is about: its phone number. */
  recipientParticipantId?: string;
  /** The member of the group it is about: its business-scoped user id. */
  recipientParticipantUserId?: string;
  /** The member of the group it is about: that id within the parent business portfolio. */
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
  /** That number, as shown. */
  displayPhoneNumber?: string;
  /** What the business gave the message on its way; absent if it gave nothing. */
  bizOpaqueCallbackData?: string;
  /** The conversation: since version 24 only where an advertisement began it. */
  conversation?: WhatsAppConversation;
  /** The price: with `sent`, or with one of `delivered` and `read`. */
  pricing?: WhatsAppPricing;
  /** Why it failed. */
  errors: WhatsAppError[];
  /** The status as sent. */
  raw: JsonObject;
}

/** An error of the app or the account, such as too many requests: not of a message. */
export interface WhatsAppAccountError {
  /** Tells it from the other records. */
  kind: "error";
  /** What is wrong. */
  error: WhatsAppError;
  /** The `field` it came with. */
  field: string;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number, if Meta names one. */
  phoneNumberId?: string;
  /** That number, as shown. */
  displayPhoneNumber?: string;
  /** The error as sent. */
  raw: JsonObject;
}

/** Something a customer did that is no message, such as a tap on a link: since 2026. */
export interface WhatsAppUserAction {
  /** Tells it from the other records. */
  kind: "userAction";
  /** `marketing_messages_link_click`, …: open. */
  actionType: string;
  /** When. */
  timestamp?: Date;
  /** What Meta says about it, as sent: the object called `<action_type>_data`. */
  data?: JsonObject;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** That number, as shown. */
  displayPhoneNumber?: string;
  /** The action as sent. */
  raw: JsonObject;
}

/** A message that the business itself sent with the app: not to be answered. */
export interface WhatsAppEcho {
  /** Tells it from the other records. */
  kind: "echo";
  /** `smb_message_echoes` or `message_echoes`; `standby` if it came with that. */
  field: string;
  /** Whom it was sent to: phone number, else business-scoped user id; "" if Meta gave neither. */
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

/** A message of the past, of a number that begins to use the Cloud API: one notification may bring thousands, in any order. */
export interface WhatsAppHistoryMessage {
  /** Tells it from the other records. */
  kind: "history";
  /** The message. */
  message: WhatsAppMessage;
  /** The chat: the customer's phone number or the group. Absent for media, which come by themselves. */
  threadId?: string;
  /** What became of it, such as `READ`: messages of the business. */
  status?: string;
  /** 0: the last day, 1: the last 90 days, 2: the last 180 days. */
  phase?: number;
  /** The place of the notification within its phase. */
  chunkOrder?: number;
  /** How much of the history has come, in percent. */
  progress?: number;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** The message as sent. */
  raw: JsonObject;
}

/** Something about a conversation that another app has: for information, not to be answered. Since August 2026. */
export interface WhatsAppStandby {
  /** Tells it from the other records. */
  kind: "standby";
  /** What happened. */
  record: WhatsAppMessage | WhatsAppStatus | WhatsAppEcho;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string;
  /** What happened, as sent. */
  raw: JsonObject;
}

/** Anything else Meta notifies of: templates, account, calls, groups, … */
export interface WhatsAppOther {
  /** Tells it from the other records. */
  kind: "other";
  /** The `field` of the change, such as `message_template_status_update`; `changed_fields` for a notification without values. */
  field: string;
  /** The WhatsApp Business account; a business portfolio for what is about partners, "0" for payment configurations. */
  accountId: string;
  /** The id of the business phone number, if it is about one. */
  phoneNumberId?: string;
  /** When: what is about an account. */
  timestamp?: Date;
  /** The value as sent. */
  raw: JsonObject;
}

/** One thing a notification tells. Tell the variants by `kind`. */
export type WhatsAppRecord =
  | WhatsAppMessage
  | WhatsAppStatus
  | WhatsAppAccountError
  | WhatsAppUserAction
  | WhatsAppEcho
  | WhatsAppHistoryMessage
  | WhatsAppStandby
  | WhatsAppOther;

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
