/**
 * A business phone number: facts about it, its callback, registration, and settings.
 *
 * Facts: Meta's pages "Business phone numbers", "Registration", "Two-step verification", "Webhook overrides" (2026).
 *
 * @module
 */

import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSuccess } from "./answers.ts";
import { assertDigits, assertFields, assertLength, assertPageSize } from "./argument_checks.ts";
import { type GraphClient, pathOf } from "./graph.ts";
import { boolean, type JsonObject, object, pick, text, withoutUndefined } from "./json.ts";
import {
  type PhoneNumberSettings,
  type PhoneNumberSettingsChanges,
  readSettings,
  settingsBody,
} from "./phone_number_settings.ts";
import { CALL_OPTIONS, type CallbackOptions, callbackOverride, type CallOptions } from "./subscriptions.ts";

/** URLs that webhooks of a number go to: Meta takes the first of the three that is set. */
export interface PhoneNumberCallbacks {
  /** The URL of the number. */
  phoneNumber?: string | undefined;
  /** The URL of the account. */
  account?: string | undefined;
  /** The URL of the app. */
  app?: string | undefined;
}

/** A business phone number. Members that Meta leaves out, or that were not asked for, are absent. */
export interface PhoneNumberInfo {
  /** Its id. */
  id: string;
  /** The number as people write it. */
  displayPhoneNumber?: string | undefined;
  /** The display name. */
  verifiedName?: string | undefined;
  /** Its state: `CONNECTED` sends and receives; `PENDING`, `FLAGGED`, `RESTRICTED`, `BANNED`, … do less. */
  status?: string | undefined;
  /** Review of the display name: `APPROVED`, `PENDING_REVIEW`, `DECLINED`, … */
  nameStatus?: string | undefined;
  /** Quality of its messages: `GREEN`, `YELLOW`, `RED`, `UNKNOWN`. */
  qualityRating?: string | undefined;
  /** Verification by code: only a `VERIFIED` number can be registered. */
  codeVerificationStatus?: string | undefined;
  /** `CLOUD_API`; `NOT_APPLICABLE` for a number that is not registered. */
  platformType?: string | undefined;
  /** Level of messages in a second: `STANDARD` (80), `HIGH` (1000). */
  throughput?: string | undefined;
  /** Customers that the portfolio may write to first in 24 hours: `TIER_250`, `TIER_2K`, …, `TIER_UNLIMITED`. */
  messagingLimit?: string | undefined;
  /** `LIVE` or `SANDBOX`. */
  accountMode?: string | undefined;
  /** Time at which it was added, as Meta writes it. */
  lastOnboardedTime?: string | undefined;
  /** `true` if it has an Official Business Account. */
  isOfficialBusinessAccount?: boolean | undefined;
  /** `true` if it has a PIN. */
  isPinEnabled?: boolean | undefined;
  /** `true` if the WhatsApp Business app uses it too. */
  isOnBusinessApp?: boolean | undefined;
  /** URLs that its webhooks go to. */
  callbacks?: PhoneNumberCallbacks | undefined;
  /** The number as Meta sent it, with all fields that were asked for. */
  raw: JsonObject;
}

