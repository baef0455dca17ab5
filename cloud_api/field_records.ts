/**
 * Types of the records of calls, handovers, settings, groups, preferences, detected events and contacts.
 *
 * @module
 */

import type { JsonObject } from "./json.ts";
import type { WhatsAppError, WhatsAppMedia, WhatsAppSender } from "./messages.ts";
import type { WhatsAppRecordBase } from "./record_base.ts";

/** Session description of a call, for WebRTC. */
export interface WhatsAppCallSession {
  /** `offer` or `answer`. */
  sdpType?: string | undefined;
  /** The description in the form of RFC 8866. */
  sdp?: string | undefined;
}

/**
 * An event of a call: webhook field `calls`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppCall extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "call";
  /** The call, such as `wacid.…`: the same in all of its events; "" if Meta gave none. */
  id: string;
  /**
   * `connect` when a call can be answered, or was; `terminate` at its end; `status` for a state of a call of the
   * business, see `status`; `call_created` for a call over SIP; `call_recording_available` and
   * `call_transcription_available` after the end. Open; "" if Meta gave none.
   */
  event: string;
  /**
   * With `status`: `RINGING`, `ACCEPTED` or `REJECTED`. With `terminate`: `COMPLETED` or `FAILED`, which Meta also
   * writes `Completed` and `Failed`. As sent: open.
   */
  status?: string | undefined;
  /** `USER_INITIATED` or `BUSINESS_INITIATED`: absent with `status`, recordings and transcripts. */
  direction?: string | undefined;
  /** The person at the other end. */
  user: WhatsAppSender;
  /** Phone number of the caller, as sent; absent in the same cases as `WhatsAppSender.phone`. */
  from?: string | undefined;
  /** Business-scoped user id of the caller: calls of a person. */
  fromUserId?: string | undefined;
  /** User id of the caller within the parent business portfolio: calls of a person. */
  fromParentUserId?: string | undefined;
  /** Phone number that was called, as sent; absent in the same cases as `WhatsAppSender.phone`. */
  to?: string | undefined;
  /** Business-scoped user id of the person called: calls of the business. */
  toUserId?: string | undefined;
  /** User id of the person called within the parent business portfolio: calls of the business. */
  toParentUserId?: string | undefined;
  /** Time at which it was answered: with `terminate`, if it was. */
  startTime?: Date | undefined;
  /** Time at which it ended: with `terminate`, if it was answered. */
  endTime?: Date | undefined;
  /** Length in s: with `terminate`, if it was answered. */
  duration?: number | undefined;
  /** Session description: with `connect`, unless the call is over SIP. */
  session?: WhatsAppCallSession | undefined;
  /** Data that the business gave when it called or accepted. */
  bizOpaqueCallbackData?: string | undefined;
  /** The `biz_payload` of the link that the person called with: `connect` and `terminate`. */
  deeplinkPayload?: string | undefined;
  /** Payload of the call button that the person tapped: `connect` and `terminate`. */
  ctaPayload?: string | undefined;
  /** The recording, valid for 7 days: with `call_recording_available`. */
  recording?: WhatsAppMedia | undefined;
  /** The transcript, a JSON document valid for 7 days: with `call_transcription_available`. */
  transcript?: WhatsAppMedia | undefined;
  /**
   * Reasons of a failure. Meta puts them beside the call; if the notification has one call, they are its reasons. They
   * are also records of the kind `error`.
   */
  errors: WhatsAppError[];
}

/**
 * A conversation that passes to another app or agent: webhook field `messaging_handovers`, since August 2026.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppHandover extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "handover";
  /** `control_passed`: this app is to answer; `control_taken`: it is not to answer. Open; "" if Meta gave none. */
  event: string;
  /** The customer of the conversation; its `id` is "" where Meta omits the number. */
  user: WhatsAppSender;
  /** Role that answered before: `customer_service`, `marketing`, `utility`, `ctwa`, `ai_agent`, `escalation`: open. */
  previousOwnerRole?: string | undefined;
  /** Role that answers from now on; `escalation` with `control_taken`. */
  newOwnerRole?: string | undefined;
  /** App that answered before: deprecated by Meta. */
  previousOwnerAppId?: string | undefined;
  /** Role of the app that answered before, such as `meta_business_agent`: deprecated by Meta. */
  previousOwnerAppRole?: string | undefined;
  /** App that answers from now on: where Meta names it by app. */
  newOwnerAppId?: string | undefined;
  /** Text of the call that passed or took the conversation, at most 2000 characters. */
  metadata?: string | undefined;
  /** Summary of the conversation, made by a model: with `control_passed`, if the business has that on. */
  conversationSummary?: string | undefined;
}

