/**
 * The client behind proxies, as header fields name it: `X-Forwarded-For` with `X-Forwarded-Proto`, or `Forwarded`
 * (RFC 7239).
 *
 * A proxy appends to the list that a client may have begun, so that it is read from the right: the client is the first
 * address that is not a trusted proxy. What stands left of it is never looked at.
 *
 * With both fields `X-Forwarded-For` counts: nearly all proxies write it, and pass on a `Forwarded` of the client.
 *
 * @module
 */

import { type AddressRanges, formatAddress, parseAddress, parseDecimal } from "../base/address_ranges.ts";
import type { HeaderFields } from "../protocol/head.ts";
import type { Address } from "../transport/transport.ts";

/** Largest number of entries that are looked at. */
const MAX_HOPS = 100;

/** A client behind trusted proxies. */
export interface ForwardedClient {
  /** Its address; if it is not told, that of the proxy that does not tell it. Port 0: not known. */
  readonly address: Address;
  /** `true` if the client uses TLS; `undefined`: the proxies do not tell. */
  readonly encrypted: boolean | undefined;
}

/** One entry of the list, as the proxy right of it has received the request. */
interface Hop {
  /** The text of an address, with port or without; `undefined`: the entry is malformed. */
  readonly node: string | undefined;
  /** The scheme, if the entry tells it. */
  readonly scheme: string | undefined;
}

/**
 * Finds the client of a request that came from a trusted proxy.
 *
 * @param fields The header fields.
 * @param proxies The trusted proxies.
 * @param peer Address of the proxy.
 * @returns The client.
 */
export function clientOf(fields: HeaderFields, proxies: AddressRanges, peer: Address): ForwardedClient {
  const lines = fields.all("x-forwarded-for");
  const hops = lines.length > 0 ? listedHops(lines) : forwardedHops(fields.all("forwarded"));
  let address = peer;
  let scheme: string | undefined;
  let count = 0;
  for (const hop of hops) {
    count++;
    const found = hop.node === undefined ? undefined : parseNode(hop.node);
    scheme = hop.scheme ?? scheme;
    if (found === undefined) break;
    address = found;
    if (count === MAX_HOPS || !proxies.has(found.hostname)) break;
  }
  return { address, encrypted: usesTls(schemeAt(fields, count) ?? scheme) };
}

// ---- X-Forwarded-For ---------------------------------------------------------------------------------------------

/** Entries of comma separated lists, from the last to the first. */
function* listedHops(lines: readonly string[]): Generator<Hop> {
  for (const entry of entriesFromRight(lines)) yield { node: entry, scheme: undefined };
}

function* entriesFromRight(lines: readonly string[]): Generator<string> {
  for (let line = lines.length - 1; line >= 0; line--) {
    const text = lines[line]!;
    for (let end = text.length; end >= 0;) {
      const comma = end === 0 ? -1 : text.lastIndexOf(",", end - 1);
      const entry = text.slice(comma + 1, end).trim();
      if (entry !== "") yield entry;
      end = comma;
    }
  }
}

/**
 * Finds the scheme in `X-Forwarded-Proto` that belongs to an entry. Most proxies write one value, others append to the
 * list.
 *
 * @param count Number of entries, from the right, up to that of the client.
 */
function schemeAt(fields: HeaderFields, count: number): string | undefined {
  const lines = fields.all("x-forwarded-proto");
  if (lines.length === 0) return undefined;
  let found: string | undefined;
  let at = 0;
  for (const entry of entriesFromRight(lines)) {
    found = entry;
    if (++at >= count) break;
  }
  return found;
}

/** Traefik writes the schemes of WebSocket for its requests. */
function usesTls(scheme: string | undefined): boolean | undefined {
  switch (scheme?.toLowerCase()) {
    case "https":
    case "wss":
      return true;
    case "http":
    case "ws":
      return false;
    default:
      return undefined;
  }
}

// ---- Forwarded ---------------------------------------------------------------------------------------------------

