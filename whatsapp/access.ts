/**
 * Who may do what on a `WhatsAppServer`: the apps whose notifications it takes, and the tokens of receivers.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { assertWellFormed } from "../base/ranges.ts";
import { assertSecrets, isSecret, listOf } from "../base/secrets.ts";
import { checkFilter, type WhatsAppFilter } from "../cloud_api/filter.ts";
import { TOKEN_PROTOCOL_PREFIX } from "./receiver.ts";
import { equalSecrets, verifySignature } from "../cloud_api/signature.ts";

/** One of Meta's apps: a path of its own, with its secrets. */
export interface WhatsAppApp {
  /** The path of its webhook. */
  pathName: string;
  /** What Meta must show to have the URL verified: one, or several. */
  verifyToken?: string | readonly string[];
  /** Its app secret; several while one is replaced. `null`: unsigned notifications are taken, from anybody. */
  appSecret: string | readonly string[] | null;
}

/** What one receiver shows, and what it may have. */
export interface ReceiverToken {
  /** The secret. */
  token: string;
  /**
   * Who shows it. Receivers with different tokens that have names are different, even if they call themselves the same: none can
   * acknowledge what belongs to another. Tokens of one name, as while one is replaced, have one filter. A token with a filter and no name is different by itself: give it a name, so that its
   * receivers go on where they were when the token is replaced.
   */
  name?: string;
  /**
   * Changes that the token may have; without it everything. A notification of which it may have a part, or in which something is not known
   * here, comes without the rest, and without signature.
   */
  filter?: WhatsAppFilter;
}

/** The tokens of receivers, in one of the ways in which they can be given. */
export type ReceiverTokens = string | readonly (string | ReceiverToken)[];

/** How often somebody was refused, since the server was made. */
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
 * Compares what was shown with several secrets, all of them each time.
 *
 * @param shown What was shown.
 * @param secrets The secrets; empty ones match nothing.
 * @returns Whether it is one of them.
 */
export function isOneOf(shown: string, secrets: readonly string[]): boolean {
  let found = false;
  for (const secret of secrets) if (equalSecrets(shown, secret) && secret !== "") found = true;
  return found;
}

/**
 * Whether a notification is authentic for an app.
 *
 * @param app The app.
 * @param body The notification.
 * @param signature What it shows.
 * @returns `true` if its signature fits, or none is asked for.
 */
export function isAuthentic({ appSecret }: WhatsAppApp, body: Uint8Array, signature: string): boolean {
  if (appSecret === null) return true;
  const secrets = listOf(appSecret).filter(isSecret);
  return secrets.length > 0 && verifySignature(body, signature, secrets);
}

/**
 * The tokens of receivers, checked.
 *
 * @param tokens What was given.
 * @returns A list.
 * @throws {OptionError} If one is empty, its name or filter is not usable, a name has two filters, or a token two names or filters.
 */
export function checkReceiverTokens(tokens: ReceiverTokens): ReceiverToken[] {
  const list = typeof tokens === "string" ? [tokens] : tokens;
  // Field by field: a filter that is inherited, as of a class, would be overlooked, and so let everything through.
  const checked = list.map((entry) => {
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

/** Names keep their place for one filter: another one would move it past what it must not see. */
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

/** The same for filters that let the same through, but for the order and number of the same entries. */
function filterKey(filter: WhatsAppFilter | undefined): string {
  if (filter === undefined) return "";
  const lists = [filter.phoneNumberIds, filter.accountIds, filter.fields];
  return JSON.stringify(lists.map((list) => list === undefined ? null : [...new Set(list)].sort()));
}

/**
 * Finds whose token was shown, comparing with all of them each time.
 *
 * @param headers The header fields of the handshake request.
 * @param tokens The tokens.
 * @returns The one that was shown, or `undefined`.
 */
export function findReceiver(headers: Headers, tokens: readonly ReceiverToken[]): ReceiverToken | undefined {
  const shown = shownToken(headers);
  let found: ReceiverToken | undefined;
  for (const entry of tokens) if (equalSecrets(shown, entry.token) && entry.token !== "") found = entry;
  return found;
}

/**
 * The name under which the journal keeps how far a receiver has come. A token with a name or a filter has names of its own, so that its
 * receivers cannot move on those of others past what these have not seen.
 *
 * @param name What the receiver calls itself.
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

/** Characters of 6 bits each: enough that no two tokens have the same. */
const DIGEST_LENGTH = 22;

/** The token a receiver shows: in `Authorization`, or as an entry of `Sec-WebSocket-Protocol`. */
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