/** Options of reading a number. */
export interface PhoneNumberInfoOptions {
  /**
   * Names of fields, as the Graph API has them; without this option, those that the result has names for. Versions
   * before v24.0 do not know `whatsapp_business_manager_messaging_limit`: name the fields there.
   * @default {undefined}
   */
  fields?: readonly string[] | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of reading the numbers of an account.
 *
 * Also from {@linkcode PhoneNumberInfoOptions}:
 * - `fields` (default `undefined`): Names of fields, as the Graph API has them; without this option, those that the
 *   result has names for.
 * - `signal`: Aborts the call.
 */
export interface PhoneNumberListOptions extends PhoneNumberInfoOptions {
  /**
   * Number of entries in one answer.
   * @default {undefined}
   */
  pageSize?: number | undefined;
}

/** Options of a registration. */
export interface RegisterOptions {
  /**
   * Country in which Meta keeps messages at rest, such as `CH`.
   * @default {undefined}
   */
  dataLocalizationRegion?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of asking for a code. */
export interface RequestCodeOptions {
  /**
   * The way it comes: as a text message, or by a call.
   * @default {"SMS"}
   */
  method?: "SMS" | "VOICE" | (string & Record<never, never>) | undefined;
  /**
   * Its language, such as `en_US`.
   * @default {"en_US"}
   */
  language?: string | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of reading the settings of a number. */
export interface PhoneNumberSettingsOptions {
  /**
   * Have the passwords of SIP in the answer, which wants more permissions.
   * @default {false}
   */
  sipCredentials?: boolean | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Names of texts of a number, by the names here. */
const TEXTS = {
  displayPhoneNumber: "display_phone_number",
  verifiedName: "verified_name",
  status: "status",
  nameStatus: "name_status",
  qualityRating: "quality_rating",
  codeVerificationStatus: "code_verification_status",
  platformType: "platform_type",
  messagingLimit: "whatsapp_business_manager_messaging_limit",
  accountMode: "account_mode",
  lastOnboardedTime: "last_onboarded_time",
} as const;
const OTHER_FIELDS = ["throughput", "is_official_business_account", "is_pin_enabled", "is_on_biz_app"];
const FIELDS: readonly string[] = ["id", ...Object.values(TEXTS), ...OTHER_FIELDS, "webhook_configuration"];

const PIN_DIGITS = 6;
/** No limit is documented. */
const MAX_NAME = 512;
/** Least and greatest length of a language with or without a country. */
const LANGUAGE = { min: 2, max: 16 } as const;

const INFO_NAMES: OptionTable<PhoneNumberInfoOptions> = { fields: true, signal: true };
const INFO_OPTIONS = /* @__PURE__ */ new OptionNames("phoneNumber.info", {
  tables: [INFO_NAMES],
  example: () => '{ fields: ["status"] }',
});
const LIST_NAMES: OptionTable<PhoneNumberListOptions> = { ...INFO_NAMES, pageSize: true };
const LIST_OPTIONS = /* @__PURE__ */ new OptionNames("phoneNumber.list", {
  tables: [LIST_NAMES],
  hints: { limit: 'use "pageSize"' },
});
const REGISTER_NAMES: OptionTable<RegisterOptions> = { dataLocalizationRegion: true, signal: true };
const REGISTER_OPTIONS = /* @__PURE__ */ new OptionNames("phoneNumber.register", {
  tables: [REGISTER_NAMES],
  hints: { data_localization_region: 'use "dataLocalizationRegion"', region: 'use "dataLocalizationRegion"' },
  example: () => '{ dataLocalizationRegion: "CH" }',
});
const CODE_NAMES: OptionTable<RequestCodeOptions> = { method: true, language: true, signal: true };
const CODE_OPTIONS = /* @__PURE__ */ new OptionNames("phoneNumber.requestCode", {
  tables: [CODE_NAMES],
  hints: { code_method: 'use "method"', locale: 'use "language"' },
  example: () => '{ method: "VOICE", language: "en_US" }',
});
const SETTINGS_NAMES: OptionTable<PhoneNumberSettingsOptions> = { sipCredentials: true, signal: true };
const SETTINGS_OPTIONS = /* @__PURE__ */ new OptionNames("phoneNumber.settings", {
  tables: [SETTINGS_NAMES],
  hints: { include_sip_credentials: 'use "sipCredentials"' },
});

/**
 * The business phone number of a {@linkcode WhatsAppApi}: its `phoneNumber`.
 *
 * @example Ready to send?
 * ```ts
 * import { WhatsAppApi } from "@tackline/websocket/whatsapp";
 *
 * export async function isReady(api: WhatsAppApi) {
 *   const { status, qualityRating, callbacks } = await api.phoneNumber.info();
 *   console.log(qualityRating, callbacks?.phoneNumber ?? callbacks?.account ?? callbacks?.app);
 *   return status === "CONNECTED";
 * }
 * ```
 */
export class WhatsAppPhoneNumber {
  readonly #graph: GraphClient;

