/**
 * The account and what belongs to it: settings of numbers, templates, flows, limits, partners, alerts.
 *
 * @module
 */

import type {
  WhatsAppAccountInfo,
  WhatsAppAccountUpdate,
  WhatsAppAlert,
  WhatsAppFlowError,
  WhatsAppFlowEvent,
  WhatsAppLimits,
  WhatsAppPartnerCertification,
  WhatsAppPaymentConfiguration,
  WhatsAppPricingTier,
  WhatsAppRateEligibility,
  WhatsAppRestriction,
  WhatsAppTemplateComponents,
  WhatsAppTemplateUpdate,
} from "./account_records.ts";
import type { WhatsAppAccountSettings, WhatsAppCallHours, WhatsAppCallingSettings } from "./field_records.ts";
import { texts, wholeValue } from "./field_values.ts";
import { date, firstText, type JsonObject, number, object, objects, pick, text, withoutUndefined } from "./json.ts";
import { type ChangeOrigin, type ParsedValue, recordBase } from "./origin.ts";
import { plainUsername } from "./people.ts";

/** Keys by which a value is known to have an object of its kind. */
const COMPONENTS: readonly string[] = ["title", "element", "footer", "buttons"].map((key) => `message_template_${key}`);
const CONFIGURATION: readonly string[] = ["configuration_name", "provider_name", "provider_mid"];

/**
 * Reads settings of a number: `account_settings_update`.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns One record.
 */
export function parseAccountSettings(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  const settings = object(value, "phone_number_settings");
  const calling = settings && object(settings, "calling");
  const record: WhatsAppAccountSettings = withoutUndefined({
    kind: "accountSettings",
    ...recordBase(origin, value),
    timestamp: date(value, "timestamp") ?? origin.entryTime,
    type: plainType(text(value, "type")) || (settings === undefined ? "" : "phone_number_settings"),
    calling: calling && parseCalling(calling),
  });
  return wholeValue(record);
}

/** Writes a type of settings in lower case and without the brackets of Meta's example. */
function plainType(type: string | undefined): string {
  return (type ?? "").replaceAll("[", "").replaceAll("]", "").toLowerCase();
}

function parseCalling(raw: JsonObject): WhatsAppCallingSettings {
  const [icons, hours, sip] = [object(raw, "call_icons"), object(raw, "call_hours"), object(raw, "sip")];
  return withoutUndefined({
    ...pick(raw, {
      status: "status",
      callIconVisibility: "call_icon_visibility",
      callbackPermissionStatus: "callback_permission_status",
      srtpKeyExchangeProtocol: "srtp_key_exchange_protocol",
    }),
    restrictToUserCountries: icons && texts(icons, "restrict_to_user_countries"),
    callHours: hours && parseCallHours(hours),
    sipStatus: sip && text(sip, "status"),
    sipServers: sip && objects(sip, "servers").map((server) =>
      withoutUndefined({
        ...pick(server, { hostname: "hostname", appId: "app_id" }),
        port: number(server, "port"),
        requestUriUserParams: object(server, "request_uri_user_params"),
      })
    ),
  });
}

function parseCallHours(raw: JsonObject): WhatsAppCallHours {
  return {
    ...pick(raw, { status: "status", timezoneId: "timezone_id" }),
    weeklyOperatingHours: objects(raw, "weekly_operating_hours").map((day) =>
      pick(day, { dayOfWeek: "day_of_week", openTime: "open_time", closeTime: "close_time" })
    ),
    holidaySchedule: objects(raw, "holiday_schedule").map((day) =>
      pick(day, { date: "date", startTime: "start_time", endTime: "end_time" })
    ),
  };
}

/**
 * Reads a change of a template.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns One record.
 */
