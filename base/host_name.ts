/**
 * Checks of the host names and addresses that a program gives, so that they are the same on each runtime.
 *
 * @module
 */

import { quote, redactUrl } from "./error_text.ts";
import { OptionError } from "./errors.ts";
import { isVisibleAscii } from "./token.ts";

/** Delimiters of a URL: they would lead elsewhere, or follow a password. */
const DELIMITERS = "/\\?#@";
/** Characters of an IPv6 address, which may have brackets; a zone may follow it. */
const IPV6 = "0123456789abcdefABCDEF:.[]";

/**
 * Checks the setting `hostname`, or another one of a host name.
 *
 * @param hostname A host name or address; an IPv6 address with or without brackets.
 * @param forAll Hint for an empty name and for `"*"`.
 * @param setting The setting.
 * @throws {OptionError} If it is none.
 */
export function assertHostName(hostname: string, forAll = "", setting = "hostname"): void {
  const remedy = faultOf(hostname, forAll);
  if (remedy === undefined) return;
  const shown = quote(redactUrl(hostname));
  throw new OptionError(`The setting "${setting}" is ${shown}, not a host name or address${remedy && `: ${remedy}`}`);
}

/** Returns the remedy, or "" if none is known; `undefined` if nothing is wrong. */
function faultOf(name: string, forAll: string): string | undefined {
  if (name === "" || name === "*") return forAll;
  if (name.includes("://")) return "it must not have a scheme";
  if (name.trim() !== name) return "it must not have white space around it";
  for (const char of name) if (DELIMITERS.includes(char)) return "it must not have a path or credentials";
  if (!isVisibleAscii(name)) return "it may have visible ASCII characters only; other names begin with xn--";
  return name.includes(":") && !isIPv6(name) ? 'the port is the setting "port"' : undefined;
}

function isIPv6(text: string): boolean {
  const zone = text.indexOf("%");
  const address = zone === -1 ? text : text.slice(0, zone);
  let colons = 0;
  for (const char of address) {
    if (!IPV6.includes(char)) return false;
    if (char === ":") colons++;
  }
  return colons >= 2 && address.startsWith("[") === text.endsWith("]");
}

/**
 * Takes the brackets off an IPv6 address.
 *
 * @param hostname A host name or address, as it stands in a URL or without brackets.
 * @returns The same without brackets.
 */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}
