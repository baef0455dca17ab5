/**
 * Subscriptions: which apps get the webhooks of a WhatsApp Business account, and where.
 *
 * Facts: Meta's pages "Webhook overrides" (June 2026), "Subscribed Apps API", and "App subscriptions" of the Graph API.
 *
 * @module
 */

import { OptionError } from "../base/errors.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertSecrets } from "../base/secrets.ts";
import { assertSuccess } from "./answers.ts";
import { assertFields, assertUrl } from "./argument_checks.ts";
import { type GraphClient, pathOf } from "./graph.ts";
import { boolean, isObject, type JsonObject, list, object, text, withoutUndefined } from "./json.ts";

/** A callback of its own for an account or a number. */
export interface CallbackOptions {
  /**
   * URL to which Meta posts the webhooks, instead of the one of the app: https, up to 200 characters. Meta asks it for
   * the challenge before the call returns, so the server must be running.
   */
  callbackUrl: string;
  /** Token that Meta shows when it asks for the challenge: `verifyToken` of the server. */
  verifyToken: string;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/**
 * Options of a subscription: with a callback for the webhooks of this account (`callbackUrl` and `verifyToken`
 * together), or without one, which removes an earlier one.
 */
export type SubscribeOptions = CallbackOptions | {
  /** Only with `verifyToken`. */
  callbackUrl?: undefined;
  /** Only with `callbackUrl`. */
  verifyToken?: undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
};

/** Options of a call that has no other ones. */
export interface CallOptions {
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** An app that gets the webhooks of an account. */
export interface SubscribedApp {
  /** Its id. */
  id: string;
  /** Its name. */
  name?: string | undefined;
  /** Its page. */
  link?: string | undefined;
  /** URL for the webhooks of this account, if it is another one than that of the app. */
  callbackUrl?: string | undefined;
  /** The entry as Meta sent it. */
  raw: JsonObject;
}

/** Options of the webhook of an app. */
export interface WebhookOptions {
  /** URL to which Meta posts the webhooks: https. Meta asks it for the challenge before the call returns. */
  callbackUrl: string;
  /** Token that Meta shows when it asks for the challenge: `verifyToken` of the server. */
  verifyToken: string;
  /**
   * Names of webhook fields; those that are left out are not sent any more.
   * @default {["messages"]}
   */
  fields?: readonly string[] | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** The webhook of an app for one kind of object. */
export interface WebhookSubscription {
  /** The kind, such as `whatsapp_business_account`. */
  object: string;
  /** URL to which Meta posts. */
  callbackUrl?: string | undefined;
  /** `false` if Meta has switched it off. */
  active?: boolean | undefined;
  /** Names of the webhook fields. */
  fields: string[];
  /** The entry as Meta sent it. */
  raw: JsonObject;
}

const MAX_CALLBACK_URL = 200;
/** No limit of the webhook of an app is documented. */
const MAX_APP_CALLBACK_URL = 2048;

const CALLBACK_NAMES: OptionTable<CallbackOptions> = { callbackUrl: true, verifyToken: true, signal: true };
const CALLBACK_HINTS = {
  url: 'use "callbackUrl"',
  callback: 'use "callbackUrl"',
  override_callback_uri: 'use "callbackUrl"',
  callback_url: 'use "callbackUrl"',
  verify_token: 'use "verifyToken"',
  token: 'use "verifyToken"',
};
const SUBSCRIBE_OPTIONS = /* @__PURE__ */ new OptionNames("subscribeApp", {
  tables: [CALLBACK_NAMES satisfies OptionTable<SubscribeOptions>],
  hints: CALLBACK_HINTS,
  example: () => '{ callbackUrl: "https://…", verifyToken: "…" }',
});
const CALLBACK_OPTIONS = /* @__PURE__ */ new OptionNames("A callback", {
  tables: [CALLBACK_NAMES],
  hints: CALLBACK_HINTS,
  example: () => '{ callbackUrl: "https://…", verifyToken: "…" }',
});
const WEBHOOK_NAMES: OptionTable<WebhookOptions> = { ...CALLBACK_NAMES, fields: true };
const WEBHOOK_OPTIONS = /* @__PURE__ */ new OptionNames("subscribeWebhook", {
  tables: [WEBHOOK_NAMES],
  hints: CALLBACK_HINTS,
  example: () => '{ callbackUrl: "https://…", verifyToken: "…" }',
});
/** Names of {@linkcode CallOptions}. */
export const CALL_OPTIONS: OptionNames = /* @__PURE__ */ new OptionNames("The call", { tables: [{ signal: true }] });

/**
 * Makes the object that overrides a callback.
 *
 * @param options URL and token.
 * @returns The object of the Graph API.
 * @throws {OptionError} If one of them is not allowed.
 */
export function callbackOverride(options: CallbackOptions): JsonObject {
  CALLBACK_OPTIONS.assert(options);
  return overrideOf(options.callbackUrl, options.verifyToken);
}

function overrideOf(callbackUrl: string, verifyToken: string | undefined): JsonObject {
  assertUrl("callbackUrl", callbackUrl, MAX_CALLBACK_URL, ["https:"]);
  assertVerifyToken(verifyToken);
  return { override_callback_uri: callbackUrl, verify_token: verifyToken };
}

/** Checks the token that Meta shows when it asks a URL for the challenge: one, not a list. */
function assertVerifyToken(verifyToken: unknown): void {
  if (verifyToken === undefined) {
    throw new OptionError('The option "verifyToken" is missing: "callbackUrl" wants the "verifyToken" of its server');
  }
  if (typeof verifyToken !== "string") {
    throw new OptionError(`The option "verifyToken" is of the type ${typeof verifyToken} instead of a string`);
  }
  assertSecrets("verifyToken", verifyToken);
}

/**
 * Subscribes the app of the access token to the webhooks of the account.
 *
 * @param graph The calls.
 * @param options A callback for this account.
 * @throws {OptionError} If an option is not allowed, or `accountId` is missing.
 * @throws {WhatsAppApiError} If the API refuses it.
 */
export async function subscribeApp(graph: GraphClient, options: SubscribeOptions): Promise<void> {
  SUBSCRIBE_OPTIONS.assert(options);
  const { callbackUrl, verifyToken, signal } = options;
  if (callbackUrl === undefined && verifyToken !== undefined) {
    throw new OptionError('The option "verifyToken" wants "callbackUrl" beside it');
  }
  const json = callbackUrl === undefined ? undefined : overrideOf(callbackUrl, verifyToken);
  assertSuccess(await graph.post(pathOfApps(graph), { json, signal }), "subscribe the app");
}

/**
 * Reads the apps that get the webhooks of the account.
 *
 * @param graph The calls.
 * @param options A signal.
 * @returns The apps.
 * @throws {OptionError} If `accountId` is missing.
 * @throws {WhatsAppApiError} If the API refuses it.
 */
export async function subscribedApps(graph: GraphClient, options: CallOptions): Promise<SubscribedApp[]> {
  CALL_OPTIONS.assert(options);
  const apps: SubscribedApp[] = [];
  for await (const raw of graph.pages(pathOfApps(graph), { signal: options.signal })) apps.push(readApp(raw));
  return apps;
}

/**
 * Ends the subscription of the app of the access token.
 *
 * @param graph The calls.
 * @param options A signal.
 * @throws {OptionError} If `accountId` is missing.
 * @throws {WhatsAppApiError} If the API refuses it.
 */
export async function unsubscribeApp(graph: GraphClient, options: CallOptions): Promise<void> {
  CALL_OPTIONS.assert(options);
  assertSuccess(await graph.delete(pathOfApps(graph), { signal: options.signal }), "end the subscription");
}

function pathOfApps(graph: GraphClient): string {
  return pathOf("accountId", graph.accountId, "subscribed_apps");
}

/** Meta's samples have the app in an object of its own; the schema of its OpenAPI file has not. */
function readApp(raw: JsonObject): SubscribedApp {
  const app = object(raw, "whatsapp_business_api_data") ?? raw;
  return withoutUndefined({
    id: text(app, "id") ?? "",
    name: text(app, "name"),
    link: text(app, "link"),
    callbackUrl: text(raw, "override_callback_uri"),
    raw,
  });
}

/**
 * Sets the webhook of an app.
 *
 * @param graph The calls, with the access token of the app.
 * @param appId The id of the app.
 * @param options URL, token, fields.
 * @throws {OptionError} If an argument is not allowed.
 * @throws {WhatsAppApiError} If the API refuses it.
 */
export async function subscribeWebhook(graph: GraphClient, appId: string, options: WebhookOptions): Promise<void> {
  WEBHOOK_OPTIONS.assert(options);
  const { callbackUrl, verifyToken, fields = ["messages"], signal } = options;
  assertUrl("callbackUrl", callbackUrl, MAX_APP_CALLBACK_URL, ["https:"]);
  assertVerifyToken(verifyToken);
  assertFields(fields);
  const json = {
    object: "whatsapp_business_account",
    callback_url: callbackUrl,
    verify_token: verifyToken,
    fields: fields.join(","),
    // Without values a notification says only which fields have changed.
    include_values: true,
  };
  assertSuccess(await graph.post(pathOf("appId", appId, "subscriptions"), { json, signal }), "set the webhook");
}

/**
 * Reads the webhooks of an app.
 *
 * @param graph The calls, with the access token of the app.
 * @param appId The id of the app.
 * @param options A signal.
 * @returns A webhook for each kind of object.
 * @throws {OptionError} If the id is none.
 * @throws {WhatsAppApiError} If the API refuses it.
 */
export async function webhookSubscriptions(
  graph: GraphClient,
  appId: string,
  options: CallOptions,
): Promise<WebhookSubscription[]> {
  CALL_OPTIONS.assert(options);
  const webhooks: WebhookSubscription[] = [];
  for await (const raw of graph.pages(pathOf("appId", appId, "subscriptions"), { signal: options.signal })) {
    webhooks.push(readWebhook(raw));
  }
  return webhooks;
}

function readWebhook(raw: JsonObject): WebhookSubscription {
  return withoutUndefined({
    object: text(raw, "object") ?? "",
    callbackUrl: text(raw, "callback_url"),
    active: boolean(raw, "active"),
    // Versions of the API before v2.10 had names only.
    fields: list(raw, "fields").flatMap((field) => typeof field === "string" ? field : nameOf(field) ?? []),
    raw,
  });
}

function nameOf(field: unknown): string | undefined {
  return isObject(field) ? text(field, "name") : undefined;
}