export function parseTemplate(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  const [rejection, disabling] = [object(value, "rejection_info"), object(value, "disable_info")];
  const record: WhatsAppTemplateUpdate = withoutUndefined({
    kind: "template",
    ...recordBase(origin, value),
    timestamp: date(value, "timestamp") ?? origin.entryTime,
    id: text(value, "message_template_id") ?? "",
    ...pick(value, {
      name: "message_template_name",
      language: "message_template_language",
      event: "event",
      reason: "reason",
      previousCategory: "previous_category",
      newCategory: "new_category",
      correctCategory: "correct_category",
      previousQualityScore: "previous_quality_score",
      newQualityScore: "new_quality_score",
    }),
    category: firstText(value, ["message_template_category", "category"]),
    categoryUpdateTime: date(value, "category_update_timestamp"),
    components: COMPONENTS.some((key) => Object.hasOwn(value, key)) ? parseComponents(value) : undefined,
    rejectionReason: rejection && text(rejection, "reason"),
    recommendation: rejection && text(rejection, "recommendation"),
    disableDate: disabling && text(disabling, "disable_date"),
    ...pick(object(value, "other_info") ?? {}, { title: "title", description: "description" }),
  });
  return wholeValue(record);
}

function parseComponents(value: JsonObject): WhatsAppTemplateComponents {
  return {
    ...pick(value, {
      header: "message_template_title",
      body: "message_template_element",
      footer: "message_template_footer",
    }),
    buttons: objects(value, "message_template_buttons").map((button) =>
      pick(button, {
        type: "message_template_button_type",
        text: "message_template_button_text",
        url: "message_template_button_url",
        phoneNumber: "message_template_button_phone_number",
      })
    ),
  };
}

/**
 * Reads a change or an alert of a flow: `flows`.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns One record.
 */
export function parseFlow(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  const record: WhatsAppFlowEvent = withoutUndefined({
    kind: "flow",
    ...recordBase(origin, value),
    timestamp: date(value, "timestamp") ?? origin.entryTime,
    flowId: text(value, "flow_id") ?? "",
    event: text(value, "event") ?? "",
    ...pick(value, {
      message: "message",
      warning: "warning",
      oldStatus: "old_status",
      newStatus: "new_status",
      reason: "reason",
      alertState: "alert_state",
    }),
    threshold: number(value, "threshold"),
    errorRate: number(value, "error_rate"),
    requestsCount: number(value, "requests_count"),
    p50Latency: number(value, "p50_latency"),
    p90Latency: number(value, "p90_latency"),
    availability: number(value, "availability"),
    errors: objects(value, "errors").map(parseFlowError),
  });
  return wholeValue(record);
}

function parseFlowError(raw: JsonObject): WhatsAppFlowError {
  return withoutUndefined({
    type: text(raw, "error_type"),
    rate: number(raw, "error_rate"),
    count: number(raw, "error_count"),
  });
}

/**
 * Reads a change of the account, a number, a partner or the portfolio. The members of the fields have names of their
 * own, so that one reader serves all.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns One record.
 */
export function parseAccount(value: JsonObject, origin: ChangeOrigin): ParsedValue {
  const [violation, ban] = [object(value, "violation_info"), object(value, "ban_info")];
  const disconnection = object(value, "disconnection_info");
  const record: WhatsAppAccountUpdate = withoutUndefined({
    kind: "account",
    ...recordBase(origin, value),
    displayPhoneNumber: origin.displayPhoneNumber ?? firstText(value, ["display_phone_number", "phone_number"]),
    timestamp: date(value, "timestamp") ?? origin.entryTime,
    ...pick(value, {
      event: "event",
      decision: "decision",
      country: "country",
      requestedVerifiedName: "requested_verified_name",
      rejectionReason: "rejection_reason",
      requester: "requester",
      solutionId: "solution_id",
    }),
    status: firstText(value, ["status", "solution_status"]),
    username: plainUsername(text(value, "username")),
    violation: violation && pick(violation, { type: "violation_type", remediation: "remediation" }),
    restrictions: Object.hasOwn(value, "restriction_info") ? parseRestrictions(value) : undefined,
    ban: ban && pick(ban, { state: "waba_ban_state", date: "waba_ban_date" }),
    account: parseAccountInfo(object(value, "waba_info")),
    disconnection: disconnection && pick(disconnection, { reason: "reason", initiatedBy: "initiated_by" }),
    partnerCertification: parseCertification(value),
    rateEligibility: parseEligibility(object(value, "auth_international_rate_eligibility")),
    pricingTier: parsePricingTier(object(value, "volume_tier_info")),
    alert: parseAlert(value),
    limits: parseLimits(value),
    paymentConfiguration: parsePaymentConfiguration(value),
  });
  return wholeValue(record);
}

