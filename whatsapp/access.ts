/**
 * Access to a `WhatsAppServer`: the apps whose notifications it takes, and the tokens of receivers.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { OptionNames, type OptionTable } from "../base/option_names.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { assertSecrets, isSecret, listOf } from "../base/secrets.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";
import { TOKEN_PROTOCOL_PREFIX } from "./protocols.ts";
import { equalSecrets, verifySignature } from "../cloud_api/signature.ts";

/** One of Meta's apps: a path of its own, with its secrets. */
export interface WhatsAppApp {
  /** The path of its webhook. */
  pathName: string;
  /** Token, or several, that Meta shows to verify the URL. */
  verifyToken?: string | readonly string[] | undefined;
  /** Its app secret; several while one is replaced. `null`: unsigned notifications are taken, from any client. */
  appSecret: string | readonly string[] | null;
}

/** Token of receivers, with the notifications that it allows. */
export interface ReceiverToken {
  /** The secret. */
  token: string;
  /**
   * Owner of the token. Receivers whose tokens have different names are different receivers, even if they use the same
   * name: none can acknowledge notifications of another. Tokens of one name, as while one is replaced, have one filter.
   * A token with a filter and no name is an owner by itself: give it a name, so that its receivers keep their positions
   * when the token is replaced.
   */
  name?: string | undefined;
  /**
   * Changes that the token allows; without it all. A notification that is allowed in part, or has members unknown here,
   * comes without the rest, and without signature.
   */
  filter?: WhatsAppFilter | undefined;
}

/** The tokens of receivers, in one of the ways in which they can be given. */
export type ReceiverTokens = string | readonly (string | ReceiverToken)[];

/** Number of refused attempts since the server was made, by reason. */
export interface FailedAttempts {
  /** Receivers without a valid token. */
  receiverToken: number;
  /** Verifications of the URL without a valid token. */
  verifyToken: number;
  /** Notifications whose signature is missing or wrong. */
  signature: number;
  /** Notifications that came without Meta's client certificate. */
  clientCertificate: number;
}

/**
 * Compares a secret that a client shows with all known secrets, so that the time tells nothing.
 *
 * @param shown The secret shown.
 * @param secrets The known secrets; empty ones match nothing.
 * @returns `true` if it is one of them.
 */
export function isOneOf(shown: string, secrets: readonly string[]): boolean {
  let found = false;
  for (const secret of secrets) if (equalSecrets(shown, secret) && secret !== "") found = true;
  return found;
}

/**
 * Checks that a notification is authentic for an app.
 *
 * @param app The app.
 * @param body The notification.
 * @param signature Its signature.
 * @returns `true` if its signature fits, or none is asked for.
 */
export function isAuthentic({ appSecret }: WhatsAppApp, body: Uint8Array, signature: string): boolean {
  if (appSecret === null) return true;
  const secrets = listOf(appSecret).filter(isSecret);
  return secrets.length > 0 && verifySignature(body, signature, secrets);
}

/**
 * Checks the tokens of receivers.
 *
 * @param tokens The tokens, as given in the options.
 * @returns The tokens as a list.
 * @throws {OptionError} If one is empty, its name or filter is not usable, a name has two filters, or a token two names
 * or filters.
 */
export function checkReceiverTokens(tokens: ReceiverTokens): ReceiverToken[] {
  const list = typeof tokens === "string" ? [tokens] : tokens;
  // Field by field: a filter that is inherited, as of a class, would be overlooked, and so let everything through.
  const checked = list.map((entry) => {
    assertTokenEntry(entry);
    return typeof entry === "string"
      ? { token: entry }
      : { token: entry.token, name: entry.name, filter: entry.filter };
  });
  assertSecrets("receiverToken", checked.map(({ token }) => token));
  for (const { name, filter } of checked) {
    if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("\n"))) {
      throw new OptionError('Cannot start: a "name" of "receiverToken" is empty, or has more than one line');
    }
    if (name !== undefined) assertWellFormed('Cannot start: a "name" of "receiverToken"', name);
    if (filter !== undefined) checkFilter(filter);
  }
  assertUnambiguous(checked);
  return checked;
}

