/**
 * The account and what belongs to it: settings of numbers, templates, flows, limits, partners, alerts.
 *
 * @module
 */

import type {
  WhatsAppAccountUpdate,
  WhatsAppAlert,
  WhatsAppFlowEvent,
  WhatsAppTemplateUpdate,
} from "./account_records.ts";
import type { WhatsAppAccountSettings } from "./field_records.ts";
import { makeRecord, texts } from "./field_values.ts";
import { date, fullText, type JsonObject, number, object, objects, own, text } from "./json.ts";
import { each, members, nested, type Reader, textOrEmpty } from "./members.ts";
import type { ChangeOrigin } from "./origin.ts";
import { username } from "./people.ts";

/** Makes a reader of members beside others, which are an object of this library if one of some keys is there. */
function ifAny<Value>(keys: readonly string[], read: (raw: JsonObject) => Value): Reader<Value | undefined> {
  return (raw) => keys.some((key) => Object.hasOwn(raw, key)) ? read(raw) : undefined;
}

/** Returns an object that has members. */
function full<Value extends object>(value: Value): Value | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

const parseCallHours = /* @__PURE__ */ members(() => ({
  status: text,
  timezoneId: text,
  weeklyOperatingHours: each(members(() => ({ dayOfWeek: text, openTime: text, closeTime: text }))),
  holidaySchedule: each(members(() => ({ date: text, startTime: text, endTime: text }))),
}));

const parseServer = /* @__PURE__ */ members(() => ({
  hostname: text,
  appId: text,
  port: number,
  requestUriUserParams: object,
}));

const parseCalling = /* @__PURE__ */ members(() => ({
  status: text,
  callIconVisibility: text,
  callbackPermissionStatus: text,
  srtpKeyExchangeProtocol: text,
  restrictToUserCountries: [nested((icons) => texts(icons, "restrict_to_user_countries")), "call_icons"],
  callHours: nested(parseCallHours),
  sipStatus: [text, "sip.status"],
  sipServers: [nested((sip) => objects(sip, "servers").map(parseServer)), "sip"],
}));

/**
 * Reads settings of a number: `account_settings_update`.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record.
 */
export function parseAccountSettings(value: JsonObject, origin: ChangeOrigin): WhatsAppAccountSettings {
  const settings = object(value, "phone_number_settings");
  const calling = settings && object(settings, "calling");
  return makeRecord("accountSettings", value, origin, {
    type: plainType(textOrEmpty(value, "type")) || (settings === undefined ? "" : "phone_number_settings"),
    ...calling && { calling: parseCalling(calling) },
  });
}

/** Writes a type of settings in lower case and without the brackets of Meta's example. */
function plainType(type: string): string {
  return type.replaceAll("[", "").replaceAll("]", "").toLowerCase();
}

const parseComponents = /* @__PURE__ */ members(() => ({
  header: [text, "message_template_title"],
  body: [text, "message_template_element"],
  footer: text,
  buttons: each(members(() => ({ type: text, text, url: text, phoneNumber: text }), "message_template_button_")),
}), "message_template_");

const parseTemplateMembers = /* @__PURE__ */ members(() => ({
  id: textOrEmpty,
  name: text,
  language: text,
  category: [fullText, "message_template_category", "category"],
  components: ifAny(["title", "element", "footer", "buttons"].map((key) => `message_template_${key}`), parseComponents),
}), "message_template_");

const parseTemplateChange = /* @__PURE__ */ members(() => ({
  event: text,
  reason: text,
  previousCategory: text,
  newCategory: text,
  correctCategory: text,
  previousQualityScore: text,
  newQualityScore: text,
  categoryUpdateTime: [date, "category_update_timestamp"],
  rejectionReason: [text, "rejection_info.reason"],
  recommendation: [text, "rejection_info.recommendation"],
  disableDate: [text, "disable_info.disable_date"],
  title: [text, "other_info.title"],
  description: [text, "other_info.description"],
}));

/**
 * Reads a change of a template.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record.
 */
export function parseTemplate(value: JsonObject, origin: ChangeOrigin): WhatsAppTemplateUpdate {
  return makeRecord("template", value, origin, { ...parseTemplateMembers(value), ...parseTemplateChange(value) });
}

const parseFlowMembers = /* @__PURE__ */ members(() => ({
  flowId: textOrEmpty,
  event: textOrEmpty,
  message: text,
  warning: text,
  oldStatus: text,
  newStatus: text,
  reason: text,
  alertState: text,
  threshold: number,
  errorRate: number,
  requestsCount: number,
  p50Latency: number,
  p90Latency: number,
  availability: number,
  errors: each(members(() => ({ type: text, rate: number, count: number }), "error_")),
}));

