/** Values of webhook fields other than those with messages: one of each event, in the form of Meta's documentation. */

import { FIELD_PARSERS } from "../../cloud_api/parse_fields.ts";
import { isObject, type JsonObject, object, objects, text } from "../../cloud_api/json.ts";
import type { WhatsAppSender } from "../../cloud_api/messages.ts";
import type { ChangeOrigin, ParsedValue } from "../../cloud_api/origin.ts";
import { phoneNumberIdOf } from "../../cloud_api/value_number.ts";
import type { WhatsAppRecord } from "../../cloud_api/records.ts";

/** A value of a change. */
export interface FieldValue {
  /** The webhook field. */
  readonly field: string;
  /** The value. */
  readonly value: JsonObject;
}

/** The time of the entry of {@linkcode parseField}. */
export const ENTRY_TIME: Date = new Date("2026-09-26T10:00:00Z");

const BASE = {
  messaging_product: "whatsapp",
  metadata: { display_phone_number: "15550001111", phone_number_id: "900000000000777" },
};
const CONTACT: JsonObject = {
  profile: { name: "Anna", username: "@anna.example" },
  wa_id: "15550002222",
  user_id: "US.9000001",
  parent_user_id: "US.ENT.9000002",
};

/** The person of most values, as records have her. */
export const ANNA: WhatsAppSender = {
  id: "15550002222",
  phone: "15550002222",
  userId: "US.9000001",
  parentUserId: "US.ENT.9000002",
  name: "Anna",
  username: "anna.example",
  contact: CONTACT,
};

const CALL = { id: "wacid.A", timestamp: "1790416801" };
const INCOMING = { direction: "USER_INITIATED" };
const FROM_ANNA = {
  from: "15550002222",
  from_user_id: "US.9000001",
  from_parent_user_id: "US.ENT.9000002",
  to: "15550001111",
};
const FILE = { id: "9001", sha256: "aGFzaA==", mime_type: "audio/ogg", url: "https://lookaside.fbsbx.com/x" };
const ERROR = {
  code: 131000,
  title: "Bad",
  message: "Went wrong",
  error_data: { details: "Because" },
  href: "https://x/",
};

function call(more: JsonObject, beside: JsonObject = {}): FieldValue {
  return { field: "calls", value: { ...BASE, contacts: [CONTACT], calls: [{ ...CALL, ...more }], ...beside } };
}

function group(field: string, more: JsonObject): FieldValue {
  return { field, value: { ...BASE, groups: [{ group_id: "120363@g.us", timestamp: "1790416802", ...more }] } };
}

function template(field: string, more: JsonObject): FieldValue {
  const name = { message_template_name: "order_update", message_template_language: "en_US" };
  return { field, value: { message_template_id: 1689556908129832, ...name, ...more } };
}

function account(event: string, more: JsonObject = {}): FieldValue {
  return { field: "account_update", value: { event, ...more } };
}

function flow(event: string, more: JsonObject): FieldValue {
  return { field: "flows", value: { event, flow_id: "7001", message: "Something happened", ...more } };
}