/** Reads restrictions, of which the documentation has a list and older notifications one object. */
function parseRestrictions(value: JsonObject): WhatsAppRestriction[] {
  const one = object(value, "restriction_info");
  return (one === undefined ? objects(value, "restriction_info") : [one]).map((raw) =>
    withoutUndefined({
      type: text(raw, "restriction_type"),
      expiration: date(raw, "expiration"),
      remediation: text(raw, "remediation"),
    })
  );
}

function parseAccountInfo(raw: JsonObject | undefined): WhatsAppAccountInfo | undefined {
  return raw && withoutUndefined({
    ...pick(raw, {
      accountId: "waba_id",
      ownerBusinessId: "owner_business_id",
      partnerAppId: "partner_app_id",
      solutionId: "solution_id",
    }),
    solutionPartnerBusinessIds: texts(raw, "solution_partner_business_ids"),
    // Two pages of Meta have different names.
    adAccountId: firstText(raw, ["ad_account_linked", "ad_account_id"]),
  });
}

function parseCertification(value: JsonObject): WhatsAppPartnerCertification | undefined {
  const raw = object(value, "partner_client_certification_info") ??
    object(value, "partner_client_certification_needed_info");
  return raw && {
    ...pick(raw, { clientBusinessId: "client_business_id", status: "status" }),
    rejectionReasons: texts(raw, "rejection_reasons"),
  };
}

function parseEligibility(raw: JsonObject | undefined): WhatsAppRateEligibility | undefined {
  return raw && withoutUndefined({
    startTime: date(raw, "start_time"),
    exceptionCountries: objects(raw, "exception_countries").map((country) =>
      withoutUndefined({ countryCode: text(country, "country_code"), startTime: date(country, "start_time") })
    ),
  });
}

function parsePricingTier(raw: JsonObject | undefined): WhatsAppPricingTier | undefined {
  return raw && withoutUndefined({
    ...pick(raw, {
      tier: "tier",
      pricingCategory: "pricing_category",
      region: "region",
      effectiveMonth: "effective_month",
    }),
    updateTime: date(raw, "tier_update_time"),
  });
}

function parseAlert(value: JsonObject): WhatsAppAlert | undefined {
  // The object of the documentation; the members stand in the value itself in a library's types.
  const info = object(value, "alert_info") ?? value;
  const alert: WhatsAppAlert = {
    ...pick(info, {
      type: "alert_type",
      severity: "alert_severity",
      status: "alert_status",
      description: "alert_description",
    }),
    ...pick(value, { entityType: "entity_type", entityId: "entity_id" }),
  };
  return Object.keys(alert).length === 0 ? undefined : alert;
}

function parseLimits(value: JsonObject): WhatsAppLimits | undefined {
  const limits: WhatsAppLimits = withoutUndefined({
    ...pick(value, {
      maxDailyConversationsPerBusiness: "max_daily_conversations_per_business",
      maxDailyConversationPerPhone: "max_daily_conversation_per_phone",
      currentLimit: "current_limit",
      oldLimit: "old_limit",
    }),
    maxPhoneNumbersPerBusiness: number(value, "max_phone_numbers_per_business"),
    maxPhoneNumbersPerAccount: number(value, "max_phone_numbers_per_waba"),
  });
  return Object.keys(limits).length === 0 ? undefined : limits;
}

function parsePaymentConfiguration(value: JsonObject): WhatsAppPaymentConfiguration | undefined {
  if (!CONFIGURATION.some((key) => Object.hasOwn(value, key))) return undefined;
  return withoutUndefined({
    ...pick(value, { name: "configuration_name", providerName: "provider_name", providerMid: "provider_mid" }),
    createdTime: date(value, "created_timestamp"),
    updatedTime: date(value, "updated_timestamp"),
  });
}
