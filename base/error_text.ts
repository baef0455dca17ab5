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
const DIGITS = "0123456789";
/** Characters of a scheme. */
const SCHEME = `${DIGITS}+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ`;
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
  if (scheme > 0 && isMadeOf(SCHEME, text.slice(0, scheme))) {
    return text.slice(0, scheme + 3) + redactAuthority(text.slice(scheme + 3));
  }
  const end = indexOfAny(text, "?#");
  const shown = end === text.length ? text : `${text.slice(0, end + 1)}…`;
  return text.startsWith("/") || !text.includes("@") ? shown : "…";
}

/** @param text The text after "://". */
function redactAuthority(text: string): string {
  const end = indexOfAny(text, "?#");
  const at = text.lastIndexOf("@");
  // A password may hold "?" and "#".
  if (at > end) return "…";
  const shown = at === -1 ? withoutWrongPort(text.slice(0, end)) : `…${text.slice(at, end)}`;
  return end === text.length ? shown : `${shown}${text[end]}…`;
}

/** Hides a port that is not a number: it may be a password whose "@" was forgotten. */
function withoutWrongPort(text: string): string {
  const end = indexOfAny(text, "/");
  const host = text.slice(0, end);
  const colon = host.lastIndexOf(":");
  if (colon <= host.lastIndexOf("]") || isMadeOf(DIGITS, host.slice(colon + 1))) return text;
  return `${text.slice(0, colon + 1)}…${text.slice(end)}`;
}

/** Finds the first of some characters; the length if there is none. */
function indexOfAny(text: string, characters: string, from = 0): number {
  let at = from;
  while (at < text.length && !characters.includes(text[at]!)) at++;
  return at;
}

function isMadeOf(characters: string, text: string): boolean {
  for (const char of text) if (!characters.includes(char)) return false;
  return true;
}

/** Errors of the runtimes quote URLs as they were given. */
function withoutUrlSecrets(text: string): string {
  let safe = "";
  let done = 0;
  for (let at = text.indexOf("://"); at !== -1; at = text.indexOf("://", Math.max(done, at + 3))) {
    if (!SCHEME.includes(text[at - 1] ?? " ")) continue;
    const begin = at + 3;
    let end = indexOfAny(text, AFTER_URL, begin);
    while (end > begin && ").,:;'".includes(text[end - 1]!)) end--;
    safe += text.slice(done, begin) + redactAuthority(text.slice(begin, end));
    done = end;
  }
  return safe + text.slice(done);
}

function withoutPem(text: string): string {
  const [before, ...blocks] = text.split("-----BEGIN ");
  // Without an end nothing of it is shown.
  return before +
    blocks.map((block) => `(PEM)${block.split("-----END ")[1]?.split("-----").slice(1).join("-----") ?? ""}`)
      .join("");
}

/** `Bearer …` and `Basic …` as values, and the subprotocol entries that carry a token: see `tokenProtocol`. */
function withoutCredentials(text: string): string {
  let safe = "";
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const begin = at + credentialPrefix(text, at);
    const end = begin === at ? at : indexOfAny(text, AFTER_CREDENTIAL, begin);
    if (end === begin) continue;
    safe += `${text.slice(done, begin)}…`;
    done = end;
    at = end - 1;
  }
  return safe + text.slice(done);
}

/** The length of what announces a credential here; 0: nothing does. */
function credentialPrefix(text: string, at: number): number {
  if (text[at] !== "b" && text[at] !== "B") return 0;
  if (text.startsWith("bearer.", at)) return 7;
  const word = text.slice(at, at + 7).toLowerCase();
  let length = word === "bearer " ? 7 : word.startsWith("basic ") ? 6 : 0;
  if (length === 0) return 0;
  while (text[at + length] === " ") length++;
  let before = at - 1;
  while (before >= 0 && text[before] === " ") before--;
  return before >= 0 && BEFORE_CREDENTIAL.includes(text[before]!) ? length : 0;
}