const TOKEN_NAMES: OptionTable<ReceiverToken> = { token: true, name: true, filter: true };
const TOKEN_OPTIONS = new OptionNames('An entry of "receiverToken"', {
  tables: [TOKEN_NAMES],
  hints: { receiverToken: 'use "token"', secret: 'use "token"', value: 'use "token"' },
  example: () => "{ token, name, filter }",
});

/**
 * Checks the names of an entry of `receiverToken`: a filter with a misspelt name would let everything through.
 *
 * @param entry The entry.
 * @throws {OptionError} If it is neither a text, nor an object of the known names.
 */
export function assertTokenEntry(entry: unknown): void {
  if (typeof entry !== "string") TOKEN_OPTIONS.assert(entry);
}

/**
 * Refuses a name with two filters: a receiver with one of them would move the position past notifications of the other.
 */
function assertUnambiguous(tokens: readonly ReceiverToken[]): void {
  const names = new Map<string, ReceiverToken>();
  const secrets = new Map<string, ReceiverToken>();
  for (const entry of tokens) {
    const { token, name, filter } = entry;
    const namesake = name === undefined ? entry : names.get(name) ?? entry;
    if (!sameFilter(namesake.filter, filter)) {
      throw new OptionError(`Cannot start: tokens with the name ${quote(name!)} have different filters`);
    }
    const twin = secrets.get(token) ?? entry;
    if (twin.name !== name || !sameFilter(twin.filter, filter)) {
      throw new OptionError('Cannot start: a token stands in "receiverToken" twice, with different names or filters');
    }
    if (name !== undefined) names.set(name, entry);
    secrets.set(token, entry);
  }
}

function sameFilter(one: WhatsAppFilter | undefined, other: WhatsAppFilter | undefined): boolean {
  return one === other || filterKey(one) === filterKey(other);
}

/** Key of a filter; equal for filters whose lists have the same entries, in any order. */
function filterKey(filter: WhatsAppFilter | undefined): string {
  if (filter === undefined) return "";
  const lists = [filter.phoneNumberIds, filter.accountIds, filter.fields];
  return JSON.stringify(lists.map((list) => list === undefined ? null : [...new Set(list)].sort()));
}

/**
 * Finds the token that a handshake shows; compares it with all tokens, so that the time tells nothing.
 *
 * @param headers The header fields of the handshake request.
 * @param tokens The tokens.
 * @returns The token; `undefined` if it is none of them.
 */
export function findReceiver(headers: Headers, tokens: readonly ReceiverToken[]): ReceiverToken | undefined {
  const shown = shownToken(headers);
  let found: ReceiverToken | undefined;
  for (const entry of tokens) if (equalSecrets(shown, entry.token) && entry.token !== "") found = entry;
  return found;
}

/**
 * Makes the name under which the journal stores the position of a receiver. A token with a name or a filter has names
 * of its own, so that its receivers cannot move the position of others past notifications that these have not got.
 *
 * @param name Name in the hello of the receiver.
 * @param token The token it showed, if any.
 * @returns The name; from the token only its digest may be in it.
 */
export function cursorName(name: string, token: ReceiverToken | undefined): string {
  // A line feed stands in no name, neither of a token nor of a receiver, and no token has an empty one.
  if (token?.name !== undefined) return `${token.name}\n${name}`;
  if (token?.filter === undefined) return name;
  const digest = createHash("sha256").update(`receiver token\n${token.token}`).digest("base64url");
  return `\n${digest.slice(0, DIGEST_LENGTH)}\n${name}`;
}

/** Characters of 6 bits each: enough for two tokens never to have the same digest. */
const DIGEST_LENGTH = 22;

/** Reads the token that a receiver shows: in `Authorization`, or as an entry of `Sec-WebSocket-Protocol`. */
function shownToken(headers: Headers): string {
  const authorization = headers.get("authorization") ?? "";
  if (authorization.slice(0, 7).toLowerCase() === "bearer ") return authorization.slice(7).trim();
  for (const entry of (headers.get("sec-websocket-protocol") ?? "").split(",")) {
    const protocol = entry.trim();
    if (protocol.startsWith(TOKEN_PROTOCOL_PREFIX)) return decodeToken(protocol.slice(TOKEN_PROTOCOL_PREFIX.length));
  }
  return "";
}

function decodeToken(base64url: string): string {
  try {
    const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  } catch {
    return "";
  }
}