/** The values by name. */
export const FIELD_VALUES: Readonly<Record<string, FieldValue>> = {
  callConnect: call({
    event: "connect",
    ...INCOMING,
    ...FROM_ANNA,
    session: { sdp_type: "offer", sdp: "v=0" },
    cta_payload: "vip",
  }),
  callOfBusiness: call({
    event: "connect",
    direction: "BUSINESS_INITIATED",
    from: "15550001111",
    to: "15550002222",
    to_user_id: "US.9000001",
    to_parent_user_id: "US.ENT.9000002",
    session: { sdp_type: "answer", sdp: "v=0" },
  }),
  callTerminate: call({
    event: "terminate",
    ...INCOMING,
    ...FROM_ANNA,
    status: "Completed",
    start_time: "1790416810",
    end_time: "1790416930",
    duration: 120,
    biz_opaque_callback_data: "ticket-7",
    deeplink_payload: "poster",
  }, { errors: [ERROR] }),
  callCreated: call({ event: "call_created", ...INCOMING, ...FROM_ANNA }),
  callRecording: call({
    event: "call_recording_available",
    ...FROM_ANNA,
    call_recording: { type: "audio", audio: FILE },
  }),
  callTranscription: call({
    event: "call_transcription_available",
    from_user_id: "US.9000001",
    call_transcript: { document: { ...FILE, mime_type: "application/json" } },
  }),
  callStatus: {
    field: "calls",
    value: {
      ...BASE,
      contacts: [CONTACT],
      statuses: [{
        id: "wacid.A",
        type: "call",
        status: "RINGING",
        timestamp: "1790416801",
        recipient_id: "15550002222",
        recipient_user_id: "US.9000001",
        recipient_parent_user_id: "US.ENT.9000002",
        biz_opaque_callback_data: "ticket-7",
      }],
    },
  },
  handoverPassed: {
    field: "messaging_handovers",
    value: {
      messaging_product: "whatsapp",
      sender: { phone_number: "15550002222" },
      recipient: { display_phone_number: "15550001111", phone_number_id: "900000000000777" },
      type: "control_passed",
      timestamp: "1790416803",
      control_passed: {
        previous_owner_app_id: "5001",
        previous_owner_app_role: "meta_business_agent",
        previous_owner_role: "ai_agent",
        new_owner_app_id: "5002",
        new_owner_role: "escalation",
        metadata: "wants a person",
        conversation_context: { type: "summary", summary: { text: "Asked for a refund" } },
      },
    },
  },
  handoverTaken: {
    field: "messaging_handovers",
    value: {
      messaging_product: "whatsapp",
      sender: { user_id: "US.9000001", parent_user_id: "US.ENT.9000002", username: "anna.example" },
      recipient: { display_phone_number: "15550001111", phone_number_id: "900000000000777" },
      type: "control_taken",
      timestamp: 1790416803,
      control_taken: { previous_owner_role: "ctwa", new_owner_role: "escalation" },
    },
  },
  accountSettings: {
    field: "account_settings_update",
    value: {
      messaging_product: "whatsapp",
      timestamp: "1790416804",
      type: "[phone_number_settings]",
      phone_number_settings: {
        phone_number_id: "900000000000777",
        calling: {
          status: "ENABLED",
          call_icon_visibility: "DEFAULT",
          call_icons: { restrict_to_user_countries: ["US", "BR"] },
          callback_permission_status: "DISABLED",
          srtp_key_exchange_protocol: "DTLS",
          call_hours: {
            status: "ENABLED",
            timezone_id: "America/Manaus",
            weekly_operating_hours: [{ day_of_week: "MONDAY", open_time: "0400", close_time: "1020" }],
            holiday_schedule: [{ date: "2027-01-01", start_time: "0000", end_time: "2359" }],
          },
          sip: {
            status: "ENABLED",
            servers: [{ hostname: "sip.example", port: 5061, app_id: 5001, request_uri_user_params: { tgrp: "one" } }],
          },
        },
      },
    },
  },
  groupCreate: group("group_lifecycle_update", {
    type: "group_create",
    request_id: "req-1",
    subject: "Order 17",
    description: "About order 17",
    invite_link: "https://chat.whatsapp.com/abc",
    join_approval_mode: "auto_approve",
  }),
  groupDeleteFailed: group("group_lifecycle_update", { type: "group_delete", request_id: "req-2", errors: [ERROR] }),
  groupAdded: group("group_participants_update", {
    type: "group_participants_add",
    reason: "invite_link",
    added_participants: [{ input: "+15550002222", wa_id: "15550002222", user_id: "US.9000001", username: "@anna" }],
  }),
  groupRemoved: group("group_participants_update", {
    type: "group_participants_remove",
    request_id: "req-3",
    initiated_by: "business",
    removed_participants: [{ input: "US.9000001", parent_user_id: "US.ENT.9000002" }],
    failed_participants: [{ input: "US.9000003", errors: [ERROR] }],
    errors: [{ ...ERROR, code: 131009 }],
  }),
  groupJoinRequest: group("group_participants_update", {
    type: "group_join_request_created",
    join_request_id: "join-1",
    wa_id: "15550002222",
    user_id: "US.9000001",
    parent_user_id: "US.ENT.9000002",
    username: "@anna",
  }),
  groupSettings: group("group_settings_update", {
    type: "group_settings_update",
    request_id: "req-4",
    profile_picture: { mime_type: "image/jpeg", sha256: "aGFzaA==", update_successful: true },
    group_subject: { text: "New", update_successful: false, errors: [ERROR] },
    group_mood: { text: "a setting to come", update_successful: true },
    errors: [{ ...ERROR, code: 131201 }],
  }),
  groupSuspend: group("group_status_update", { type: "group_suspend" }),
  preferenceStop: {
    field: "user_preferences",
    value: {
      ...BASE,
      contacts: [CONTACT],
      user_preferences: [{
        wa_id: "15550002222",
        user_id: "US.9000001",
        parent_user_id: "US.ENT.9000002",
        detail: "User requested to stop marketing messages",
        category: "marketing_messages",
        value: "stop",
        timestamp: 1790416805,
      }],
    },
  },
  preferenceSignup: {
    field: "user_preferences",
    value: {
      ...BASE,
      contacts: [CONTACT],
      user_preferences: [{ category: "marketing_messages", value: "signup", signup_id: "1317", timestamp: 1790416805 }],
    },
  },
  automaticEvents: {
    field: "automatic_events",
    value: {
      ...BASE,
      automatic_events: [
        {
          id: "wamid.A",
          event_name: "Purchase",
          timestamp: 1790416806,
          ctwa_clid: "clid",
          custom_data: { currency: "EUR", value: 25.5 },
        },
        { id: "wamid.B", event_name: "LeadSubmitted", timestamp: 1790416807 },
      ],
    },
  },
  contactSync: {
    field: "smb_app_state_sync",
    value: {
      ...BASE,
      state_sync: [
        {
          type: "contact",
          action: "add",
          contact: {
            full_name: "Anna Example",
            first_name: "Anna",
            phone_number: "15550002222",
            user_id: "US.9000001",
            parent_user_id: "US.ENT.9000002",
            username: "@anna",
          },
          metadata: { timestamp: "1790416808" },
        },
        { type: "contact", action: "remove", contact: { phone_number: "15550003333" } },
      ],
    },
  },
  templateRejected: template("message_template_status_update", {
    event: "REJECTED",
    reason: "INVALID_FORMAT",
    message_template_category: "MARKETING",
    rejection_info: { reason: "Parameters without text between", recommendation: "Write text between" },
  }),
  templatePaused: template("message_template_status_update", {
    event: "PAUSED",
    reason: null,
    disable_info: { disable_date: 1790416809 },
    other_info: { title: "FIRST_PAUSE", description: "Paused for 3 hours" },
  }),
  templateQuality: template("message_template_quality_update", {
    previous_quality_score: "GREEN",
    new_quality_score: "YELLOW",
  }),
  templateComponents: template("message_template_components_update", {
    message_template_title: "On its way",
    message_template_element: "Order {{1}} is on its way",
    message_template_footer: "The shop",
    message_template_buttons: [
      {
        message_template_button_type: "URL",
        message_template_button_text: "Track",
        message_template_button_url: "https://shop.example/",
      },
      {
        message_template_button_type: "PHONE_NUMBER",
        message_template_button_text: "Call",
        message_template_button_phone_number: "+15550001111",
      },
    ],
  }),
  templateCategory: template("template_category_update", { previous_category: "UTILITY", new_category: "MARKETING" }),
  templateCategoryToCome: template("template_category_update", {
    new_category: "UTILITY",
    correct_category: "MARKETING",
    category_update_timestamp: 1790503200,
  }),
  templateDetection: template("template_correct_category_detection", {
    category: "UTILITY",
    correct_category: "MARKETING",
  }),
  accountDeleted: account("ACCOUNT_DELETED"),
  accountViolation: account("ACCOUNT_VIOLATION", {
    phone_number: "15550001111",
    violation_info: { violation_type: "USER_INITIATED_CALLS_LOW_PICKUP_RATE", remediation: "Answer calls" },
  }),
  accountRestriction: account("ACCOUNT_RESTRICTION", {
    restriction_info: [
      { restriction_type: "RESTRICTED_BIZ_INITIATED_MESSAGING", expiration: 1790416810, remediation: "Wait" },
      { restriction_type: "RESTRICTED_ADD_PHONE_NUMBER_ACTION", expiration: 1790416811 },
    ],
  }),
  accountBan: account("DISABLED_UPDATE", {
    ban_info: { waba_ban_state: "SCHEDULE_FOR_DISABLE", waba_ban_date: "January 31, 2027" },
  }),
  accountPartner: account("PARTNER_APP_INSTALLED", {
    waba_info: {
      waba_id: "8001",
      owner_business_id: "8002",
      partner_app_id: "8003",
      solution_id: "8004",
      solution_partner_business_ids: ["8005", "8006"],
    },
  }),
  accountPartnerRemoved: account("PARTNER_REMOVED", {
    waba_info: { waba_id: "8001", owner_business_id: "8002" },
    disconnection_info: { reason: "PRIMARY_INACTIVITY", initiated_by: "SYSTEM" },
  }),
  accountAds: account("AD_ACCOUNT_LINKED", {
    waba_info: { waba_id: "8001", owner_business_id: "8002", ad_account_linked: "8007" },
  }),
  accountCertification: account("PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE", {
    partner_client_certification_info: {
      client_business_id: "8008",
      status: "FAILED",
      rejection_reasons: ["LEGAL NAME NOT MATCHING"],
    },
  }),
  accountCertificationNeeded: account("PARTNER_CLIENT_CERTIFICATION_NEEDED", {
    partner_client_certification_needed_info: { client_business_id: "8008" },
  }),
  accountRates: account("AUTH_INTL_PRICE_ELIGIBILITY_UPDATE", {
    auth_international_rate_eligibility: {
      start_time: 1790416812,
      exception_countries: [{ country_code: "ID", start_time: 1790416813 }],
    },
  }),
  accountPricingTier: account("VOLUME_BASED_PRICING_TIER_UPDATE", {
    volume_tier_info: {
      tier_update_time: 1790416814,
      pricing_category: "UTILITY",
      tier: "25000001:50000000",
      effective_month: "2026-11",
      region: "India",
    },
  }),
  accountCountry: account("BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE", { country: "IN" }),
  accountAlert: {
    field: "account_alerts",
    value: {
      entity_type: "PHONE_NUMBER",
      entity_id: "900000000000777",
      alert_info: {
        alert_severity: "WARNING",
        alert_status: "ACTIVE",
        alert_type: "OBA_REJECTED",
        alert_description: "It was not accepted",
      },
    },
  },
  accountReview: { field: "account_review_update", value: { decision: "APPROVED" } },
  capability: {
    field: "business_capability_update",
    value: {
      max_daily_conversations_per_business: "TIER_2K",
      max_daily_conversation_per_phone: -1,
      max_phone_numbers_per_business: 2,
      max_phone_numbers_per_waba: 25,
    },
  },
  numberName: {
    field: "phone_number_name_update",
    value: {
      display_phone_number: "15550001111",
      decision: "REJECTED",
      requested_verified_name: "The Shop",
      rejection_reason: "NAME_FORMAT_UNACCEPTABLE",
    },
  },
  numberQuality: {
    field: "phone_number_quality_update",
    value: {
      display_phone_number: "15550001111",
      event: "THROUGHPUT_UPGRADE",
      old_limit: "TIER_2K",
      current_limit: "TIER_10K",
    },
  },
  username: {
    field: "business_username_updates",
    value: { display_phone_number: "15550001111", username: "@the.shop", status: "reserved" },
  },
  partnerSolution: {
    field: "partner_solutions",
    value: { event: "SOLUTION_CREATED", solution_id: "8004", solution_status: "INITIATED" },
  },
  paymentConfiguration: {
    field: "payment_configuration_update",
    value: {
      configuration_name: "shop-in",
      provider_name: "razorpay",
      provider_mid: "acc_1",
      status: "Needs Testing",
      created_timestamp: 1790416815,
      updated_timestamp: 1790416816,
    },
  },
  security: {
    field: "security",
    value: { display_phone_number: "15550001111", event: "PIN_RESET_REQUEST", requester: "8009" },
  },
  userId: {
    field: "user_id_update",
    value: {
      ...BASE,
      contacts: [CONTACT],
      user_id_update: [{
        wa_id: "15550002222",
        detail: "User id for Anna has been updated.",
        user_id: { previous: "US.9000000", current: "US.9000001" },
        parent_user_id: { previous: "US.ENT.9000000", current: "US.ENT.9000002" },
        timestamp: "1790416817",
      }],
    },
  },
  flowStatus: flow("FLOW_STATUS_CHANGE", { old_status: "DRAFT", new_status: "PUBLISHED", reason: "by hand" }),
  flowErrors: flow("CLIENT_ERROR_RATE", {
    error_rate: 14.28,
    threshold: 10,
    alert_state: "ACTIVATED",
    errors: [{ error_type: "TIMEOUT", error_rate: 66.66, error_count: 2 }],
  }),
  flowLatency: flow("ENDPOINT_LATENCY", {
    p50_latency: 200,
    p90_latency: 8000,
    requests_count: 34,
    threshold: 7000,
    alert_state: "DEACTIVATED",
  }),
  flowAvailability: flow("ENDPOINT_AVAILABILITY", { availability: 75, threshold: 90, alert_state: "ACTIVATED" }),
  flowExpiry: flow("FLOW_VERSION_EXPIRY_WARNING", { warning: "It will freeze in 21 days" }),
};

