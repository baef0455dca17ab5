/**
 * Options of a client of the Cloud API, and their table.
 *
 * @module
 */

import { assertClock, type Clock, systemClock } from "../base/clock.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { OptionError } from "../base/errors.ts";
import { isLoopback } from "../base/loopback.ts";
import { assertToken } from "../base/secrets.ts";
import { type Complete, FieldsReader, type SettingsTable } from "../base/settings.ts";
import { isFieldContent } from "../base/token.ts";

/** Options of a {@linkcode WhatsAppApi}. */
export interface WhatsAppApiOptions {
  /**
   * The access token, or a function that is asked for it before each call, within `requestTimeout`. It goes into a
   * header, never into a URL or an error.
   */
  accessToken: string | (() => string | Promise<string>);
  /** The id of the business phone number that sends. */
  phoneNumberId: string;
  /** The id of the WhatsApp Business account, which subscriptions, templates and flows belong to. */
  accountId?: string | undefined;
  /**
   * The version of the Graph API.
   * @default {"v26.0"}
   */
  version?: string | undefined;
  /**
   * URL of the API: `https:`, or on a loopback address, since the access token goes there.
   * @default {"https://graph.facebook.com"}
   */
  baseUrl?: string | undefined;
  /**
   * Time limit of one attempt, in ms: until its answer is complete. A file that is fetched has it for its head, and
   * then for each piece that is read; an upload of more than 256 KiB for each 64 KiB that are sent. 0: no limit.
   * @default {30000}
   */
  requestTimeout?: number | undefined;
  /**
   * Maximum of retries of a call that is answered with 429, 5xx, an error that Meta calls transient, or one of its
   * codes for too many calls or a fault that passes.
   * @default {4}
   */
  maxRetries?: number | undefined;
  /**
   * Longest pause before the first retry, in ms; it doubles with each retry, up to a minute. Pauses are random.
   * `Retry-After` of the API takes precedence, up to a minute too. After 131056 (too many messages to one recipient) it
   * is 1, 4, 16, 64, … seconds, as Meta advises.
   * @default {500}
   */
  retryDelay?: number | undefined;
  /**
   * Function that makes requests.
   * @default {fetch}
   */
  fetch?: ((url: string | URL | Request, init?: RequestInit) => Promise<Response>) | undefined;
  /**
   * Value of the header `User-Agent`: some servers of files want one.
   * @default {"tackline-websocket"}
   */
  userAgent?: string | undefined;
  /**
   * Hold messages back so that no recipient gets more than Meta allows: one in 6 s, or up to 45 within 6 s and then
   * none for as long as they would have taken (code 131056). Messages to one recipient wait in order. When Meta refuses
   * one for that, they pass one in 6 s until a burst is paid for.
   * @default {false}
   */
  pairLimit?: boolean | undefined;
  /**
   * Maximum of messages in a second, of the business phone number; Meta allows 80, or 20 beside the app, or 1000 on
   * request (code 130429). They are spread over the second: a tenth of them in 100 ms. Recipients take turns. 0: no
   * limit.
   * @default {0}
   */
  messagesPerSecond?: number | undefined;
  /**
   * Maximum of messages that wait for these two limits; more are refused with `ERR_API_QUEUE`. 0: none waits.
   * @default {10000}
   */
  maxQueuedMessages?: number | undefined;
  /** Time, for tests. */
  clock?: Clock | undefined;
}

/** {@linkcode WhatsAppApiOptions} with nothing left out. */
export type WhatsAppApiSettings = Complete<Omit<WhatsAppApiOptions, "accountId">> & {
  /** The account, if the program named it. */
  accountId: string | undefined;
};

