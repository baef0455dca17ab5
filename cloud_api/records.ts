/**
 * Types of the records of WhatsApp Cloud API notifications: one record for each message, status, error, …
 *
 * @module
 */

import type { WhatsAppAccountUpdate, WhatsAppFlowEvent, WhatsAppTemplateUpdate } from "./account_records.ts";
import type {
  WhatsAppAccountSettings,
  WhatsAppAutomaticEvent,
  WhatsAppCall,
  WhatsAppContactSync,
  WhatsAppGroupEvent,
  WhatsAppHandover,
  WhatsAppUserPreference,
} from "./field_records.ts";
import type { JsonObject } from "./json.ts";
import type { WhatsAppError, WhatsAppMessage } from "./messages.ts";

/** The conversation that a status belongs to. */
export interface WhatsAppConversation {
  /** Its id. */
  id?: string | undefined;
  /** Its end: with `sent` only. */
  expirationTimestamp?: Date | undefined;
  /** Its origin, such as `service` or `marketing`: open. */
  originType?: string | undefined;
}

/** Price of a message. */
export interface WhatsAppPricing {
  /** `true` if it costs something; deprecated by Meta: see `type`. */
  billable?: boolean | undefined;
  /** `PMP` for each message, `CBP` for each conversation (before July 2025). */
  pricingModel?: string | undefined;
  /** `regular`, `free_customer_service`, `free_entry_point`, …: open. */
  type?: string | undefined;
  /** A more exact description of `type`, if Meta gives one. */
  subtype?: string | undefined;
  /** `marketing`, `utility`, `authentication`, `service`, …: open. */
  category?: string | undefined;
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
  timestamp?: Date | undefined;
  /** The recipient's phone number, or the group. Absent in the same cases as `WhatsAppSender.phone`. */
  recipientId?: string | undefined;
  /** The recipient's business-scoped user id, since 2026. */
  recipientUserId?: string | undefined;
  /** The recipient's user id within the parent business portfolio. */
  parentRecipientUserId?: string | undefined;
  /** `group` for a group; absent otherwise. */
  recipientType?: string | undefined;
  /** Phone number of the member of the group. */
  recipientParticipantId?: string | undefined;
  /** Business-scoped user id of the member of the group. */
  recipientParticipantUserId?: string | undefined;
  /** User id of the member of the group within the parent business portfolio. */
  recipientParticipantParentUserId?: string | undefined;
  /** The recipient's profile name: with `sent`, `delivered` and `read` since 2026. */
  recipientName?: string | undefined;
  /** The recipient's username, without a leading `@`: with `delivered` and `read` since 2026. */
  recipientUsername?: string | undefined;
  /** The hash of the recipient's identity, if the business has it checked. */
  recipientIdentityKeyHash?: string | undefined;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string | undefined;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string | undefined;
  /** Data that the business sent with the message, if any. */
  bizOpaqueCallbackData?: string | undefined;
  /** The conversation: since version 24 only where an advertisement began it. */
  conversation?: WhatsAppConversation | undefined;
  /** The price: with `sent`, or with one of `delivered` and `read`. */
  pricing?: WhatsAppPricing | undefined;
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
  phoneNumberId?: string | undefined;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string | undefined;
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
  timestamp?: Date | undefined;
  /** Details as sent: the object called `<action_type>_data`. */
  data?: JsonObject | undefined;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string | undefined;
  /** The business phone number, in the form for display. */
  displayPhoneNumber?: string | undefined;
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
  recipientName?: string | undefined;
  /** The message; its sender is the business. */
  message: WhatsAppMessage;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string | undefined;
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
  threadId?: string | undefined;
  /** Its status, such as `READ`: messages of the business. */
  status?: string | undefined;
  /** 0: the last day, 1: the last 90 days, 2: the last 180 days. */
  phase?: number | undefined;
  /** Order of the notification within its phase. */
  chunkOrder?: number | undefined;
  /** Part of the history that has come, in percent. */
  progress?: number | undefined;
  /** The WhatsApp Business account. */
  accountId: string;
  /** The id of the business phone number. */
  phoneNumberId?: string | undefined;
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
  phoneNumberId?: string | undefined;
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
  phoneNumberId?: string | undefined;
  /** Its time: changes of an account. */
  timestamp?: Date | undefined;
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
  | WhatsAppCall
  | WhatsAppHandover
  | WhatsAppAccountSettings
  | WhatsAppGroupEvent
  | WhatsAppUserPreference
  | WhatsAppAutomaticEvent
  | WhatsAppContactSync
  | WhatsAppTemplateUpdate
  | WhatsAppAccountUpdate
  | WhatsAppFlowEvent
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