/**
 * Reads a change or an alert of a flow: `flows`.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record.
 */
export function parseFlow(value: JsonObject, origin: ChangeOrigin): WhatsAppFlowEvent {
  return makeRecord("flow", value, origin, parseFlowMembers(value));
}

const parseRestriction = /* @__PURE__ */ members(() => ({
  type: [text, "restriction_type"],
  expiration: date,
  remediation: text,
}));

const parseAccountInfo = /* @__PURE__ */ members(() => ({
  accountId: [text, "waba_id"],
  ownerBusinessId: text,
  partnerAppId: text,
  solutionId: text,
  solutionPartnerBusinessIds: texts,
  // Two pages of Meta have different names.
  adAccountId: [fullText, "ad_account_linked", "ad_account_id"],
}));

const parseCertification = /* @__PURE__ */ members(() => ({
  clientBusinessId: text,
  status: text,
  rejectionReasons: texts,
}));

const parseEligibility = /* @__PURE__ */ members(() => ({
  startTime: date,
  exceptionCountries: each(members(() => ({ countryCode: text, startTime: date }))),
}));

const parsePricingTier = /* @__PURE__ */ members(() => ({
  tier: text,
  pricingCategory: text,
  region: text,
  effectiveMonth: text,
  updateTime: [date, "tier_update_time"],
}));

const parseAlertInfo = /* @__PURE__ */ members(() => ({
  type: text,
  severity: text,
  status: text,
  description: text,
}), "alert_");

const parseEntity = /* @__PURE__ */ members(() => ({ entityType: text, entityId: text }));

const parseLimits = /* @__PURE__ */ members(() => ({
  maxDailyConversationsPerBusiness: text,
  maxDailyConversationPerPhone: text,
  maxPhoneNumbersPerBusiness: number,
  maxPhoneNumbersPerAccount: [number, "max_phone_numbers_per_waba"],
  currentLimit: text,
  oldLimit: text,
}));

const parseConfiguration = /* @__PURE__ */ members(() => ({
  name: [text, "configuration_name"],
  providerName: text,
  providerMid: text,
  createdTime: [date, "created_timestamp"],
  updatedTime: [date, "updated_timestamp"],
}));

const parseAccountMembers = /* @__PURE__ */ members(() => ({
  displayPhoneNumber: [fullText, "display_phone_number", "phone_number"],
  event: text,
  decision: text,
  status: [fullText, "status", "solution_status"],
  violation: [nested(members(() => ({ type: [text, "violation_type"], remediation: text }))), "violation_info"],
  restrictions: [parseRestrictions, "restriction_info"],
  ban: [nested(members(() => ({ state: text, date: text }), "waba_ban_")), "ban_info"],
  account: [nested(parseAccountInfo), "waba_info"],
  disconnection: [nested(members(() => ({ reason: text, initiatedBy: text }))), "disconnection_info"],
  partnerCertification: [
    nested(parseCertification),
    "partner_client_certification_info",
    "partner_client_certification_needed_info",
  ],
  rateEligibility: [nested(parseEligibility), "auth_international_rate_eligibility"],
  pricingTier: [nested(parsePricingTier), "volume_tier_info"],
  country: text,
  alert: parseAlert,
  limits: (value: JsonObject) => full(parseLimits(value)),
  requestedVerifiedName: text,
  rejectionReason: text,
  username: [username, "username", "requested_username"],
  requester: text,
  solutionId: text,
  paymentConfiguration: ifAny(["configuration_name", "provider_name", "provider_mid"], parseConfiguration),
}));

/**
 * Reads a change of the account, a number, a partner or the portfolio. The members of the fields have names of their
 * own, so that one reader serves all.
 *
 * @param value The value of the change.
 * @param origin The change.
 * @returns A record.
 */
export function parseAccount(value: JsonObject, origin: ChangeOrigin): WhatsAppAccountUpdate {
  const account = parseAccountMembers(value);
  const { displayPhoneNumber } = account;
  return makeRecord("account", value, origin, {
    ...account,
    displayPhoneNumber: origin.displayPhoneNumber ?? displayPhoneNumber,
  });
}

/** Reads restrictions, of which the documentation has a list and older notifications one object. */
function parseRestrictions(value: JsonObject, key: string): ReturnType<typeof parseRestriction>[] | undefined {
  if (own(value, key) === undefined) return undefined;
  const one = object(value, key);
  return (one === undefined ? objects(value, key) : [one]).map(parseRestriction);
}

function parseAlert(value: JsonObject): WhatsAppAlert | undefined {
  // The object of the documentation; the members stand in the value itself in a library's types.
  return full({ ...parseAlertInfo(object(value, "alert_info") ?? value), ...parseEntity(value) });
}
