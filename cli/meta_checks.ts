/**
 * Checks of what Meta knows: the access token, the account, the number, the subscription of the app, the callback.
 *
 * @module
 */

import { isDigits } from "./api_access.ts";
import { explainApiError, problemLines } from "./api_remedies.ts";
import type { CheckName, SetupReport } from "./setup_report.ts";
import { numberFinding, numberNotes } from "./number_status.ts";
import { isObject, type JsonObject, list, number, object, text } from "../cloud_api/json.ts";
import { WhatsAppApi } from "../cloud_api/api.ts";
import type { PhoneNumberCallbacks, PhoneNumberInfo } from "../cloud_api/phone_number.ts";
import type { SubscribedApp, WebhookSubscription } from "../cloud_api/subscriptions.ts";
import type { WhatsAppApiOptions } from "../cloud_api/api_settings.ts";
import { WhatsAppApiError } from "../cloud_api/api_error.ts";
import { quote, redactUrl } from "../base/error_text.ts";

const SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"];
/** Number of accounts that are searched for the number. */
const MAX_ACCOUNTS = 10;
/** Number of numbers that are read, and named, of an account: 10 calls. */
const MAX_NUMBERS = 1000;
const MAX_NAMED = 5;
/** Time before the end of a token that is worth a note, in s: 30 days. */
const SOON = 30 * 86_400;
/** Latest time that a `Date` has, in ms. */
const MAX_TIME = 8.64e15;
const NEW_TOKEN =
  "Business settings > Users > System users > Generate token, with the expiry Never, and the permissions " +
  SCOPES.join(" and ");
const NUMBER_FIELDS = [
  ...["id", "display_phone_number", "verified_name", "name_status", "status", "quality_rating"],
  ...["code_verification_status", "platform_type", "account_mode", "webhook_configuration"],
];
const DASHBOARD = "App Dashboard > WhatsApp > Configuration > Webhook";
/** Codes for a wrong app secret: 1 "Error validating client secret", 190 "Invalid OAuth access token signature". */
const SECRET_CODES = [1, 101, 104, 190];

/** Access to Meta, and what the command line names. */
export interface MetaAccess {
  /** Options of the API: access token, URL, version. */
  readonly options: Omit<WhatsAppApiOptions, "phoneNumberId" | "accessToken"> & { accessToken: string };
  /** The id of the number, if it is known. */
  readonly phoneNumberId: string | undefined;
  /** The id of the account, if it is known. */
  readonly accountId: string | undefined;
  /** The app secret, if it is known. */
  readonly appSecret: string | undefined;
  /** Aborts the checks. */
  readonly signal: AbortSignal;
}

/** A number of an account. */
interface AccountNumber {
  readonly id: string;
  readonly shown: string;
}

/** Places at Meta that may name a callback URL. */
export type CallbackOwner = keyof PhoneNumberCallbacks;

/** Callback URL that Meta uses for the number. */
export interface MetaCallback {
  /** The URL. */
  readonly url: string;
  /** Place that names it. */
  readonly owner: CallbackOwner;
}

const OWNERS: Readonly<Record<CallbackOwner, string>> = {
  phoneNumber: "the override of the number",
  account: "the override of the account",
  app: "the URL of the app",
};
/** The first of these that names a URL counts. */
const OWNER_ORDER: readonly CallbackOwner[] = ["phoneNumber", "account", "app"];

/** Checks what Meta knows, and changes it where the command line asks for it. */
export class MetaChecks {
  readonly #access: MetaAccess;
  readonly #report: SetupReport;
  #api: WhatsAppApi;
  #appId: string | undefined;
  #appName: string | undefined;
  /** Accounts that the token may use. */
  #accountIds: string[] = [];
  #accountId: string | undefined;
  #numbers: AccountNumber[] = [];
  #callbacks: PhoneNumberCallbacks | undefined;

