/**
 * The text of errors: one line of bounded length, without passwords, tokens and keys, and without characters that a
 * terminal obeys.
 *
 * @module
 */

import { printable } from "./log.ts";

/** The most characters of a message. */
export const MAX_MESSAGE: number = 1000;
/** The most characters of a value that a message quotes. */
const MAX_QUOTED = 128;
/** Number of characters of a text that are read: later ones would not be shown. */
const MAX_READ = 16 * MAX_MESSAGE;
const PEM_BEGIN = "-----BEGIN ";
const PEM_END = "-----END ";
/** Ends a URL in the middle of a text. A password may hold any other character. */
const AFTER_URL = ' \t\r\n"<>`';
/** Ends the value of a credential. */
const AFTER_CREDENTIAL = " \t\r\n\"'<>`,;)";
/** Stands before a credential that is not part of a sentence. */
const BEFORE_CREDENTIAL = "\"':=";

/**
 * Makes a text fit for a message: user names, passwords and queries of URLs, PEM blocks, and values of `Authorization`
 * are left out, control characters and what turns the direction of writing are shown, and the length is bounded.
 *
 * @param text The text, with values of a peer or a program in it.
 * @returns One line.
 */
export function errorText(text: string): string {
  const safe = printable(withoutSecrets(text));
  return safe.length <= MAX_MESSAGE ? safe : `${cut(safe, MAX_MESSAGE - 1)}…`;
}

/**
 * Quotes a value of a peer or a program in a message.
 *
 * @param value The value.
 * @returns The value in double quotes, or its beginning.
 */
export function quote(value: string): string {
  const safe = withoutSecrets(value);
  return safe.length <= MAX_QUOTED ? `"${safe}"` : `"${cut(safe, MAX_QUOTED)}…"`;
}

function withoutSecrets(text: string): string {
  return withoutCredentials(withoutUrlSecrets(withoutPem(text.slice(0, MAX_READ))));
}

/** Does not cut a character in two. */
function cut(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}

/**
 * A URL, or what was given as one, without user name, password, query and fragment.
 *
 * @param url The URL, valid or not.
 * @returns Scheme, host and path; less if it cannot be told where a password ends.
 */
export function redactUrl(url: string | URL): string {
  const text = String(url);
  const scheme = text.indexOf("://");
  if (scheme !== -1 && isScheme(text.slice(0, scheme))) {
    return text.slice(0, scheme + 3) + redactAuthority(text.slice(scheme + 3));
  }
  const end = endOfPath(text);
  const shown = end === text.length ? text : `${text.slice(0, end)}${text[end]}…`;
  return text.startsWith("/") || !text.includes("@") ? shown : "…";
}

/** @param text The text after "://". */
function redactAuthority(text: string): string {
  const end = endOfPath(text);
  const at = text.lastIndexOf("@");
  // A password may hold "?" and "#".
  if (at > end) return "…";
  const shown = at === -1 ? withoutWrongPort(text.slice(0, end)) : `…${text.slice(at, end)}`;
  return end === text.length ? shown : `${shown}${text[end]}…`;
}

/** Hides a port that is not a number: it may be a password whose "@" was forgotten. */
function withoutWrongPort(text: string): string {
  const slash = text.indexOf("/");
  const end = slash === -1 ? text.length : slash;
  const host = text.slice(0, end);
  const colon = host.lastIndexOf(":");
  if (colon <= host.lastIndexOf("]")) return text;
  for (let at = colon + 1; at < end; at++) {
    if (text[at]! < "0" || text[at]! > "9") return `${text.slice(0, colon + 1)}…${text.slice(end)}`;
  }
  return text;
}

/** Index at which query or fragment begin. */
function endOfPath(text: string): number {
  for (let at = 0; at < text.length; at++) if (text[at] === "?" || text[at] === "#") return at;
  return text.length;
}

function isScheme(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isSchemeCode(text.charCodeAt(at))) return false;
  return text !== "";
}

function isSchemeCode(code: number): boolean {
  const lower = code | 0x20;
  const alphanumeric = (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39);
  return alphanumeric || code === 0x2b || code === 0x2d || code === 0x2e;
}

/** Errors of the runtimes quote URLs as they were given. */
function withoutUrlSecrets(text: string): string {
  let safe = "";
  let done = 0;
  for (let at = text.indexOf("://"); at !== -1; at = text.indexOf("://", Math.max(done, at + 3))) {
    if (at === 0 || !isSchemeCode(text.charCodeAt(at - 1))) continue;
    const begin = at + 3;
    let end = begin;
    while (end < text.length && !AFTER_URL.includes(text[end]!)) end++;
    let last = end;
    while (last > begin && ").,:;'".includes(text[last - 1]!)) last--;
    safe += text.slice(done, begin) + redactAuthority(text.slice(begin, last));
    done = last;
  }
  return safe + text.slice(done);
}

function withoutPem(text: string): string {
  let safe = "";
  let done = 0;
  for (let at = text.indexOf(PEM_BEGIN); at !== -1; at = text.indexOf(PEM_BEGIN, done)) {
    safe += `${text.slice(done, at)}(PEM)`;
    const end = text.indexOf(PEM_END, at);
    if (end === -1) return safe;
    const after = text.indexOf("-----", end + PEM_END.length);
    if (after === -1) return safe;
    done = after + 5;
  }
  return safe + text.slice(done);
}

/** `Bearer …` and `Basic …` as values, and the subprotocol entries that carry a token: see `tokenProtocol`. */
function withoutCredentials(text: string): string {
  let safe = "";
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const length = credentialPrefix(text, at);
    if (length === 0) continue;
    let end = at + length;
    while (end < text.length && !AFTER_CREDENTIAL.includes(text[end]!)) end++;
    if (end === at + length) continue;
    safe += `${text.slice(done, at + length)}…`;
    done = end;
    at = end - 1;
  }
  return safe + text.slice(done);
}

/** The length of what announces a credential here; 0: nothing does. */
function credentialPrefix(text: string, at: number): number {
  const first = text.charCodeAt(at) | 0x20;
  if (first !== 0x62) return 0;
  if (text.startsWith("bearer.", at)) return 7;
  const word = text.slice(at, at + 7).toLowerCase();
  let length = word === "bearer " ? 7 : word.startsWith("basic ") ? 6 : 0;
  if (length === 0) return 0;
  while (text[at + length] === " ") length++;
  let before = at - 1;
  while (before >= 0 && text[before] === " ") before--;
  return before >= 0 && BEFORE_CREDENTIAL.includes(text[before]!) ? length : 0;
}