/** The settings of a {@linkcode WhatsAppApi}. */
export const API_SETTINGS: SettingsTable<WhatsAppApiSettings> = {
  accessToken: { kind: "any", default: "", check: assertAccessToken },
  phoneNumberId: { kind: "any", default: "", check: (id) => assertId("phoneNumberId", id) },
  accountId: { kind: "any", default: undefined, check: assertAccountId },
  version: { kind: "string", default: "v26.0", check: assertVersion },
  baseUrl: { kind: "string", default: "https://graph.facebook.com", check: assertBaseUrl },
  requestTimeout: { kind: "number", unit: "ms", default: 30_000 },
  maxRetries: { kind: "number", unit: "count", default: 4 },
  retryDelay: { kind: "number", unit: "ms", default: 500 },
  fetch: { kind: "function", default: (...args: Parameters<typeof fetch>) => fetch(...args) },
  userAgent: { kind: "string", default: "tackline-websocket", check: assertUserAgent },
  pairLimit: { kind: "boolean", default: false },
  messagesPerSecond: { kind: "number", unit: "count", default: 0 },
  maxQueuedMessages: { kind: "number", unit: "count", default: 10_000 },
  clock: { kind: "object", default: systemClock, check: assertClock },
};

const API_OPTIONS = /* @__PURE__ */ new FieldsReader("WhatsAppApi", API_SETTINGS, {
  hints: {
    token: 'use "accessToken"',
    wabaId: 'use "accountId"',
    businessAccountId: 'use "accountId"',
    phoneId: 'use "phoneNumberId"',
    phoneNumber: 'use "phoneNumberId"',
    apiVersion: 'use "version"',
    url: 'use "baseUrl"',
    timeout: 'use "requestTimeout"',
    retries: 'use "maxRetries"',
  },
});

/**
 * Checks the options of a client.
 *
 * @param options The options of the program.
 * @returns All settings.
 * @throws {OptionError} If one is unknown or out of range.
 */
export function readApiOptions(options: WhatsAppApiOptions): WhatsAppApiSettings {
  return API_OPTIONS.read(options);
}

function assertAccessToken(token: WhatsAppApiOptions["accessToken"]): void {
  if (typeof token !== "function") assertToken("accessToken", token);
}

function assertAccountId(id: string | undefined): void {
  if (id !== undefined) assertId("accountId", id);
}

function assertVersion(version: string): void {
  if (isVersion(version)) return;
  throw new OptionError(`The option "version" is ${quote(version)} instead of a version such as "v26.0"`);
}

function isVersion(text: string): boolean {
  const [major = "", minor = "", ...more] = text.slice(1).split(".");
  return text.startsWith("v") && isNumber(major) && isNumber(minor) && more.length === 0;
}

function isNumber(text: string): boolean {
  return text !== "" && [...text].every((digit) => digit >= "0" && digit <= "9");
}

function assertUserAgent(userAgent: string): void {
  if (userAgent.trim() !== "" && isFieldContent(userAgent)) return;
  throw new OptionError(`The option "userAgent" is ${quote(userAgent)}: not the value of a header field`);
}

function assertBaseUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) && baseUrl.trim() === baseUrl ? new URL(baseUrl) : undefined;
  // The access token goes there: without TLS anyone on the way could read it.
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (!isSafe) {
    const wanted = "neither an https: URL nor one on a loopback address";
    throw new OptionError(`The option "baseUrl" is ${quote(redactUrl(baseUrl))}: ${wanted}`);
  }
  const { username, password, search, hash, pathname } = new URL(baseUrl);
  if (username + password + search + hash !== "") {
    throw new OptionError('The option "baseUrl" has a user name, a password, a query, or a fragment');
  }
  const version = pathname.split("/").find(isVersion);
  if (version === undefined) return;
  throw new OptionError(`The option "baseUrl" has the version ${version} in its path: give it as the option "version"`);
}

/**
 * Refuses ids that cannot be part of a path.
 *
 * @param name The name of the option or argument.
 * @param id The id.
 * @throws {OptionError} If it is no id.
 */
export function assertId(name: string, id: string): void {
  const usable = typeof id === "string" && id.length > 0 && id.length <= 128;
  if (usable && encodeURIComponent(id) === id && id !== "." && id !== "..") return;
  if (typeof id !== "string") {
    const kind = (id as unknown) === undefined || id === null ? "missing" : `of the type ${typeof id}, not a string`;
    throw new OptionError(`The ${name} is ${kind}`);
  }
  if (id === "") throw new OptionError(`The ${name} is missing, or empty`);
  // A long text may be the access token.
  const shown = id.length <= 32 ? quote(id) : `a text of ${id.length} characters`;
  throw new OptionError(`The ${name} is ${shown}: not an id`);
}