/** Opening hours of one day. */
export interface WhatsAppOperatingHours {
  /** `MONDAY`, `TUESDAY`, … */
  dayOfWeek?: string | undefined;
  /** First minute, such as `0400`: 24 hours, in the time zone of the hours. */
  openTime?: string | undefined;
  /** Last minute, such as `1020`. */
  closeTime?: string | undefined;
}

/** A day with other hours. */
export interface WhatsAppHoliday {
  /** The day, such as `2026-01-01`. */
  date?: string | undefined;
  /** First minute, such as `0000`: 24 hours, in the time zone of the hours. */
  startTime?: string | undefined;
  /** Last minute, such as `2359`. */
  endTime?: string | undefined;
}

/** Hours in which persons can call. */
export interface WhatsAppCallHours {
  /** `ENABLED` or `DISABLED`. */
  status?: string | undefined;
  /** The time zone, such as `America/Manaus`. */
  timezoneId?: string | undefined;
  /** Hours of the days of the week; a day may have several. */
  weeklyOperatingHours: WhatsAppOperatingHours[];
  /** Days with other hours. */
  holidaySchedule: WhatsAppHoliday[];
}

/** A server for calls over SIP. Its password, if Meta sends one, is in `raw` only. */
export interface WhatsAppSipServer {
  /** The host name. */
  hostname?: string | undefined;
  /** The TLS port. */
  port?: number | undefined;
  /** The app that set it. */
  appId?: string | undefined;
  /** Parameters of the user part of the request URI. */
  requestUriUserParams?: JsonObject | undefined;
}

/** Settings of calls of a business phone number. */
export interface WhatsAppCallingSettings {
  /** `ENABLED` or `DISABLED`. */
  status?: string | undefined;
  /** `DEFAULT` or `DISABLE_ALL`. */
  callIconVisibility?: string | undefined;
  /** Countries whose users see the button, such as `US`; absent: all. */
  restrictToUserCountries?: string[] | undefined;
  /** `ENABLED` if a person who calls is asked for the permission to be called. */
  callbackPermissionStatus?: string | undefined;
  /** `DTLS` or `SDES`: calls over SIP. */
  srtpKeyExchangeProtocol?: string | undefined;
  /** The hours. */
  callHours?: WhatsAppCallHours | undefined;
  /** `ENABLED` if calls go over SIP: then there are no webhooks of calls, nor calls with the API. */
  sipStatus?: string | undefined;
  /** Servers for calls over SIP, one for each app. */
  sipServers?: WhatsAppSipServer[] | undefined;
}

/**
 * Settings of a number that changed, by this app or another: webhook field `account_settings_update`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppAccountSettings extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "accountSettings";
  /**
   * `phone_number_settings`: in lower case and without brackets, since Meta also writes `PHONE_NUMBER_SETTINGS` and
   * `[phone_number_settings]`. Open; "" if Meta gave none.
   */
  type: string;
  /** Settings of calls, if they changed. */
  calling?: WhatsAppCallingSettings | undefined;
}

/** A member of a group, or a person who asks to become one. */
export interface WhatsAppGroupParticipant {
  /** The phone number, digits only; absent in the same cases as `WhatsAppSender.phone`. */
  phone?: string | undefined;
  /** The business-scoped user id. */
  userId?: string | undefined;
  /** The user id within the parent business portfolio. */
  parentUserId?: string | undefined;
  /** The username, without a leading `@`. */
  username?: string | undefined;
  /** The phone number or user id as the business gave it: answers to a call of the business. */
  input?: string | undefined;
  /** Reasons of a failure. */
  errors: WhatsAppError[];
}

