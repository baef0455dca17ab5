/**
 * Meta's error codes in plain words, with the remedy: for `send` and `setup`.
 *
 * Codes and meanings: <https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes>;
 * 190 with its subcodes, 2200 and 2201 belong to the Graph API.
 *
 * @module
 */

import { describe } from "../base/errors.ts";
import { errorText } from "../base/error_text.ts";
import { WhatsAppApiError } from "../cloud_api/api_error.ts";

/** A failed call, explained. */
export interface ApiProblem {
  /** Meta's code, if the API answered with one. */
  readonly code?: number | undefined;
  /** Meta's closer code. */
  readonly subcode?: number | undefined;
  /** Meaning of the code, or the text of the error if it is not known. */
  readonly meaning: string;
  /** Remedy, in words or as a command. */
  readonly remedy?: string | undefined;
  /** Text of Meta. */
  readonly says?: string | undefined;
  /** Id of the call, which Meta's support asks for. */
  readonly traceId?: string | undefined;
}

type Entry = readonly [meaning: string, remedy: string];

const NEW_TOKEN =
  "Generate one without expiry: Business settings > Users > System users > Generate token, and put it into " +
  "WHATSAPP_ACCESS_TOKEN";
const SCOPES = "whatsapp_business_messaging and whatsapp_business_management";
const GRANT =
  `Generate a token with the permissions ${SCOPES}, and assign the app and the WhatsApp account to its system user`;
const WRONG_ID =
  "Compare the id with API Setup in the App Dashboard: the phone number id is not the phone number, and not the id of " +
  "the account. If it is right, assign the account to the system user of the token";
const LATER = "Try again later";
const FEWER = "Send more slowly, and try again later";
const WRITE_FIRST = "Send a template: --template NAME --language CODE; or wait until the recipient writes";
const STATUS_PAGE = "Try again later; https://metastatus.com/whatsapp-business-api shows outages of Meta";
const REGISTER =
  'Register it: POST /PHONE_NUMBER_ID/register with {"messaging_product":"whatsapp","pin":"6 digits"}, see ' +
  "docs/meta-setup.md";
const COMPARE_TEMPLATE = "Compare with the template in WhatsApp Manager > Message templates";
const OTHER_TEMPLATE = "Change the template in WhatsApp Manager, or send another one";

/** Subcodes that say more than their code. */
const SUBCODES: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ["100/33", ["there is no object with this id, or the token may not see it", WRONG_ID]],
  ["190/458", ["the user has removed the app, so the access token is no longer valid", NEW_TOKEN]],
  ["190/460", ["the password of the user has changed, so the access token is no longer valid", NEW_TOKEN]],
  ["190/463", ["the access token has expired", NEW_TOKEN]],
  ["190/467", ["the access token was invalidated", NEW_TOKEN]],
]);