  /**
   * Begins without a call. Programs use the one of {@linkcode WhatsAppApi}.
   *
   * @param graph The calls.
   */
  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  // ---- Facts ---------------------------------------------------------------------------------------------------

  /**
   * Reads facts about the number.
   *
   * @param options Fields, signal.
   * @returns The number.
   * @throws {OptionError} If an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async info(options: PhoneNumberInfoOptions = {}): Promise<PhoneNumberInfo> {
    INFO_OPTIONS.assert(options);
    const { fields = FIELDS, signal } = options;
    assertFields(fields);
    return readInfo(await this.#graph.get(this.#path(), { query: { fields: fields.join(",") }, signal }));
  }

  /**
   * Reads the numbers of the account page by page, as they are iterated, the newest first.
   *
   * @param options Fields, size of a page, signal.
   * @returns The numbers.
   * @throws {OptionError} If an option is not allowed, or `accountId` is missing.
   * @throws {WhatsAppApiError} If the API refuses a page.
   */
  list(options: PhoneNumberListOptions = {}): AsyncIterable<PhoneNumberInfo> {
    LIST_OPTIONS.assert(options);
    const { fields = FIELDS, pageSize, signal } = options;
    assertFields(fields);
    assertPageSize(pageSize);
    const path = pathOf("accountId", this.#graph.accountId, "phone_numbers");
    return this.#list(path, { query: { fields: fields.join(","), limit: pageSize }, signal });
  }

  async *#list(path: string, call: Parameters<GraphClient["pages"]>[1]): AsyncGenerator<PhoneNumberInfo, void, void> {
    for await (const raw of this.#graph.pages(path, call)) yield readInfo(raw);
  }

  // ---- Callback ------------------------------------------------------------------------------------------------

  /**
   * Has the webhooks of this number posted to another URL than those of its account and the app: messages, calls,
   * groups, echoes, history and hand-overs. Those about templates and the account still go to the URL of the app.
   *
   * @param options URL and token.
   * @throws {OptionError} If the URL is not allowed, or the token is missing.
   * @throws {WhatsAppApiError} If the API refuses it: the app must be subscribed, and the server answer the challenge.
   */
  async setCallback(options: CallbackOptions): Promise<void> {
    const json = { webhook_configuration: callbackOverride(options) };
    await this.#post(undefined, json, options, "set the callback");
  }

  /**
   * Removes the URL of the number: webhooks go to that of the account, else to that of the app.
   *
   * @param options A signal.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async removeCallback(options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    const json = { webhook_configuration: { override_callback_uri: "" } };
    await this.#post(undefined, json, options, "remove the callback");
  }

  // ---- Registration --------------------------------------------------------------------------------------------

  /**
   * Registers the number, which must be verified, for the Cloud API. Meta allows 10 attempts in 72 hours (133016).
   *
   * @param pin Its PIN of six digits, or the one that it shall have.
   * @param options Region of the storage, signal.
   * @throws {OptionError} If the PIN has another form. The error does not show it.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async register(pin: string, options: RegisterOptions = {}): Promise<void> {
    REGISTER_OPTIONS.assert(options);
    assertDigits("PIN", pin, PIN_DIGITS);
    const { dataLocalizationRegion } = options;
    if (dataLocalizationRegion !== undefined) {
      assertLength("dataLocalizationRegion", dataLocalizationRegion, { min: 2, max: 2 });
    }
    const json = { messaging_product: "whatsapp", pin, data_localization_region: dataLocalizationRegion };
    await this.#post("register", json, options, "register the number");
  }

  /**
   * Ends the registration: the number sends and receives no more. A number that the WhatsApp Business app uses too is
   * refused.
   *
   * @param options A signal.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async deregister(options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    await this.#post("deregister", undefined, options, "deregister the number");
  }

  /**
   * Has Meta send a code to the number, which proves that it belongs to the business.
   *
   * @param options The way it comes, its language, signal.
   * @throws {OptionError} If an option is not allowed.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async requestCode(options: RequestCodeOptions = {}): Promise<void> {
    CODE_OPTIONS.assert(options);
    const { method = "SMS", language = "en_US" } = options;
    assertLength("method", method, { min: 1, max: 32 });
    assertLength("language", language, LANGUAGE);
    await this.#post("request_code", { code_method: method, language }, options, "request a code");
  }

  /**
   * Shows the code that came.
   *
   * @param code The code: digits; hyphens and spaces between them are left out.
   * @param options A signal.
   * @throws {OptionError} If it has another form. The error does not show it.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async verifyCode(code: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    const digits: unknown = typeof code === "string" ? code.replaceAll("-", "").replaceAll(" ", "") : code;
    assertDigits("code", digits);
    await this.#post("verify_code", { code: digits }, options, "verify the code");
  }

  /**
   * Sets the PIN of two-step verification. No call switches it off again.
   *
   * @param pin Six digits.
   * @param options A signal.
   * @throws {OptionError} If it has another form. The error does not show it.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async setPin(pin: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertDigits("PIN", pin, PIN_DIGITS);
    await this.#post(undefined, { pin }, options, "set the PIN");
  }

  /**
   * Asks for another display name, which Meta reviews: `new_name_status` tells how far it is.
   *
   * @param name The name.
   * @param options A signal.
   * @throws {OptionError} If it is empty, or too long.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async requestDisplayName(name: string, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    assertLength("name", name, { min: 1, max: MAX_NAME });
    await this.#post(undefined, { new_display_name: name }, options, "request the display name");
  }

  // ---- Settings ------------------------------------------------------------------------------------------------

  /**
   * Reads the settings.
   *
   * @param options Passwords of SIP, signal.
   * @returns The settings.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async settings(options: PhoneNumberSettingsOptions = {}): Promise<PhoneNumberSettings> {
    SETTINGS_OPTIONS.assert(options);
    const query = { include_sip_credentials: options.sipCredentials ? "true" : undefined };
    return readSettings(await this.#graph.get(this.#path("settings"), { query, signal: options.signal }));
  }

  /**
   * Changes settings.
   *
   * @param changes The settings that change, such as `{ calling: { status: "ENABLED" } }`.
   * @param options A signal.
   * @throws {OptionError} If there is none, or one is not known.
   * @throws {WhatsAppApiError} If the API refuses it.
   */
  async updateSettings(changes: PhoneNumberSettingsChanges, options: CallOptions = {}): Promise<void> {
    CALL_OPTIONS.assert(options);
    await this.#post("settings", settingsBody(changes), options, "change the settings");
  }

  async #post(
    edge: string | undefined,
    json: JsonObject | undefined,
    { signal }: CallOptions,
    call: string,
  ): Promise<void> {
    assertSuccess(await this.#graph.post(this.#path(edge), { json, signal }), call);
  }

  #path(edge?: string): string {
    return pathOf("phoneNumberId", this.#graph.phoneNumberId, edge);
  }
}

function readInfo(raw: JsonObject): PhoneNumberInfo {
  const callbacks = object(raw, "webhook_configuration");
  return withoutUndefined({
    id: text(raw, "id") ?? "",
    ...pick(raw, TEXTS),
    throughput: text(object(raw, "throughput") ?? {}, "level"),
    isOfficialBusinessAccount: boolean(raw, "is_official_business_account"),
    isPinEnabled: boolean(raw, "is_pin_enabled"),
    isOnBusinessApp: boolean(raw, "is_on_biz_app"),
    callbacks: callbacks === undefined ? undefined : pick(callbacks, {
      phoneNumber: "phone_number",
      account: "whatsapp_business_account",
      app: "application",
    }),
    raw,
  });
}
