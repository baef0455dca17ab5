/** Calls around the account: subscriptions, number, profile, block list, QR codes, conversations. */

import { collect, type GraphCase } from "../graph.ts";

const CALLBACK = { callbackUrl: "https://hooks.example.com/wa", verifyToken: "verify" };
const OVERRIDE = { override_callback_uri: "https://hooks.example.com/wa", verify_token: "verify" };
const USER = "US.13491208655302741918";
const INFO_FIELDS = "id,display_phone_number,verified_name,status,name_status,quality_rating," +
  "code_verification_status,platform_type,whatsapp_business_manager_messaging_limit,account_mode," +
  "last_onboarded_time,throughput,is_official_business_account,is_pin_enabled,is_on_biz_app,webhook_configuration";

const APP = { whatsapp_business_api_data: { id: "77", name: "Bot", link: "https://example.com/77" } };
const APP_WITH_CALLBACK = { ...APP, override_callback_uri: "https://hooks.example.com/wa" };
const WEBHOOK = {
  object: "whatsapp_business_account",
  callback_url: "https://hooks.example.com/wa",
  active: true,
  fields: [{ name: "messages", version: "v26.0" }, { name: "calls", version: "v26.0" }],
};
const NUMBER = {
  id: "1065",
  display_phone_number: "+1 555-078-3881",
  verified_name: "Shop",
  status: "CONNECTED",
  name_status: "APPROVED",
  quality_rating: "GREEN",
  code_verification_status: "VERIFIED",
  platform_type: "CLOUD_API",
  throughput: { level: "STANDARD" },
  whatsapp_business_manager_messaging_limit: "TIER_2K",
  account_mode: "LIVE",
  last_onboarded_time: "2026-01-10T08:30:00+0000",
  is_official_business_account: false,
  is_pin_enabled: true,
  is_on_biz_app: false,
  webhook_configuration: { phone_number: "https://p.example.com/", application: "https://a.example.com/" },
};
const NUMBER_RESULT = {
  id: "1065",
  displayPhoneNumber: "+1 555-078-3881",
  verifiedName: "Shop",
  status: "CONNECTED",
  nameStatus: "APPROVED",
  qualityRating: "GREEN",
  codeVerificationStatus: "VERIFIED",
  platformType: "CLOUD_API",
  throughput: "STANDARD",
  messagingLimit: "TIER_2K",
  accountMode: "LIVE",
  lastOnboardedTime: "2026-01-10T08:30:00+0000",
  isOfficialBusinessAccount: false,
  isPinEnabled: true,
  isOnBusinessApp: false,
  callbacks: { phoneNumber: "https://p.example.com/", app: "https://a.example.com/" },
  raw: NUMBER,
};
const SETTINGS = {
  calling: { status: "ENABLED", call_icon_visibility: "DEFAULT", ip_addresses: { default: ["192.0.2.1"] } },
  storage_configuration: { status: "DEFAULT" },
};
const PROFILE = {
  about: "Open from 9 to 17",
  address: "1 Main Street",
  description: "A shop",
  email: "shop@example.com",
  messaging_product: "whatsapp",
  profile_picture_url: "https://example.com/picture",
  websites: ["https://example.com/"],
  vertical: "RETAIL",
};
const USERNAME = { username: "shop_one", status: "approved" };
const COMPONENTS = {
  enable_welcome_message: false,
  prompts: ["Book a table"],
  commands: [{ command_name: "book", command_description: "Book a table" }],
};
const ADDED = { input: "+4917012345", wa_id: "4917012345" };
const BY_ID = { input: USER, user_id: USER };
const FAILED = {
  input: "+4917099999",
  errors: [{ message: "Re-engagement required", code: 131047, error_data: { details: "24 hours" } }],
};
const QR_CODE = {
  code: "4O4YGZEG3RIVE1",
  prefilled_message: "Hi",
  deep_link_url: "https://wa.me/message/4O4YGZEG3RIVE1",
};
const QR_CODE_RESULT = {
  code: "4O4YGZEG3RIVE1",
  message: "Hi",
  url: "https://wa.me/message/4O4YGZEG3RIVE1",
  raw: QR_CODE,
};
const WITH_IMAGE = { ...QR_CODE, qr_image_url: "https://example.com/qr.svg" };
const CONTROLLED = { messaging_product: "whatsapp", request_id: "R1" };
const EVENT = {
  id: "23",
  delivery_status: "DELIVERED",
  timestamp: 1790416800,
  webhook_update_state: "FAILED",
  application: { id: "77" },
  webhook_uri: "https://hooks.example.com/wa",
  error_description: "503",
};
const HISTORY = { id: "12", message_id: "wamid.SENT", events: { data: [EVENT] } };