function* forwardedHops(lines: readonly string[]): Generator<Hop> {
  for (let line = lines.length - 1; line >= 0; line--) {
    for (const element of elementsFromRight(lines[line]!)) yield parseElement(element);
  }
}

/**
 * Splits a line at its commas that are not quoted, from the right: an unclosed quote of the client, to the left, cannot
 * hide what a proxy has appended.
 */
function* elementsFromRight(line: string): Generator<string> {
  let end = line.length;
  for (let at = end - 1; at >= 0; at--) {
    if (line[at] === '"') {
      at = openingQuote(line, at);
    } else if (line[at] === ",") {
      const element = line.slice(at + 1, end).trim();
      if (element !== "") yield element;
      end = at;
    }
  }
  const element = line.slice(0, end).trim();
  if (element !== "") yield element;
}

/** The index of the quote that begins a quoted text; -1: there is none. */
function openingQuote(line: string, closing: number): number {
  for (let at = closing - 1; at >= 0; at--) {
    if (line[at] !== '"') continue;
    let before = at;
    while (line[before - 1] === "\\") before--;
    if ((at - before) % 2 === 0) return at;
    at = before;
  }
  return -1;
}

/** Reads `for=` and `proto=` of an element. */
function parseElement(element: string): Hop {
  let node: string | undefined;
  let scheme: string | undefined;
  for (let at = 0; at < element.length;) {
    const equals = element.indexOf("=", at);
    const name = element.slice(at, Math.max(at, equals)).trim().toLowerCase();
    const value = equals === -1 ? undefined : valueAt(element, equals + 1);
    // A parameter that comes twice is ambiguous.
    if (value === undefined || (name === "for" && node !== undefined)) return { node: undefined, scheme: undefined };
    if (name === "for") node = value.text;
    else if (name === "proto") scheme = value.text;
    at = value.end;
  }
  return { node, scheme };
}

/** Reads a token or a quoted text up to the next semicolon; `undefined` if it is malformed. */
function valueAt(element: string, start: number): { text: string; end: number } | undefined {
  if (element[start] !== '"') {
    const semicolon = element.indexOf(";", start);
    const stop = semicolon === -1 ? element.length : semicolon;
    const text = element.slice(start, stop).trim();
    return text.includes('"') ? undefined : { text, end: stop + 1 };
  }
  let text = "";
  for (let at = start + 1; at < element.length; at++) {
    if (element[at] === '"') return endOfQuoted(element, at + 1, text);
    if (element[at] === "\\") at++;
    text += element[at] ?? "";
  }
  return undefined;
}

function endOfQuoted(element: string, start: number, text: string): { text: string; end: number } | undefined {
  let at = start;
  while (element[at] === " " || element[at] === "\t") at++;
  return at >= element.length || element[at] === ";" ? { text, end: at + 1 } : undefined;
}

// ---- Addresses ---------------------------------------------------------------------------------------------------

/**
 * Reads an address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
 *
 * @param text The text.
 * @returns The address in canonical form; `undefined` for `unknown`, a name such as `_hidden`, and what is malformed.
 */
export function parseNode(text: string): Address | undefined {
  const colon = text.lastIndexOf(":");
  const bracket = text.startsWith("[") ? text.indexOf("]") : -1;
  if (text.startsWith("[")) {
    const rest = text.slice(bracket + 1);
    if (bracket === -1 || (rest !== "" && !rest.startsWith(":"))) return undefined;
    const host = text.slice(1, bracket);
    return host.includes(":") ? makeAddress(host, rest.slice(1)) : undefined;
  }
  if (colon === -1 || colon !== text.indexOf(":")) return makeAddress(text, "");
  return makeAddress(text.slice(0, colon), text.slice(colon + 1));
}

function makeAddress(host: string, port: string): Address | undefined {
  const bytes = parseAddress(host);
  // A port may be hidden too.
  const number = port === "" || port.startsWith("_") ? 0 : parseDecimal(port, 65535);
  return bytes === undefined || number === undefined ? undefined : { hostname: formatAddress(bytes), port: number };
}
