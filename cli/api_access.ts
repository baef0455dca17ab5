/**
 * Access to the Graph API from the command line: flags and variables that `send` and `setup` share.
 *
 * @module
 */

import { type CliIo, secretFrom, UsageError } from "./io.ts";
import { VERSION } from "./version.ts";
import { quote, redactUrl } from "../base/error_text.ts";
import { isLoopback } from "../base/loopback.ts";
import type { WhatsAppApiOptions } from "../cloud_api/api_settings.ts";

/** Remedies for flags that would show the access token. */
export const TOKEN_REMEDIES: Readonly<Record<string, string>> = Object.fromEntries(
  ["--token", "--access-token"].map((flag) => [
    flag,
    "; the access token comes from WHATSAPP_ACCESS_TOKEN only: other users see command lines",
  ]),
);

/** Flags of each command that calls the API. */
export const API_FLAGS = {
  "phone-number-id": { type: "string" },
  "account-id": { type: "string" },
  api: { type: "string" },
  "api-version": { type: "string" },
} as const;

/** Help for {@linkcode API_FLAGS}. */
export const API_HELP: string =
  `  --phone-number-id ID  WHATSAPP_PHONE_NUMBER_ID: id of the business phone number, which is not the number itself
  --account-id ID       WHATSAPP_ACCOUNT_ID: id of the WhatsApp Business account
  --api-version V       version of the Graph API: v26.0
  --api URL             https://graph.facebook.com; another one with https:, or on a loopback address`;

/** Values of {@linkcode API_FLAGS}. */
export type ApiValues = { [Name in keyof typeof API_FLAGS]?: string | undefined };

/** Facts about the access; those that are missing are `undefined`. */
export interface ApiAccess {
  /** The access token, from the environment only. */
  readonly accessToken: string | undefined;
  /** The id of the business phone number. */
  readonly phoneNumberId: string | undefined;
  /** The id of the WhatsApp Business account. */
  readonly accountId: string | undefined;
  /** Options of the API for all calls. */
  readonly options: Pick<WhatsAppApiOptions, "baseUrl" | "version" | "userAgent">;
}

/**
 * Reads flags and variables.
 *
 * @param values The flags.
 * @param env The environment.
 * @returns The access.
 * @throws {UsageError} If one is empty, or the URL of the API is not allowed.
 */
export function apiAccess(values: ApiValues, env: CliIo["env"]): ApiAccess {
  const variable = "WHATSAPP_ACCESS_TOKEN";
  return {
    accessToken: secretFrom({ flag: "", given: undefined, variable }, env),
    phoneNumberId: idOf("phone-number-id", values["phone-number-id"], "WHATSAPP_PHONE_NUMBER_ID", env),
    accountId: idOf("account-id", values["account-id"], "WHATSAPP_ACCOUNT_ID", env),
    options: { baseUrl: apiUrl(values.api), version: values["api-version"], userAgent: `tackline/${VERSION}` },
  };
}

/** An id is digits: the phone number itself, or a token, is a frequent mistake. */
function idOf(flag: string, given: string | undefined, variable: string, env: CliIo["env"]): string | undefined {
  const id = given ?? env[variable];
  if (id === undefined || isDigits(id)) return id;
  const name = given === undefined ? variable : `--${flag}`;
  const shown = id.length <= 20 ? quote(id) : `a text of ${id.length} characters`;
  throw new UsageError(`${name} is ${shown}: an id has digits only. API Setup in the App Dashboard shows it`);
}

/**
 * Tells ids from other texts, of the command line or of an answer.
 *
 * @param text The text.
 * @returns `true` for digits only.
 */
export function isDigits(text: string): boolean {
  for (const char of text) if (char < "0" || char > "9") return false;
  return text !== "";
}

/** The access token goes to this URL. */
function apiUrl(api: string | undefined): string | undefined {
  if (api === undefined) return undefined;
  const url = URL.canParse(api) ? new URL(api) : undefined;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname))) return api;
  throw new UsageError(`--api is ${quote(redactUrl(api))}: neither an https: URL nor one on a loopback address`);
}

/**
 * Takes a value that a command cannot do without.
 *
 * @param value The value.
 * @param variable The name of its variable.
 * @param where The place where the value is found.
 * @returns The value.
 * @throws {UsageError} If it is missing.
 */
export function required(value: string | undefined, variable: string, where: string): string {
  if (value !== undefined) return value;
  throw new UsageError(`${variable} is not set: ${where}`);
}

/** Flags and variables for what errors of the library name. */
const NAMES: readonly (readonly [option: string, name: string])[] = [
  ['The option "mimeType"', "The type of the file"],
  ['set "checkType" to false', "give it with --mime-type"],
  ['The setting "accessToken"', "WHATSAPP_ACCESS_TOKEN"],
  ['The option "baseUrl"', "--api"],
  ['The option "version"', "--api-version"],
  ['the option "version"', "--api-version"],
  ['"caption"', "--caption"],
  ['"replyTo"', "--reply-to"],
  ['"bizOpaqueCallbackData"', "--callback-data"],
];

/**
 * Names flags and variables of the program instead of options of the library.
 *
 * @param text The text of an error.
 * @returns The text for the command line.
 */
export function withFlags(text: string): string {
  return NAMES.reduce((text, [option, name]) => text.replace(option, name), text);
}