/** Errors of registrations: attempts, PIN, verification, deletion under way. */
const REGISTRATION_ERRORS = [[400, 133005], [400, 133006], [400, 133008], [400, 133009], [400, 133010], [400, 133015], [
  400,
  133016,
]] as const;
const BLOCK_ERRORS = [[400, 139100], [400, 139101], [400, 131021], [400, 131047]] as const;

/** The cases. */
export const CASES: readonly GraphCase[] = [
  {
    method: "subscribeApp",
    call: (api, options) => api.subscribeApp({ ...CALLBACK, ...options }),
    request: "POST /1022/subscribed_apps",
    body: OVERRIDE,
    answer: { success: true, data: [APP_WITH_CALLBACK] },
    errors: [[400, 2200], [404, 803]],
  },
  {
    method: "subscribedApps",
    call: (api, options) => api.subscribedApps(options),
    request: "GET /1022/subscribed_apps",
    answer: { data: [APP, APP_WITH_CALLBACK] },
    result: [
      { id: "77", name: "Bot", link: "https://example.com/77", raw: APP },
      {
        id: "77",
        name: "Bot",
        link: "https://example.com/77",
        callbackUrl: "https://hooks.example.com/wa",
        raw: APP_WITH_CALLBACK,
      },
    ],
    errors: [[404, 803]],
  },
  {
    method: "unsubscribeApp",
    call: (api, options) => api.unsubscribeApp(options),
    request: "DELETE /1022/subscribed_apps",
    errors: [[404, 803]],
  },
  {
    method: "subscribeWebhook",
    call: (api, options) => api.subscribeWebhook("77", { ...CALLBACK, fields: ["messages", "calls"], ...options }),
    request: "POST /77/subscriptions",
    body: {
      object: "whatsapp_business_account",
      callback_url: "https://hooks.example.com/wa",
      verify_token: "verify",
      fields: "messages,calls",
      include_values: true,
    },
    answer: { success: "true" },
    errors: [[400, 2200]],
  },
  {
    method: "webhookSubscriptions",
    call: (api, options) => api.webhookSubscriptions("77", options),
    request: "GET /77/subscriptions",
    answer: { data: [WEBHOOK] },
    result: [{
      object: "whatsapp_business_account",
      callbackUrl: "https://hooks.example.com/wa",
      active: true,
      fields: ["messages", "calls"],
      raw: WEBHOOK,
    }],
  },
  {
    method: "phoneNumber.info",
    call: (api, options) => api.phoneNumber.info(options),
    request: `GET /1065?fields=${encodeURIComponent(INFO_FIELDS)}`,
    answer: NUMBER,
    result: NUMBER_RESULT,
    errors: [[404, 803]],
  },
  {
    method: "phoneNumber.list",
    call: (api, options) => collect(api.phoneNumber.list({ fields: ["status"], pageSize: 10, ...options })),
    request: "GET /1022/phone_numbers?fields=status&limit=10",
    answer: { data: [NUMBER, { id: "1066" }] },
    result: [NUMBER_RESULT, { id: "1066", raw: { id: "1066" } }],
    errors: [[404, 803]],
  },
  {
    method: "phoneNumber.setCallback",
    call: (api, options) => api.phoneNumber.setCallback({ ...CALLBACK, ...options }),
    request: "POST /1065",
    body: { webhook_configuration: OVERRIDE },
    errors: [[400, 2200]],
  },
  {
    method: "phoneNumber.removeCallback",
    call: (api, options) => api.phoneNumber.removeCallback(options),
    request: "POST /1065",
    body: { webhook_configuration: { override_callback_uri: "" } },
  },
  {
    method: "phoneNumber.register",
    call: (api, options) => api.phoneNumber.register("212834", { dataLocalizationRegion: "CH", ...options }),
    request: "POST /1065/register",
    body: { messaging_product: "whatsapp", pin: "212834", data_localization_region: "CH" },
    errors: REGISTRATION_ERRORS,
  },
  {
    method: "phoneNumber.deregister",
    call: (api, options) => api.phoneNumber.deregister(options),
    request: "POST /1065/deregister",
    errors: [[400, 133010], [400, 133016]],
  },
  {
    method: "phoneNumber.requestCode",
    call: (api, options) => api.phoneNumber.requestCode({ method: "VOICE", language: "de", ...options }),
    request: "POST /1065/request_code",
    body: { code_method: "VOICE", language: "de" },
    errors: [[400, 136024]],
  },
  {
    method: "phoneNumber.verifyCode",
    call: (api, options) => api.phoneNumber.verifyCode("139-281", options),
    request: "POST /1065/verify_code",
    body: { code: "139281" },
    errors: [[400, 136025]],
  },
  {
    method: "phoneNumber.setPin",
    call: (api, options) => api.phoneNumber.setPin("150954", options),
    request: "POST /1065",
    body: { pin: "150954" },
    errors: [[400, 133005], [400, 133008], [400, 133009]],
  },
  {
    method: "phoneNumber.requestDisplayName",
    call: (api, options) => api.phoneNumber.requestDisplayName("Lucky Shop", options),
    request: "POST /1065",
    body: { new_display_name: "Lucky Shop" },
  },
  {
    method: "phoneNumber.settings",
    call: (api, options) => api.phoneNumber.settings({ sipCredentials: true, ...options }),
    request: "GET /1065/settings?include_sip_credentials=true",
    answer: SETTINGS,
    result: {
      calling: { status: "ENABLED", callIconVisibility: "DEFAULT", ipAddresses: { default: ["192.0.2.1"] } },
      storageConfiguration: { status: "DEFAULT" },
      raw: SETTINGS,
    },
  },
  {
    method: "phoneNumber.updateSettings",
    call: (api, options) =>
      api.phoneNumber.updateSettings({
        calling: { status: "ENABLED", callIcons: { restrictToUserCountries: ["US"] } },
        userIdentityChange: { enableIdentityKeyCheck: true },
      }, options),
    request: "POST /1065/settings",
    body: {
      calling: { status: "ENABLED", call_icons: { restrict_to_user_countries: ["US"] } },
      user_identity_change: { enable_identity_key_check: true },
    },
    errors: [[400, 138018]],
  },
  {
    method: "businessProfile.get",
    call: (api, options) => api.businessProfile.get(options),
    request: "GET /1065/whatsapp_business_profile" +
      "?fields=about%2Caddress%2Cdescription%2Cemail%2Cprofile_picture_url%2Cwebsites%2Cvertical",
    answer: { data: [PROFILE] },
    result: {
      about: "Open from 9 to 17",
      address: "1 Main Street",
      description: "A shop",
      email: "shop@example.com",
      websites: ["https://example.com/"],
      vertical: "RETAIL",
      pictureUrl: "https://example.com/picture",
      raw: PROFILE,
    },
  },
  {
    method: "businessProfile.update",
    call: (api, options) =>
      api.businessProfile.update(
        { about: "Closed", websites: ["https://example.com/"], pictureHandle: "4::aW" },
        options,
      ),
    request: "POST /1065/whatsapp_business_profile",
    body: {
      messaging_product: "whatsapp",
      about: "Closed",
      websites: ["https://example.com/"],
      profile_picture_handle: "4::aW",
    },
  },
  {
    method: "username.get",
    call: (api, options) => api.username.get(options),
    request: "GET /1065/username",
    answer: USERNAME,
    result: { ...USERNAME, raw: USERNAME },
  },
  {
    method: "username.set",
    call: (api, options) => api.username.set("shop_one", { transfer: true, ...options }),
    request: "POST /1065/username",
    body: { username: "shop_one", transfer_action: "force_transfer" },
    answer: { status: "reserved" },
    result: { status: "reserved", raw: { status: "reserved" } },
    errors: [[400, 147005]],
  },
  { method: "username.delete", call: (api, options) => api.username.delete(options), request: "DELETE /1065/username" },
  {
    method: "username.suggestions",
    call: (api, options) => api.username.suggestions(options),
    request: "GET /1065/username_suggestions",
    answer: { data: [{ username_suggestions: ["shop_one", "shop.two"] }] },
    result: ["shop_one", "shop.two"],
  },
  {
    method: "conversationalComponents.get",
    call: (api, options) => api.conversationalComponents.get(options),
    request: "GET /1065?fields=conversational_automation",
    answer: { id: "1065", conversational_automation: COMPONENTS },
    result: {
      iceBreakers: ["Book a table"],
      commands: [{ name: "book", description: "Book a table" }],
      welcomeMessage: false,
      raw: COMPONENTS,
    },
  },
  {
    method: "conversationalComponents.set",
    call: (api, options) =>
      api.conversationalComponents.set({
        iceBreakers: ["Book a table"],
        commands: [{ name: "book", description: "Book a table" }],
      }, options),
    request: "POST /1065/conversational_automation",
    body: { prompts: COMPONENTS.prompts, commands: COMPONENTS.commands },
  },
  {
    method: "blockedUsers.list",
    call: (api, options) => collect(api.blockedUsers.list({ pageSize: 10, ...options })),
    request: "GET /1065/block_users?limit=10",
    answer: { data: [{ messaging_product: "whatsapp", wa_id: "4917012345" }, { wa_id: "", user_id: USER }] },
    result: [
      { phone: "4917012345", raw: { messaging_product: "whatsapp", wa_id: "4917012345" } },
      { userId: USER, raw: { wa_id: "", user_id: USER } },
    ],
    errors: [[400, 139102]],
  },
  {
    method: "blockedUsers.block",
    call: (api, options) => api.blockedUsers.block(["+49 170 12345", USER], options),
    request: "POST /1065/block_users",
    body: { messaging_product: "whatsapp", block_users: [{ user: "+4917012345" }, { user_id: USER }] },
    answer: { messaging_product: "whatsapp", block_users: { added_users: [ADDED, BY_ID] } },
    result: {
      changed: [{ input: "+4917012345", phone: "4917012345", raw: ADDED }, { input: USER, userId: USER, raw: BY_ID }],
      failed: [],
    },
    errors: BLOCK_ERRORS,
  },
  {
    method: "blockedUsers.unblock",
    call: (api, options) => api.blockedUsers.unblock("+4917012345", options),
    request: "DELETE /1065/block_users",
    body: { messaging_product: "whatsapp", block_users: [{ user: "+4917012345" }] },
    answer: { messaging_product: "whatsapp", block_users: { removed_users: [ADDED], failed_users: [FAILED] } },
    result: {
      changed: [{ input: "+4917012345", phone: "4917012345", raw: ADDED }],
      failed: [{
        input: "+4917099999",
        raw: FAILED,
        errors: [{ code: 131047, message: "Re-engagement required", details: "24 hours" }],
      }],
    },
    errors: BLOCK_ERRORS,
  },
  {
    method: "qrCodes.create",
    call: (api, options) => api.qrCodes.create("Hi", { image: "svg", ...options }),
    request: "POST /1065/message_qrdls",
    body: { prefilled_message: "Hi", generate_qr_image: "SVG" },
    answer: WITH_IMAGE,
    result: { ...QR_CODE_RESULT, imageUrl: "https://example.com/qr.svg", raw: WITH_IMAGE },
  },
  {
    method: "qrCodes.list",
    call: (api, options) => collect(api.qrCodes.list({ image: "png", pageSize: 5, ...options })),
    request: "GET /1065/message_qrdls" +
      "?fields=code%2Cprefilled_message%2Cdeep_link_url%2Cqr_image_url.format%28PNG%29&limit=5",
    answer: { data: [QR_CODE] },
    result: [QR_CODE_RESULT],
  },
  {
    method: "qrCodes.get",
    call: (api, options) => api.qrCodes.get("4O4YGZEG3RIVE1", options),
    request: "GET /1065/message_qrdls/4O4YGZEG3RIVE1",
    answer: { data: [QR_CODE] },
    result: QR_CODE_RESULT,
    errors: [[404, 803]],
  },
  {
    method: "qrCodes.update",
    call: (api, options) => api.qrCodes.update("4O4YGZEG3RIVE1", "Hi", options),
    request: "POST /1065/message_qrdls",
    body: { code: "4O4YGZEG3RIVE1", prefilled_message: "Hi" },
    answer: QR_CODE,
    result: QR_CODE_RESULT,
    errors: [[404, 803]],
  },
  {
    method: "qrCodes.delete",
    call: (api, options) => api.qrCodes.delete("4O4YGZEG3RIVE1", options),
    request: "DELETE /1065/message_qrdls/4O4YGZEG3RIVE1",
    errors: [[404, 803]],
  },
  {
    method: "conversation.pass",
    call: (api, options) => api.conversation.pass(USER, { to: "ai_agent", metadata: "refund", ...options }),
    request: "POST /1065/thread_control",
    body: {
      messaging_product: "whatsapp",
      recipient: USER,
      action: "pass",
      metadata: "refund",
      control_pass: { target_role: "ai_agent" },
    },
    answer: CONTROLLED,
    result: { requestId: "R1", raw: CONTROLLED },
  },
  {
    method: "conversation.take",
    call: (api, options) => api.conversation.take("+1 (555) 078-3881", { metadata: "a person", ...options }),
    request: "POST /1065/thread_control",
    body: { messaging_product: "whatsapp", to: "+15550783881", action: "take", metadata: "a person" },
    answer: CONTROLLED,
    result: { requestId: "R1", raw: CONTROLLED },
    errors: [[400, 2494191]],
  },
  {
    method: "conversation.release",
    call: (api, options) => api.conversation.release("15550783881", options),
    request: "POST /1065/thread_control",
    body: { messaging_product: "whatsapp", to: "15550783881", action: "release" },
    answer: { messaging_product: "whatsapp" },
    result: { raw: { messaging_product: "whatsapp" } },
  },
  {
    method: "conversation.messageHistory",
    call: (api, options) => collect(api.conversation.messageHistory("wamid.SENT", { pageSize: 10, ...options })),
    request: "GET /1065/message_history?message_id=wamid.SENT&fields=" +
      "id%2Cmessage_id%2Cevents%7Bid%2Cdelivery_status%2Ctimestamp%2Cwebhook_update_state%2Capplication%2C" +
      "webhook_uri%2Cerror_description%7D&limit=10",
    answer: { data: [HISTORY] },
    result: [{
      id: "12",
      messageId: "wamid.SENT",
      events: [{
        id: "23",
        status: "DELIVERED",
        timestamp: new Date(1790416800000),
        webhookState: "FAILED",
        webhookUrl: "https://hooks.example.com/wa",
        appId: "77",
        error: "503",
        raw: EVENT,
      }],
      raw: HISTORY,
    }],
    errors: [[404, 803]],
  },
];
