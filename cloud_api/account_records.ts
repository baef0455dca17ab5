/**
 * Types of the records of templates, accounts, phone numbers, partners and flows.
 *
 * @module
 */

import type { WhatsAppSender } from "./messages.ts";
import type { WhatsAppRecordBase } from "./record_base.ts";

/** A button of a template. */
export interface WhatsAppTemplateButton {
  /** `URL`, `PHONE_NUMBER`, `QUICK_REPLY`, `FLOW`, `OTP`, …: open. */
  type?: string | undefined;
  /** Its label. */
  text?: string | undefined;
  /** The URL: `URL`. */
  url?: string | undefined;
  /** The phone number: `PHONE_NUMBER`. */
  phoneNumber?: string | undefined;
}

/** Texts of a template: with `message_template_components_update`. */
export interface WhatsAppTemplateComponents {
  /** The header, if it is a text. */
  header?: string | undefined;
  /** The body. */
  body?: string | undefined;
  /** The footer. */
  footer?: string | undefined;
  /** The buttons. */
  buttons: WhatsAppTemplateButton[];
}

/**
 * A change of a template: webhook fields `message_template_status_update`, `message_template_quality_update`,
 * `message_template_components_update`, `template_category_update` and `template_correct_category_detection`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppTemplateUpdate extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "template";
  /** The template, as a text; "" if Meta gave none. */
  id: string;
  /** Its name. */
  name?: string | undefined;
  /** Its language, such as `en_US`. */
  language?: string | undefined;
  /**
   * The new status, with `message_template_status_update`: `APPROVED`, `REJECTED`, `PENDING`, `PAUSED`, `DISABLED`,
   * `FLAGGED`, `REINSTATED`, `LOCKED`, `IN_APPEAL`, `ARCHIVED`, `UNARCHIVED`, `DELETED`, `PENDING_DELETION`,
   * `LIMIT_EXCEEDED`: open.
   */
  event?: string | undefined;
  /** Reason of the status, such as `INVALID_FORMAT`; `NONE`, or absent, if there is none. */
  reason?: string | undefined;
  /** `MARKETING`, `UTILITY`, `AUTHENTICATION`: the category at the time. */
  category?: string | undefined;
  /** Category before the change: `template_category_update`. */
  previousCategory?: string | undefined;
  /** Category after the change; the one at the time if `correctCategory` is there: `template_category_update`. */
  newCategory?: string | undefined;
  /**
   * Category that Meta finds right: `template_correct_category_detection`, and `template_category_update` 24 hours
   * before the change.
   */
  correctCategory?: string | undefined;
  /** Time of the change that is to come: `template_category_update`. */
  categoryUpdateTime?: Date | undefined;
  /** `GREEN`, `YELLOW`, `RED` or `UNKNOWN`: `message_template_quality_update`. */
  previousQualityScore?: string | undefined;
  /** `GREEN`, `YELLOW`, `RED` or `UNKNOWN`: `message_template_quality_update`. */
  newQualityScore?: string | undefined;
  /** The texts: `message_template_components_update`. */
  components?: WhatsAppTemplateComponents | undefined;
  /** Error found, when it is rejected with `INVALID_FORMAT`. */
  rejectionReason?: string | undefined;
  /** Advice of Meta, when it is rejected with `INVALID_FORMAT`. */
  recommendation?: string | undefined;
  /** Day or time of disabling, as sent: Unix seconds, or a text such as `January 31, 2021`. */
  disableDate?: string | undefined;
  /** `FIRST_PAUSE`, `SECOND_PAUSE`, `RATE_LIMITING_PAUSE`, `UNPAUSE`, `DISABLED`: pauses and locks; open. */
  title?: string | undefined;
  /** Explanation of the title, in English: pauses and locks. */
  description?: string | undefined;
}

/** A WhatsApp Business account, and those who share it. */
export interface WhatsAppAccountInfo {
  /** The account: the customer's, in changes about partners. */
  accountId?: string | undefined;
  /** The business portfolio that owns it. */
  ownerBusinessId?: string | undefined;
  /** The app of the partner: `PARTNER_APP_INSTALLED` and `PARTNER_APP_UNINSTALLED`. */
  partnerAppId?: string | undefined;
  /** The solution of several partners. */
  solutionId?: string | undefined;
  /** Business portfolios of the solution's partners. */
  solutionPartnerBusinessIds: string[];
  /** The advertising account: `AD_ACCOUNT_LINKED`. */
  adAccountId?: string | undefined;
}