/** Codes with a meaning of their own. */
const CODES: ReadonlyMap<number, Entry> = new Map<number, Entry>([
  // Tokens and permissions.
  [0, ["Meta cannot authenticate the app: the access token has expired, or was invalidated", NEW_TOKEN]],
  [3, ["the app or the token lacks a permission", GRANT]],
  [10, ["the app or the token lacks a permission", GRANT]],
  [190, ["the access token has expired, or is not valid", NEW_TOKEN]],
  [131005, ["the token may not use this number or account", GRANT]],
  // Limits.
  [4, ["the app makes too many calls", FEWER]],
  [613, ["too many calls in a short time", FEWER]],
  [80007, ["the WhatsApp Business account makes too many calls", FEWER]],
  [130429, ["the number sends more messages per second than its throughput", FEWER]],
  [131048, [
    "Meta limits this number because recipients blocked it or reported spam",
    "Look at the quality in WhatsApp Manager > Phone numbers, and wait until it recovers",
  ]],
  [131056, ["too many messages from this number to this recipient in a short time", "Wait a minute, and try again"]],
  [133016, ["too many attempts to register this number", "Wait 72 hours"]],
  // Policies and the account.
  [368, [
    "the account is restricted or disabled for a violation of Meta's policies",
    "Business Support Home (https://business.facebook.com/business-support-home) says which, and takes appeals",
  ]],
  [130497, ["the account may not write to recipients in this country", "Meta's policy lists the countries"]],
  [131031, [
    "the account is locked for a violation of a policy, or a two-step PIN is wrong",
    "Look at WhatsApp Manager > Account overview, or at Business Support Home",
  ]],
  [131037, ["the display name of the number is not approved yet", "Set it in WhatsApp Manager > Phone numbers"]],
  [131042, [
    "the account has no valid payment method, or a bill is due",
    "Look at Business settings > WhatsApp accounts > Payment settings",
  ]],
  [134011, ["the terms of WhatsApp payments are not accepted", "Accept them in WhatsApp Manager"]],
  // The recipient.
  [130472, ["the recipient is part of an experiment of Meta, and gets no marketing", "Do not try again"]],
  [131021, ["sender and recipient are the same number", "Send to another number"]],
  [131026, [
    "the message cannot be delivered to this recipient: the number is not on WhatsApp, the app is too old, or its " +
    "user has not accepted the terms",
    "Check the number, with its country code",
  ]],
  [131030, [
    "the recipient is not in the allowed list: a test number writes only to numbers that were confirmed",
    "Add and confirm it: App Dashboard > WhatsApp > API Setup > To > Manage phone number list; or use your own number",
  ]],
  [131047, ["more than 24 hours have passed since the recipient's last message", WRITE_FIRST]],
  [131049, [
    "Meta holds back marketing to this recipient, who gets enough of it",
    "Do not try again at once: wait a day or more",
  ]],
  [131050, ["the recipient has stopped marketing messages of this business", "Do not send marketing to them"]],
  [131062, ["this kind of message cannot be sent to a user id", "Send it to the phone number"]],
  // The request.
  [33, ["there is no such phone number: it may have been deleted", WRONG_ID]],
  [100, ["Meta does not take a parameter of the request", "Look at Meta's text for its name"]],
  [131008, ["a parameter is missing", "Look at Meta's text for its name"]],
  [131009, ["Meta does not take the value of a parameter", "Look at Meta's text for its name"]],
  [131051, ["Meta does not take this type of message", "Send another type"]],
  [131052, ["Meta cannot fetch the media", "Upload the file: --file"]],
  [131053, [
    "Meta does not take the media: its type, its size, or its codec",
    "Compare with the supported types: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media",
  ]],
  [803, ["there is no object with this id, or the token may not see it", WRONG_ID]],
  // Templates.
  [132000, ["the number of --param is not that of the parameters in the template", COMPARE_TEMPLATE]],
  [132001, [
    "there is no approved template of this name in this language",
    "Compare --template and --language with WhatsApp Manager > Message templates: en is not en_US",
  ]],
  [132005, ["the text is too long once its parameters are filled in", "Shorten the values of --param"]],
  [132007, ["the template violates a policy of Meta", OTHER_TEMPLATE]],
  [132012, ["a parameter has not the form that the template asks for", COMPARE_TEMPLATE]],
  [132015, ["the template is paused for low quality", OTHER_TEMPLATE]],
  [132016, ["the template is disabled for low quality", OTHER_TEMPLATE]],
  [132068, ["the flow of the template is blocked", "Mend the flow in WhatsApp Manager > Flows"]],
  [132069, ["the flow of the template is throttled", "Mend the flow in WhatsApp Manager > Flows"]],
  // The number.
  [131045, ["the number is not registered", REGISTER]],
  [133000, ["the number was not deregistered completely", "Deregister it again, then register it"]],
  [133005, [
    "the two-step PIN is wrong",
    "Set another one in WhatsApp Manager > Phone numbers > Two-step verification",
  ]],
  [133006, ["the number has to be verified before it is registered", "Verify it in WhatsApp Manager > Phone numbers"]],
  [133008, ["too many wrong two-step PINs", "Wait as long as Meta's text says"]],
  [133009, ["the two-step PIN was entered too fast", "Wait as long as Meta's text says"]],
  [133010, ["the number is not registered", REGISTER]],
  [133015, ["the number was deleted a moment ago", "Wait 5 minutes"]],
  // The API.
  [1, ["a fault of the API, or a request that it does not understand", STATUS_PAGE]],
  [2, ["the API is not available now", STATUS_PAGE]],
  [131000, ["a fault of the API that it does not name", STATUS_PAGE]],
  [131016, ["the API is not available now", STATUS_PAGE]],
  [131057, ["the account is in maintenance", LATER]],
  [133004, ["the API is not available now", STATUS_PAGE]],
  [135000, ["a fault of the API, perhaps of the request", "Compare the request with --dry-run"]],
  // Callbacks.
  [2200, [
    "Meta could not verify the callback URL: its GET was not answered with the challenge",
    "Check it with setup --callback URL, and that a firewall lets Meta in",
  ]],
  [2201, ["the callback URL answered Meta's GET, but not with the challenge", "Check it with setup --callback URL"]],
]);

/** 200 to 299 are permissions of the Graph API, except those above. */
const PERMISSION: Entry = ["the token lacks a permission, or the app may not act for this account", GRANT];

const BY_STATUS: ReadonlyMap<number, Entry> = new Map<number, Entry>([
  [401, ["the access token is not accepted", NEW_TOKEN]],
  [404, ["the API does not know the path", "Check --api, and the ids"]],
  [429, ["too many calls in a short time", FEWER]],
]);

/**
 * Explains why a call of the Graph API failed.
 *
 * @param error The error of the call.
 * @returns Meta's code, its meaning, and the remedy.
 */
export function explainApiError(error: unknown): ApiProblem {
  if (!(error instanceof WhatsAppApiError)) return { meaning: errorText(describe(error)) };
  const { graph, status } = error;
  const entry = graph === undefined ? BY_STATUS.get(status) : entryOf(graph.code, graph.subcode);
  const [meaning, remedy] = entry ?? [];
  return {
    code: graph?.code,
    subcode: graph?.subcode,
    meaning: meaning ?? describe(error),
    remedy: remedy ?? (status >= 500 ? STATUS_PAGE : undefined),
    says: textOf(textOf(graph?.message, graph?.details), graph?.userMessage),
    traceId: graph?.traceId,
  };
}

function entryOf(code: number, subcode: number | undefined): Entry | undefined {
  return SUBCODES.get(`${code}/${subcode}`) ?? CODES.get(code) ?? (code >= 200 && code <= 299 ? PERMISSION : undefined);
}

/** Joins two texts of Meta's: the first one often ends with the second one. */
function textOf(message: string | undefined, details: string | undefined): string | undefined {
  if (message === undefined || details === undefined || message.includes(details)) return message ?? details;
  return `${message}: ${details}`;
}

/**
 * Writes a problem for people.
 *
 * @param problem The problem.
 * @returns A line with the meaning, and one each with the remedy and Meta's text, if there are some.
 */
export function problemLines({ code, subcode, meaning, remedy, says, traceId }: ApiProblem): string[] {
  const number = code === undefined ? "" : `Meta's code ${code}${subcode === undefined ? "" : `/${subcode}`}: `;
  const trace = traceId === undefined ? "" : ` (fbtrace_id ${traceId})`;
  return [
    `${number}${meaning}`,
    ...(remedy === undefined ? [] : [`To mend it: ${remedy}`]),
    ...(says === undefined ? [] : [`Meta says: ${says}${trace}`]),
  ];
}
