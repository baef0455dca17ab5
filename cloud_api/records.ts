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
import type { WhatsAppRecordBase } from "./record_base.ts";

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

/**
 * Status of a message that the business sent.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppStatus extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "status";
  /** The id of the message the business sent. */
  id: string;
  /** `sent`, `delivered`, `read`, `played`, `failed`, …: open. */
  status: string;
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
  /** The contact of the recipient, or of the member of the group, as sent. */
  contact?: JsonObject | undefined;
  /** Data that the business sent with the message, if any. */
  bizOpaqueCallbackData?: string | undefined;
  /** The conversation: since version 24 only where an advertisement began it. */
  conversation?: WhatsAppConversation | undefined;
  /** The price: with `sent`, or with one of `delivered` and `read`. */
  pricing?: WhatsAppPricing | undefined;
  /** Reasons of its failure. */
  errors: WhatsAppError[];
}

/** An amount of money: `value / offset` units of the currency. */
export interface WhatsAppAmount {
  /** The amount, in the smallest unit that `offset` counts. */
  value?: number | undefined;
  /** Smallest units in one unit of the currency: 100 for cents. */
  offset?: number | undefined;
}

/** A refund of a payment. */
export interface WhatsAppRefund {
  /** Its id. */
  id?: string | undefined;
  /** Its status, such as `completed`: open. */
  status?: string | undefined;
  /** `instant` or `normal`: open. */
  speedProcessed?: string | undefined;
  /** The amount that is paid back. */
  amount?: WhatsAppAmount | undefined;
  /** Its time. */
  createdTimestamp?: Date | undefined;
  /** Time of its last change. */
  updatedTimestamp?: Date | undefined;
}

/** One attempt to pay. */
export interface WhatsAppTransaction {
  /** Its id; of payment gateways in India: the id of the order at the gateway. */
  id?: string | undefined;
  /** The id of the attempt at the payment gateway: one order may have several. */
  pgTransactionId?: string | undefined;
  /** The payment provider, such as `razorpay` or `billdesk`: open. */
  type?: string | undefined;
  /** `success`, `pending`, `failed`, …: open. */
  status?: string | undefined;
  /** Its time. */
  createdTimestamp?: Date | undefined;
  /** Time of its last change. */
  updatedTimestamp?: Date | undefined;
  /** Its amount. */
  amount?: WhatsAppAmount | undefined;
  /** Its currency. */
  currency?: string | undefined;
  /** Means of payment, such as `upi` or `card`: open. */
  methodType?: string | undefined;
  /** The code of its error at the payment provider, if it failed. */
  errorCode?: string | undefined;
  /** The reason of its failure, for people. */
  errorReason?: string | undefined;
  /** Its refunds, if Meta reports any, whether they stand in the transaction or beside it. */
  refunds?: WhatsAppRefund[] | undefined;
}

/** The payment that a {@linkcode WhatsAppPayment} reports. */
export interface WhatsAppPaymentDetails {
  /** The reference that the business gave the order. */
  referenceId?: string | undefined;
  /** Its amount. */
  amount?: WhatsAppAmount | undefined;
  /** Its currency, such as `INR`. */
  currency?: string | undefined;
  /** The receipt number that the business gave the order. */
  receipt?: string | undefined;
  /** The attempt to pay that it is about. */
  transaction?: WhatsAppTransaction | undefined;
}

/**
 * Status of a payment, which has the id of the message that asked for it: it tells nothing about the delivery of that
 * message.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppPayment extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "payment";
  /** The id of the message that asked for the payment. */
  id: string;
  /** `captured`, `pending`, `failed`, …: open. */
  status: string;
  /** The payer's phone number, or the group. Absent in the same cases as `WhatsAppSender.phone`. */
  recipientId?: string | undefined;
  /** The payer's business-scoped user id. */
  recipientUserId?: string | undefined;
  /** The payer's user id within the parent business portfolio. */
  parentRecipientUserId?: string | undefined;
  /** `group` for a group; absent otherwise. */
  recipientType?: string | undefined;
  /** Phone number of the member of the group. */
  recipientParticipantId?: string | undefined;
  /** Business-scoped user id of the member of the group. */
  recipientParticipantUserId?: string | undefined;
  /** The payer's profile name, if the notification has a contact that matches. */
  recipientName?: string | undefined;
  /** The payer's username, without a leading `@`. */
  recipientUsername?: string | undefined;
  /** The contact of the payer, or of the member of the group, as sent. */
  contact?: JsonObject | undefined;
  /** Data that the business sent with the message, if any. */
  bizOpaqueCallbackData?: string | undefined;
  /** The payment. */
  payment: WhatsAppPaymentDetails;
  /** Reasons of its failure, as Meta reports them. */
  errors: WhatsAppError[];
}