/** A restriction of an account or a number. */
export interface WhatsAppRestriction {
  /** `RESTRICTED_BIZ_INITIATED_MESSAGING`, `RESTRICTED_ADD_PHONE_NUMBER_ACTION`, …: open. */
  type?: string | undefined;
  /** Its end. */
  expiration?: Date | undefined;
  /** Advice of Meta, in English. */
  remediation?: string | undefined;
}

/** A violation of a policy. */
export interface WhatsAppViolation {
  /** `ADULT`, `SCAM`, `SPAM`, `USER_INITIATED_CALLS_LOW_PICKUP_RATE`, …: open. */
  type?: string | undefined;
  /** Advice of Meta, in English. */
  remediation?: string | undefined;
}

/** State of a ban. */
export interface WhatsAppBan {
  /** `SCHEDULE_FOR_DISABLE`, `DISABLE` or `REINSTATE`: open. */
  state?: string | undefined;
  /** The day as Meta writes it, such as `January 31, 2021`. */
  date?: string | undefined;
}

/** End of a connection of the WhatsApp Business app with the Cloud API. */
export interface WhatsAppDisconnection {
  /** `PRIMARY_INACTIVITY`, `COMPANION_INACTIVITY`, `CHANGE_NUMBER`, `BUSINESS_DOWNGRADE`, …: open. */
  reason?: string | undefined;
  /** `SYSTEM` or `USER`. */
  initiatedBy?: string | undefined;
}

/** Verification of a customer's business, led by a partner. */
export interface WhatsAppPartnerCertification {
  /** The customer's business portfolio. */
  clientBusinessId?: string | undefined;
  /** `PENDING`, `APPROVED`, `FAILED`, `DISCARDED`, `REVOKED`: open; absent if it is yet to be asked for. */
  status?: string | undefined;
  /** Reasons, such as `LEGAL NAME NOT MATCHING`; `NONE` if there is none. */
  rejectionReasons: string[];
}

/** Time from which a country has the rate for international authentication messages. */
export interface WhatsAppRateCountry {
  /** The country, such as `ID`. */
  countryCode?: string | undefined;
  /** The time. */
  startTime?: Date | undefined;
}

/** Start of the rate for international authentication messages. */
export interface WhatsAppRateEligibility {
  /** The time, for all countries without one of their own. */
  startTime?: Date | undefined;
  /** Countries with a time of their own. */
  exceptionCountries: WhatsAppRateCountry[];
}

/** Tier of a price that falls with the number of messages. */
export interface WhatsAppPricingTier {
  /** Least and most messages, such as `25000001:50000000`. */
  tier?: string | undefined;
  /** The category, such as `UTILITY`. */
  pricingCategory?: string | undefined;
  /** The country or region, such as `India`. */
  region?: string | undefined;
  /** The month, such as `2025-11`. */
  effectiveMonth?: string | undefined;
  /** Time of the change. If Meta sends several notifications for one, that with the earliest time counts. */
  updateTime?: Date | undefined;
}

/** An alert about an account, a number or a portfolio: `account_alerts`. */
export interface WhatsAppAlert {
  /** `INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED`, `OBA_APPROVED`, `PROFILE_PICTURE_LOST`, …: open. */
  type?: string | undefined;
  /** `CRITICAL`, `WARNING` or `INFORMATIONAL`: open. */
  severity?: string | undefined;
  /** `ACTIVE` or `NONE`: open. */
  status?: string | undefined;
  /** The alert in English. */
  description?: string | undefined;
  /** `BUSINESS`, `PHONE_NUMBER`, …: open. */
  entityType?: string | undefined;
  /** The portfolio or number that it is about. */
  entityId?: string | undefined;
}

