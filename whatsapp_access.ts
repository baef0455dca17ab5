/**
 * Who may do what on a `WhatsAppServer`: the apps whose notifications it takes, and the tokens of receivers.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import { assertWellFormed } from "./ranges.ts";
import { checkFilter, type WhatsAppFilter } from "./whatsapp_filter.ts";
import { TOKEN_PROTOCOL_PREFIX } from "./whatsapp_receiver.ts";
import { equalSecrets, verifySignature } from "./whatsapp_signature.ts";

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
   * acknowledge what belongs to another.
   */
  name?: string;
  /** What it may have; without it everything. A notification of which it may have a part comes without the rest, and without signature. */
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
 * One or several texts as a list.
 *
 * @param value What was given.
 * @returns The list.
 */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

/**
 * Checks secrets.
 *
 * @param name The setting.
 * @param secrets One, or several.
 * @throws {OptionError} If one is empty or no text: it would match what shows nothing.
 */
export function assertSecrets(name: string, secrets: string | readonly string[]): void {
  const list = listOf(secrets);
  if (list.length > 0 && list.every((secret) => typeof secret === "string" && secret !== "")) return;
  throw new OptionError(`Cannot start: "${name}" is empty, or has an entry that is`);
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
  const secrets = listOf(appSecret).filter((secret) => secret !== "");
  return verifySignature(body, signature, secrets);
}

/**
 * The tokens of receivers, checked.
 *
 * @param tokens What was given.
 * @returns A list.
 * @throws {OptionError} If one is empty, or its name or filter is not usable.
 */
export function checkReceiverTokens(tokens: ReceiverTokens): ReceiverToken[] {
  const list = typeof tokens === "string" ? [tokens] : tokens;
  const checked = list.map((entry) => typeof entry === "string" ? { token: entry } : { ...entry });
  assertSecrets("receiverToken", checked.map(({ token }) => token));
  for (const { name, filter } of checked) {
    if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("\n"))) {
      throw new OptionError('Cannot start: a "name" of "receiverToken" is empty, or has more than one line');
    }
    if (name !== undefined) assertWellFormed('Cannot start: a "name" of "receiverToken"', name);
    if (filter !== undefined) checkFilter(filter);
  }
  return checked;
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

/**
 * Whether a distinguished name, as a proxy reports that of a client certificate, has a common name and no other one.
 *
 * @param subject As in RFC 4514 (`CN=a,O=b`), or with slashes (`/O=b/CN=a`).
 * @param commonName The common name.
 * @returns `true` if its only `CN` is that.
 */
export function hasCommonName(subject: string, commonName: string): boolean {
  const slashes = subject.startsWith("/");
  const names: string[] = [];
  for (const attribute of splitUnescaped(subject, slashes ? "/" : ",")) {
    const equals = attribute.indexOf("=");
    if (attribute.slice(0, equals).trim().toLowerCase() === "cn") names.push(attribute.slice(equals + 1).trim());
  }
  return names.length === 1 && names[0].toLowerCase() === commonName.toLowerCase();
}

/** What stands between separators; one behind a backslash, or in quotes, is none. */
function splitUnescaped(text: string, separator: string): string[] {
  const parts = [""];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    if (char === separator && !quoted) parts.push("");
    else parts[parts.length - 1] += char === "\\" ? char + (text[++at] ?? "") : char;
  }
  return parts;
}