/**
 * Parses a value, with the number and contacts as the parser of notifications finds them in `metadata` and `contacts`.
 *
 * @param field The webhook field.
 * @param value The value.
 * @returns Records and rest.
 */
export function parseField(field: string, value: JsonObject): ParsedValue {
  const metadata = object(value, "metadata") ?? object(value, "recipient") ?? {};
  const origin: ChangeOrigin = {
    field,
    accountId: "900000000000001",
    phoneNumberId: phoneNumberIdOf(value, (raw, key) => isObject(raw) ? text(raw, key) : undefined),
    displayPhoneNumber: text(metadata, "display_phone_number"),
    contacts: objects(value, "contacts"),
    entryTime: ENTRY_TIME,
  };
  return FIELD_PARSERS.get(field)!(value, origin);
}

/**
 * Parses one of {@linkcode FIELD_VALUES}.
 *
 * @param name Its name.
 * @returns The records without `raw` and the members that all records of the value have.
 */
export function typedRecords(name: string): JsonObject[] {
  const { field, value } = FIELD_VALUES[name]!;
  return parseField(field, value).records.map(typedMembers);
}

/**
 * Copies the members of a record that its field gives.
 *
 * @param record The record.
 * @returns The members but `raw`, `field`, `accountId` and `entryTime`.
 */
export function typedMembers(record: WhatsAppRecord): JsonObject {
  const copy: JsonObject = { ...record };
  for (const key of ["raw", "field", "accountId", "entryTime"]) delete copy[key];
  return copy;
}