/** Limits of a number, an account or a portfolio. Meta sends tiers, such as `TIER_2K`, or numbers; -1 is no limit. */
export interface WhatsAppLimits {
  /** Most conversations a day that the portfolio may begin: since version 24. */
  maxDailyConversationsPerBusiness?: string | undefined;
  /** Most conversations a day that a number may begin: before version 24. */
  maxDailyConversationPerPhone?: string | undefined;
  /** Most numbers of the portfolio. */
  maxPhoneNumbersPerBusiness?: number | undefined;
  /** Most numbers of the account. */
  maxPhoneNumbersPerAccount?: number | undefined;
  /** Tier after the change: `phone_number_quality_update`, before February 2026. */
  currentLimit?: string | undefined;
  /** Tier before the change: `phone_number_quality_update`, before February 2026. */
  oldLimit?: string | undefined;
}

/** Configuration of payments: `payment_configuration_update`. */
export interface WhatsAppPaymentConfiguration {
  /** Its name, as in messages with order details. */
  name?: string | undefined;
  /** The gateway, such as `razorpay`. */
  providerName?: string | undefined;
  /** The merchant's account at the gateway. */
  providerMid?: string | undefined;
  /** Time of making. */
  createdTime?: Date | undefined;
  /** Time of the last change. */
  updatedTime?: Date | undefined;
}

/** Change of a person's business-scoped user id: `user_id_update`. */
export interface WhatsAppUserIdChange {
  /** The person, with the new ids. */
  user: WhatsAppSender;
  /** The user id before. */
  previousUserId?: string | undefined;
  /** The user id within the parent business portfolio before. */
  previousParentUserId?: string | undefined;
  /** A description in English. */
  detail?: string | undefined;
}

/**
 * A change of the account, its numbers, its partners or its portfolio. The member `field` says what changed:
 * `account_update`, `account_alerts`, `account_review_update`, `business_capability_update`,
 * `phone_number_name_update`, `phone_number_quality_update`, `business_username_updates` (also in the spellings
 * `business_username_update` and `phone_number_username_update`), `partner_solutions`, `payment_configuration_update`,
 * `security` and `user_id_update`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppAccountUpdate extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "account";
  /**
   * The event, as sent: `ACCOUNT_VIOLATION`, `ACCOUNT_RESTRICTION`, `DISABLED_UPDATE`, `PARTNER_ADDED`, … of
   * `account_update`; `PIN_CHANGED`, … of `security`; `SOLUTION_CREATED`, … of `partner_solutions`;
   * `THROUGHPUT_UPGRADE`, … of `phone_number_quality_update`. Open; absent with other fields.
   */
  event?: string | undefined;
  /** `APPROVED`, `REJECTED`, `PENDING` or `DEFERRED`: `account_review_update` and `phone_number_name_update`; open. */
  decision?: string | undefined;
  /**
   * `approved`, `reserved` or `deleted` of usernames; `ACTIVE`, `INITIATED`, … of `partner_solutions`; `Active`,
   * `Needs Connecting` or `Needs Testing` of `payment_configuration_update`. Open.
   */
  status?: string | undefined;
  /** The violation: `ACCOUNT_VIOLATION`. */
  violation?: WhatsAppViolation | undefined;
  /** Restrictions: `ACCOUNT_RESTRICTION`. */
  restrictions?: WhatsAppRestriction[] | undefined;
  /** The ban: `DISABLED_UPDATE`. */
  ban?: WhatsAppBan | undefined;
  /** The account: `PARTNER_ADDED`, `PARTNER_REMOVED`, `AD_ACCOUNT_LINKED`, `MM_LITE_TERMS_SIGNED`, … */
  account?: WhatsAppAccountInfo | undefined;
  /** The end of a connection: `PARTNER_REMOVED` of a number that the WhatsApp Business app uses too. */
  disconnection?: WhatsAppDisconnection | undefined;
  /** The verification: `PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE` and `PARTNER_CLIENT_CERTIFICATION_NEEDED`. */
  partnerCertification?: WhatsAppPartnerCertification | undefined;
  /** The start of a rate: `AUTH_INTL_PRICE_ELIGIBILITY_UPDATE`. */
  rateEligibility?: WhatsAppRateEligibility | undefined;
  /** The tier of a price: `VOLUME_BASED_PRICING_TIER_UPDATE`. */
  pricingTier?: WhatsAppPricingTier | undefined;
  /** The country of the business, such as `IN`: `BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE`. */
  country?: string | undefined;
  /** The alert: `account_alerts`. */
  alert?: WhatsAppAlert | undefined;
  /** The limits: `business_capability_update` and `phone_number_quality_update`. */
  limits?: WhatsAppLimits | undefined;
  /** The name that was asked for: `phone_number_name_update`. */
  requestedVerifiedName?: string | undefined;
  /** Reason of a refusal, such as `NAME_FORMAT_UNACCEPTABLE`: `phone_number_name_update`. */
  rejectionReason?: string | undefined;
  /** The username of the business, without a leading `@`: usernames; absent after `deleted`. */
  username?: string | undefined;
  /** The user who asked to turn the PIN off: `security`. */
  requester?: string | undefined;
  /** The solution of several partners: `partner_solutions`. */
  solutionId?: string | undefined;
  /** The configuration: `payment_configuration_update`. */
  paymentConfiguration?: WhatsAppPaymentConfiguration | undefined;
  /** The person and the ids: `user_id_update`. */
  userIdChange?: WhatsAppUserIdChange | undefined;
}