/** The result of a change of one setting of a group. */
export interface WhatsAppGroupSetting {
  /** `group_subject`, `group_description`, `profile_picture`: open. */
  name: string;
  /** `false` if it failed. */
  successful?: boolean | undefined;
  /** The text: subject and description. */
  text?: string | undefined;
  /** The MIME type: picture. */
  mimeType?: string | undefined;
  /** SHA-256 digest of the file: picture. */
  sha256?: string | undefined;
  /** Reasons of a failure. */
  errors: WhatsAppError[];
}

/**
 * An event of a group: webhook fields `group_lifecycle_update`, `group_participants_update`, `group_settings_update`
 * and `group_status_update`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppGroupEvent extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "group";
  /**
   * `group_create`, `group_delete`, `group_participants_add`, `group_participants_remove`,
   * `group_join_request_created`, `group_join_request_revoked`, `group_settings_update`, `group_suspend`,
   * `group_suspend_cleared`. A page of Meta also has `group_add_participants` and `group_remove_participants`. As sent:
   * open; "" if Meta gave none.
   */
  type: string;
  /** The group; "" if Meta gave none. */
  groupId: string;
  /** Id of the call of the business that it answers. */
  requestId?: string | undefined;
  /** The subject: `group_create`. */
  subject?: string | undefined;
  /** The description: `group_create`. */
  description?: string | undefined;
  /** The link with which a person joins: `group_create`. */
  inviteLink?: string | undefined;
  /** `auto_approve` or `approval_required`: `group_create`. */
  joinApprovalMode?: string | undefined;
  /** The way in which a person joined, such as `invite_link`: open. */
  reason?: string | undefined;
  /** `business` for a removal, `participant` for a person who left: open. */
  initiatedBy?: string | undefined;
  /** Id of the request to join: join requests. */
  joinRequestId?: string | undefined;
  /** The person who asks to join, or asks no longer: join requests. */
  participant?: WhatsAppGroupParticipant | undefined;
  /** Members added. */
  addedParticipants: WhatsAppGroupParticipant[];
  /** Members removed, or who left. */
  removedParticipants: WhatsAppGroupParticipant[];
  /** Persons who could not be added or removed, with the reasons. */
  failedParticipants: WhatsAppGroupParticipant[];
  /** Results of a change of settings: `group_settings_update`. */
  settings: WhatsAppGroupSetting[];
  /** Reasons of a failure, also of a part. */
  errors: WhatsAppError[];
}

/**
 * A person who allows or stops a kind of message: webhook field `user_preferences`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppUserPreference extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "userPreference";
  /** The person. */
  user: WhatsAppSender;
  /** `marketing_messages`: open; "" if Meta gave none. */
  category: string;
  /** `stop`, `resume` or `signup`: open; "" if Meta gave none. After `stop`, marketing messages fail with 131050. */
  value: string;
  /** A description in English. */
  detail?: string | undefined;
  /** Id of the link that the person signed up with: `signup`. */
  signupId?: string | undefined;
}

/**
 * A purchase or a lead that Meta found in a chat that an advertisement began: webhook field `automatic_events`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppAutomaticEvent extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "automaticEvent";
  /** Id of the message in which it was found; "" if Meta gave none. */
  id: string;
  /** `Purchase` or `LeadSubmitted`: open; "" if Meta gave none. */
  eventName: string;
  /** Click id of the advertisement, for the Conversions API. */
  ctwaClid?: string | undefined;
  /** The currency, such as `USD`: purchases. */
  currency?: string | undefined;
  /** The amount, in the currency's main unit: purchases. */
  value?: number | undefined;
}

/**
 * A contact in the address book of the WhatsApp Business app: webhook field `smb_app_state_sync`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppContactSync extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "contactSync";
  /** `contact`: open; "" if Meta gave none. */
  type: string;
  /** `add` if it was added or changed, `remove` if it was removed: open; "" if Meta gave none. */
  action: string;
  /** The whole name: `add`. */
  fullName?: string | undefined;
  /** The first name: `add`. */
  firstName?: string | undefined;
  /** The phone number, digits only; absent in the same cases as `WhatsAppSender.phone`. */
  phone?: string | undefined;
  /** The business-scoped user id. */
  userId?: string | undefined;
  /** The user id within the parent business portfolio. */
  parentUserId?: string | undefined;
  /** The username, without a leading `@`. */
  username?: string | undefined;
}