  /**
   * Begins without a check.
   *
   * @param access The access.
   * @param report Takes the findings.
   */
  constructor(access: MetaAccess, report: SetupReport) {
    this.#access = access;
    this.#report = report;
    this.#accountId = access.accountId;
    this.#api = this.#apiOf(access.accountId);
  }

  /** The API wants the id of a number; without one no call uses it. */
  #apiOf(accountId: string | undefined): WhatsAppApi {
    const { options, phoneNumberId = "0" } = this.#access;
    return new WhatsAppApi({ ...options, phoneNumberId, accountId });
  }

  /**
   * Checks token, account, number and subscription.
   *
   * @param subscribe Subscribe the app if it is not.
   */
  async run(subscribe: boolean): Promise<void> {
    if (!await this.#checkToken()) {
      this.#report.add("number", "skipped", "Number, account and subscription cannot be checked without a valid token");
      return;
    }
    await this.#checkAccount();
    await this.#checkNumber();
    await this.#checkSubscription(subscribe);
    await this.#checkFields();
  }

  /** Callback URL that Meta uses for the number; `undefined` if it is not known. */
  get callback(): MetaCallback | undefined {
    for (const owner of OWNER_ORDER) {
      const url = this.#callbacks?.[owner];
      if (url !== undefined && url !== "") return { url, owner };
    }
    return undefined;
  }

  // ---- Token ---------------------------------------------------------------------------------------------------

  /** @returns `false` if no other call can succeed. */
  async #checkToken(): Promise<boolean> {
    const { accessToken } = this.#access.options;
    let facts: JsonObject;
    try {
      const query = { input_token: accessToken };
      const answer = await this.#api.graph.get("debug_token", { query, signal: this.#access.signal });
      facts = object(answer, "data") ?? {};
    } catch (error) {
      return this.#tokenRefused(error);
    }
    const appId = text(facts, "app_id");
    if (appId !== undefined && isDigits(appId)) this.#appId = appId;
    this.#appName = text(facts, "application");
    const scopes = list(facts, "scopes").filter((scope) => typeof scope === "string");
    this.#accountIds = accountsOf(facts);
    const now = Date.now() / 1000;
    const end = endOf(facts);
    if (facts.is_valid === false || (end > 0 && end < now)) {
      const why = end > 0 && end < now ? `has expired on ${dateOf(end)}` : "is not valid";
      const says = text(object(facts, "error") ?? {}, "message");
      this.#report.add("token", "wrong", `The access token ${why}${says === undefined ? "" : `: ${says}`}`, NEW_TOKEN);
      return false;
    }
    const missing = SCOPES.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) {
      this.#report.add("token", "wrong", `The access token lacks the permission ${missing.join(" and ")}`, NEW_TOKEN);
      return true;
    }
    const app = this.#appId === undefined ? "" : ` of ${this.#app}`;
    if (end > 0 && end < now + SOON) {
      const text = `The access token${app} is valid, but expires on ${dateOf(end)}`;
      this.#report.add("token", "note", text, NEW_TOKEN);
    } else {
      const until = end > 0 ? `until ${dateOf(end)}` : "and does not expire";
      this.#report.add("token", "ok", `The access token${app} is valid ${until}, and has both permissions`);
    }
    return true;
  }

  #tokenRefused(error: unknown): boolean {
    const code = error instanceof WhatsAppApiError ? error.graph?.code : undefined;
    if (code !== undefined && (code === 100 || isPermission(code))) {
      this.#report.add(
        "token",
        "note",
        "Meta does not show this token: its end and its permissions are not known",
      );
      return true;
    }
    this.#failed("token", error, "Cannot check the access token");
    return false;
  }

  get #app(): string {
    const name = this.#appName === undefined ? "the app" : `the app ${quote(this.#appName)}`;
    return this.#appId === undefined ? name : `${name} (${this.#appId})`;
  }

  // ---- Account and number --------------------------------------------------------------------------------------

  async #checkAccount(): Promise<void> {
    if (this.#accountId === undefined) {
      await this.#findAccount();
      return;
    }
    try {
      this.#numbers = await this.#numbersOf(this.#api);
    } catch (error) {
      this.#failed("account", error, `Cannot read the account ${this.#accountId}`);
      this.#accountId = undefined;
      return;
    }
    const { phoneNumberId } = this.#access;
    const count = this.#numbers.length;
    const has = phoneNumberId === undefined || this.#numbers.some(({ id }) => id === phoneNumberId);
    const text = `The account ${this.#accountId} has ${count === 1 ? "a number" : `${count} numbers`}`;
    if (has) this.#report.add("account", "ok", text);
    else if (count >= MAX_NUMBERS) {
      this.#report.add("account", "note", `${text} or more: ${phoneNumberId} is not among the first`);
    } else this.#report.add("account", "wrong", `${text}, and ${phoneNumberId} is none of them`, this.#numbersRemedy);
  }

  async #findAccount(): Promise<void> {
    for (const id of this.#accountIds.slice(0, MAX_ACCOUNTS)) {
      const api = this.#apiOf(id);
      let numbers: AccountNumber[];
      try {
        numbers = await this.#numbersOf(api);
      } catch {
        this.#access.signal.throwIfAborted();
        continue; // an account that the token may not read is not that of the number
      }
      const isOwner = numbers.some((number) => number.id === this.#access.phoneNumberId);
      if (!isOwner && this.#accountIds.length > 1) continue;
      this.#accountId = id;
      this.#api = api;
      this.#numbers = numbers;
      this.#report.add("account", "note", `WHATSAPP_ACCOUNT_ID is not set; the token may use the account ${id}`);
      return;
    }
    const where = "API Setup in the App Dashboard shows the id of the WhatsApp Business account";
    this.#report.add("account", "skipped", "WHATSAPP_ACCOUNT_ID is not set, so no subscription can be checked", where);
  }

  async #numbersOf(api: WhatsAppApi): Promise<AccountNumber[]> {
    const numbers: AccountNumber[] = [];
    const fields = ["id", "display_phone_number"];
    for await (const number of api.phoneNumber.list({ fields, pageSize: 100, signal: this.#access.signal })) {
      numbers.push({ id: number.id, shown: number.displayPhoneNumber ?? "?" });
      if (numbers.length >= MAX_NUMBERS) break;
    }
    return numbers;
  }

  get #numbersRemedy(): string {
    if (this.#numbers.length === 0) return "Add a number in WhatsApp Manager > Phone numbers";
    const named = this.#numbers.slice(0, MAX_NAMED).map(({ id, shown }) => `${id} (${shown})`);
    const more = this.#numbers.length > MAX_NAMED ? ", …" : "";
    return `Set WHATSAPP_PHONE_NUMBER_ID to an id of this account: ${named.join(", ")}${more}`;
  }

  async #checkNumber(): Promise<void> {
    const { phoneNumberId } = this.#access;
    if (phoneNumberId === undefined) {
      const where = this.#numbers.length > 0 ? this.#numbersRemedy : "API Setup in the App Dashboard shows it";
      this.#report.add("number", "wrong", "WHATSAPP_PHONE_NUMBER_ID is not set", where);
      return;
    }
    let number: PhoneNumberInfo;
    try {
      number = await this.#api.phoneNumber.info({ fields: NUMBER_FIELDS, signal: this.#access.signal });
    } catch (error) {
      const remedy = this.#numbers.length > 0 ? this.#numbersRemedy : undefined;
      this.#failed("number", error, `Cannot read the number ${phoneNumberId}`, remedy);
      return;
    }
    this.#callbacks = number.callbacks;
    const { state, text, remedy } = numberFinding(number);
    this.#report.add("number", state, text, remedy);
    for (const { text, remedy } of numberNotes(number)) this.#report.add("number", "note", text, remedy);
  }

  // ---- Subscription and fields ---------------------------------------------------------------------------------

  async #checkSubscription(subscribe: boolean): Promise<void> {
    const accountId = this.#accountId;
    if (accountId === undefined) return;
    const { signal } = this.#access;
    try {
      let apps = await this.#api.subscribedApps({ signal });
      let now = "is";
      // Without a callback the call would remove an override, which an app that is subscribed may have.
      if (subscribe && !this.#isSubscribed(apps)) {
        await this.#api.subscribeApp({ signal });
        apps = await this.#api.subscribedApps({ signal });
        now = "is now";
      }
      this.#reportSubscription(apps, accountId, now);
    } catch (error) {
      const what = subscribe ? "subscribe to" : "read the subscriptions of";
      this.#failed("subscription", error, `Cannot ${what} the account`);
    }
  }

  #isSubscribed(apps: readonly SubscribedApp[]): boolean {
    return this.#appId === undefined ? apps.length > 0 : apps.some(({ id }) => id === this.#appId);
  }

  #reportSubscription(apps: readonly SubscribedApp[], accountId: string, now: string): void {
    const names = apps.map(({ id, name }) => name === undefined ? id : `${quote(name)} (${id})`).join(", ");
    if (this.#appId === undefined && apps.length > 0) {
      const text = `Subscribed to the account ${accountId}: ${names}`;
      this.#report.add("subscription", "note", text, "See that your app is among them: its id is in the App Dashboard");
    } else if (this.#isSubscribed(apps)) {
      this.#report.add("subscription", "ok", `${upper(this.#app)} ${now} subscribed to the account ${accountId}`);
    } else {
      const others = apps.length === 0 ? "" : `; subscribed: ${names}`;
      const text = `${upper(this.#app)} is not subscribed to the account ${accountId}: no message comes${others}`;
      this.#report.add("subscription", "wrong", text, "setup --subscribe");
    }
  }

  /** Fields and callback of the app, which only the app itself may read. */
  async #checkFields(): Promise<void> {
    const { appSecret, options, signal } = this.#access;
    if (appSecret === undefined || this.#appId === undefined) {
      const missing = appSecret === undefined ? "WHATSAPP_APP_SECRET is not set" : "The id of the app is not known";
      this.#report.add("fields", "skipped", `${missing}, so the webhook fields cannot be read`);
      return;
    }
    const api = new WhatsAppApi({ ...options, accessToken: `${this.#appId}|${appSecret}`, phoneNumberId: "0" });
    let webhook: WebhookSubscription | undefined;
    try {
      const webhooks = await api.webhookSubscriptions(this.#appId, { signal });
      webhook = webhooks.find(({ object }) => object === "whatsapp_business_account");
    } catch (error) {
      this.#fieldsFailed(error);
      return;
    }
    if (webhook?.callbackUrl !== undefined) this.#callbacks = { app: webhook.callbackUrl, ...this.#callbacks };
    if (webhook?.active === false) {
      this.#report.add(
        "fields",
        "wrong",
        `Meta has switched off the webhook of ${this.#app}`,
        `${DASHBOARD} > Verify and save`,
      );
    } else if (webhook?.fields.includes("messages")) {
      this.#report.add("fields", "ok", `${upper(this.#app)} is subscribed to the field messages`);
    } else {
      const text = `${upper(this.#app)} is not subscribed to the field messages: no message comes`;
      this.#report.add("fields", "wrong", text, `${DASHBOARD} > Webhook fields > messages > Subscribe`);
    }
  }

  #fieldsFailed(error: unknown): void {
    const code = error instanceof WhatsAppApiError ? error.graph?.code : undefined;
    if (code === undefined || !SECRET_CODES.includes(code)) {
      this.#failed("fields", error, "Cannot read the webhook fields of the app");
      return;
    }
    const text = `WHATSAPP_APP_SECRET is not the app secret of ${this.#app}: signatures of Meta will not match`;
    this.#report.add("fields", "wrong", text, "App Dashboard > App settings > Basic > App secret > Show");
  }

  // ---- Callback ------------------------------------------------------------------------------------------------

  /**
   * Compares the callback URL that Meta uses with the wanted one.
   *
   * @param wanted The wanted URL; `undefined`: that of Meta.
   */
  checkCallbackUrl(wanted: URL | undefined): void {
    const { callback } = this;
    if (callback === undefined) {
      const where = `${DASHBOARD}: enter callback URL and verify token`;
      if (this.#callbacks === undefined) this.#report.add("callback", "skipped", "Meta's callback URL is not known");
      else this.#report.add("callback", "wrong", "Meta has no callback URL for this number", where);
    } else if (wanted === undefined || isSame(callback.url, wanted)) {
      this.#report.add("callback", "ok", `Meta sends to ${redactUrl(callback.url)}, ${OWNERS[callback.owner]}`);
    } else {
      const text = `Meta sends to ${redactUrl(callback.url)}, ${OWNERS[callback.owner]}, and not to ${
        redactUrl(wanted)
      }`;
      this.#report.add("callback", "wrong", text, `setup --subscribe --callback ${redactUrl(wanted)}; or ${DASHBOARD}`);
    }
  }

  /**
   * Has Meta send notifications to another URL: an override of the number if it has one, else of the account.
   *
   * @param url The URL.
   * @param verifyToken The token for Meta's GET, which comes at once.
   */
  async overrideCallback(url: URL, verifyToken: string): Promise<void> {
    const current = this.callback;
    if (current !== undefined && isSame(current.url, url)) return this.checkCallbackUrl(url);
    const owner = current?.owner === "phoneNumber" ? "phoneNumber" : "account";
    if (owner === "account" && this.#accountId === undefined) return this.checkCallbackUrl(url);
    const override = { callbackUrl: url.href, verifyToken, signal: this.#access.signal };
    try {
      if (owner === "phoneNumber") await this.#api.phoneNumber.setCallback(override);
      else await this.#api.subscribeApp(override);
    } catch (error) {
      this.#failed("callback", error, `Cannot set the callback ${redactUrl(url)}`);
      return;
    }
    this.#report.add("callback", "ok", `Meta sends to ${redactUrl(url)} now, ${OWNERS[owner]}`);
  }

  /** @param remedy Remedy that is better than the one of the code, for an id. */
  #failed(check: CheckName, error: unknown, what: string, remedy?: string): void {
    this.#access.signal.throwIfAborted();
    const problem = explainApiError(error);
    const [first, ...more] = problemLines({ ...problem, remedy: undefined });
    const isId = problem.code === 100 || problem.code === 33;
    this.#report.add(check, "wrong", [`${what}. ${first}`, ...more].join(". "), (isId && remedy) || problem.remedy);
  }
}

/** Accounts of the granular permissions: those for which the token was made. */
function accountsOf(facts: JsonObject): string[] {
  const scopes = list(facts, "granular_scopes").filter(isObject).filter(({ scope }) => SCOPES.includes(String(scope)));
  return [...new Set(scopes.flatMap((scope) => list(scope, "target_ids")).map(String))].filter(isDigits);
}

/** End of the token, or of its access to data, in s since 1970; 0: it has none. */
function endOf(facts: JsonObject): number {
  const ends = [number(facts, "expires_at") ?? 0, number(facts, "data_access_expires_at") ?? 0].filter((end) =>
    end > 0
  );
  return ends.length === 0 ? 0 : Math.min(...ends);
}

/** Meta lets an app inspect its tokens, and a user those of apps that the user owns or develops. */
function isPermission(code: number): boolean {
  return code === 3 || code === 10 || (code >= 200 && code <= 299);
}

function isSame(url: string, other: URL): boolean {
  return URL.canParse(url) && new URL(url).href === other.href;
}

function dateOf(seconds: number): string {
  return new Date(Math.min(seconds * 1000, MAX_TIME)).toISOString().slice(0, 16).replace("T", " ") + " UTC";
}

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