/** A kind of error of a flow, and its share. */
export interface WhatsAppFlowError {
  /** `INVALID_SCREEN_TRANSITION`, `TIMEOUT`, …: open. */
  type?: string | undefined;
  /** Its share of the errors, in percent. */
  rate?: number | undefined;
  /** Number of times. */
  count?: number | undefined;
}

/**
 * A change of a flow's status, or an alert about it: webhook field `flows`.
 *
 * Also from {@linkcode WhatsAppRecordBase}: `field`, `accountId`, `phoneNumberId`, `displayPhoneNumber`, `timestamp`,
 * `entryTime`, `raw`.
 */
export interface WhatsAppFlowEvent extends WhatsAppRecordBase {
  /** Kind of record. */
  kind: "flow";
  /** The flow; "" if Meta gave none. */
  flowId: string;
  /**
   * `FLOW_STATUS_CHANGE`, `CLIENT_ERROR_RATE`, `ENDPOINT_ERROR_RATE`, `ENDPOINT_LATENCY`, `ENDPOINT_AVAILABILITY`,
   * `FLOW_VERSION_EXPIRY_WARNING`: open; "" if Meta gave none.
   */
  event: string;
  /** The event in English. */
  message?: string | undefined;
  /** The warning in English: `FLOW_VERSION_EXPIRY_WARNING`. */
  warning?: string | undefined;
  /** `DRAFT`, `PUBLISHED`, `DEPRECATED`, `BLOCKED` or `THROTTLED`: `FLOW_STATUS_CHANGE`; open. */
  oldStatus?: string | undefined;
  /** `DRAFT`, `PUBLISHED`, `DEPRECATED`, `BLOCKED` or `THROTTLED`: `FLOW_STATUS_CHANGE`; open. */
  newStatus?: string | undefined;
  /** Reason of a status, if Meta gives one. */
  reason?: string | undefined;
  /** `ACTIVATED` when the threshold is reached, `DEACTIVATED` when it no longer is: alerts. */
  alertState?: string | undefined;
  /** The threshold: percent for rates and availability, ms for latencies. */
  threshold?: number | undefined;
  /** Share of requests that failed, in percent: `CLIENT_ERROR_RATE`, `ENDPOINT_ERROR_RATE`. */
  errorRate?: number | undefined;
  /** Number of requests that were counted. */
  requestsCount?: number | undefined;
  /** Median of the latency, in ms: `ENDPOINT_LATENCY`. */
  p50Latency?: number | undefined;
  /** Latency of the slowest tenth, in ms: `ENDPOINT_LATENCY`. */
  p90Latency?: number | undefined;
  /** Share of requests that were answered, in percent: `ENDPOINT_AVAILABILITY`. */
  availability?: number | undefined;
  /** Errors by kind: `CLIENT_ERROR_RATE`, `ENDPOINT_ERROR_RATE`. */
  errors: WhatsAppFlowError[];
}