/**
 * An error of the app or the account, such as too many requests: not of a message.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppAccountError extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "error";
  /** The error. */
  error: WhatsAppError;
}

/**
 * An action of a customer that is no message, such as a tap on a link: since 2026.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppUserAction extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "userAction";
  /** `marketing_messages_link_click`, …: open. */
  actionType: string;
  /** Details as sent: the object called `<action_type>_data`. */
  data?: JsonObject | undefined;
}

/**
 * A message that the business itself sent with the app: not to be answered.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppEcho extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "echo";
  /** Its recipient: phone number or group, else business-scoped user id; "" if Meta gave neither. */
  to: string;
  /** The recipient's business-scoped user id. */
  toUserId?: string | undefined;
  /** The recipient's user id within the parent business portfolio. */
  toParentUserId?: string | undefined;
  /** The recipient's profile name, if the notification has a contact that matches. */
  recipientName?: string | undefined;
  /** The recipient's username, without a leading `@`, if the notification has a contact that matches. */
  recipientUsername?: string | undefined;
  /** The recipient's contact as sent, if the notification has one that matches. */
  contact?: JsonObject | undefined;
  /** Maker of the message if it was no person, such as `created_by_1p_bot`: open. */
  creationType?: string | undefined;
  /** Data that the business sent with the message: echoes of other apps, in standby. */
  bizOpaqueCallbackData?: string | undefined;
  /** The message; its sender is the business. */
  message: WhatsAppMessage;
}

/**
 * A message of the past, of a number that begins to use the Cloud API: one notification may bring thousands, in any
 * order.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppHistoryMessage extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "history";
  /** The message. */
  message: WhatsAppMessage;
  /** `in`: from a customer; `out`: from the business; absent if Meta's data do not say. */
  direction?: "in" | "out" | undefined;
  /** Its recipient: phone number or group, else business-scoped user id. */
  to?: string | undefined;
  /**
   * The chat: the customer's phone number or the group. Absent for media, which come by themselves, and for users
   * without a phone number: see `userId`.
   */
  threadId?: string | undefined;
  /** The customer's phone number, digits only. */
  phone?: string | undefined;
  /** The customer's business-scoped user id. */
  userId?: string | undefined;
  /** The customer's user id within the parent business portfolio. */
  parentUserId?: string | undefined;
  /** The customer's username, without a leading `@`. */
  username?: string | undefined;
  /** The customer's profile name, if the notification has a contact that matches. */
  name?: string | undefined;
  /** The customer's contact as sent, if the notification has one that matches. */
  contact?: JsonObject | undefined;
  /** Its status, such as `READ`: messages of the business. */
  status?: string | undefined;
  /** 0: the last day, 1: the last 90 days, 2: the last 180 days. */
  phase?: number | undefined;
  /** Order of the notification within its phase. */
  chunkOrder?: number | undefined;
  /** Part of the history that has come, in percent. */
  progress?: number | undefined;
}

/**
 * A record of a conversation that another app leads: for information, not to be answered. Since August 2026.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppStandby extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "standby";
  /** The record. */
  record: WhatsAppMessage | WhatsAppStatus | WhatsAppPayment | WhatsAppEcho;
}

/**
 * Anything that has no kind of its own. Its `field` is `changed_fields` for a notification without values, and "" for
 * parts of a notification that belong to no change.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppOther extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "other";
  /**
   * Name of the member that it is, or that its members are from: an unknown list or object, such as `message_pins`, or
   * a known object with unknown members, such as `metadata`. Absent if it is the whole value of a change, or its
   * unknown texts and numbers.
   */
  key?: string | undefined;
}

/** One record of a notification; `kind` is the discriminant. */
export type WhatsAppRecord =
  | WhatsAppMessage
  | WhatsAppStatus
  | WhatsAppPayment
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
