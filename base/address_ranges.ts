/**
 * IP addresses and ranges of them: read, compared, and written in one form.
 *
 * @module
 */

import { quote } from "./error_text.ts";
import { OptionError } from "./errors.ts";
import { showValue } from "./option_names.ts";

/** Longest text that can be an address: an IPv6 address with an IPv4 tail, and a zone. */
const MAX_TEXT = 80;
/** First 12 bytes of an IPv4 address within IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;

/** Ranges by the words that stand for them; `"unix"` stands for peers without an address. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["loopback", ["127.0.0.0/8", "::1/128"]],
  ["private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
  ["unix", []],
]);

/**
 * Reads an IP address.
 *
 * @param text The address, without brackets and port; a zone such as `%eth0` is left out.
 * @returns Its 4 or 16 bytes; 4 for an IPv4 address within IPv6, such as `::ffff:192.0.2.1`. `undefined`: it is no
 * address.
 */
export function parseAddress(text: string): Uint8Array | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (!text.includes(":")) return parseIPv4(text);
  const percent = text.indexOf("%");
  const bytes = parseIPv6(percent === -1 ? text : text.slice(0, percent));
  return bytes !== undefined && isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** Leading zeros are refused: some programs take `010` for 8. */
function parseIPv4(text: string): Uint8Array | undefined {
  const octets = text.split(".");
  if (octets.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let at = 0; at < 4; at++) {
    const value = parseDecimal(octets[at]!, 255);
    if (value === undefined) return undefined;
    bytes[at] = value;
  }
  return bytes;
}

/**
 * Reads a decimal number without leading zeros.
 *
 * @param text The digits.
 * @param most The largest number.
 * @returns The number; `undefined`: it is none, or too large.
 */
export function parseDecimal(text: string, most: number): number | undefined {
  if (text.length === 0 || text.length > 5 || (text.length > 1 && text[0] === "0")) return undefined;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value > most ? undefined : value;
}

function parseIPv6(text: string): Uint8Array | undefined {
  const gap = text.indexOf("::");
  if (gap === -1) return parseGroups(text, 16);
  const before = text.slice(0, gap);
  // An IPv4 address is at the end only.
  const head = before.includes(".") ? undefined : parseGroups(before, 14);
  const tail = parseGroups(text.slice(gap + 2), 14);
  if (head === undefined || tail === undefined || head.length + tail.length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Reads groups between colons; the last may be an IPv4 address. `length` is the most bytes; 16: exactly so many. */
function parseGroups(text: string, length: number): Uint8Array | undefined {
  const bytes: number[] = [];
  const groups = text === "" ? [] : text.split(":");
  for (const [at, group] of groups.entries()) {
    if (at === groups.length - 1 && group.includes(".")) {
      const tail = parseIPv4(group);
      if (tail === undefined) return undefined;
      bytes.push(...tail);
      continue;
    }
    const value = parseGroup(group);
    if (value === undefined) return undefined;
    bytes.push(value >> 8, value & 0xff);
  }
  const fits = length === 16 ? bytes.length === 16 : bytes.length <= length;
  return fits ? Uint8Array.from(bytes) : undefined;
}

function parseGroup(group: string): number | undefined {
  if (group.length === 0 || group.length > 4) return undefined;
  let value = 0;
  for (let at = 0; at < group.length; at++) {
    const code = group.charCodeAt(at);
    const lower = code | 0x20;
    if (code >= 0x30 && code <= 0x39) value = value * 16 + code - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return undefined;
  }
  return value;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/**
 * Writes an address in the form of RFC 5952.
 *
 * @param bytes Its 4 or 16 bytes.
 * @returns The text, without brackets; an IPv4 address within IPv6 as IPv4.
 */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes[2 * at]! << 8 | bytes[2 * at + 1]!);
  const { start, length } = longestZeros(groups);
  const write = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return length < 2 ? write(groups) : `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`;
}

/** Finds the longest run of zero groups, the first of several. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** One range. */
interface Range {
  /** An address in it, 4 or 16 bytes. */
  readonly base: Uint8Array;
  /** Number of first bits that all of its addresses have. */
  readonly bits: number;
}

/** A set of addresses. */
export class AddressRanges {
  readonly #ranges: readonly Range[];
  readonly #unix: boolean;

  /**
   * Makes a set.
   *
   * @param entries Addresses, ranges such as `10.0.0.0/8`, and the words `loopback`, `private` and `unix`.
   * @throws {OptionError} If one is none of these.
   */
  constructor(entries: readonly string[]) {
    assertAddressRanges(entries, "ranges");
    this.#unix = entries.includes("unix");
    this.#ranges = entries.flatMap((entry) => WORDS.get(entry) ?? [entry]).map((entry) => parseRange(entry)!);
  }

  /**
   * Finds out if an address is in the set.
   *
   * @param hostname The address; "" stands for the peer of a Unix socket.
   * @returns `true` if it is.
   */
  has(hostname: string): boolean {
    if (hostname === "") return this.#unix;
    const address = parseAddress(hostname);
    return address !== undefined && this.#ranges.some((range) => contains(range, address));
  }
}

function contains({ base, bits }: Range, address: Uint8Array): boolean {
  if (base.length !== address.length) return false;
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (base[at] !== address[at]) return false;
  const rest = bits & 7;
  return rest === 0 || ((base[whole]! ^ address[whole]!) >> (8 - rest)) === 0;
}

function parseRange(entry: string): Range | undefined {
  const slash = entry.indexOf("/");
  const text = slash === -1 ? entry : entry.slice(0, slash);
  const base = parseAddress(text);
  if (base === undefined || text.includes("%")) return undefined;
  const most = text.includes(":") ? 128 : 32;
  const written = slash === -1 ? most : parseDecimal(entry.slice(slash + 1), most);
  if (written === undefined) return undefined;
  const bits = base.length === 4 && most === 128 ? written - MAPPED_BITS : written;
  return bits < 0 ? undefined : { base, bits };
}

/**
 * Checks a list of addresses and ranges.
 *
 * @param entries The list.
 * @param name The setting, for the message.
 * @throws {OptionError} If an entry is no address, range, or word.
 */
export function assertAddressRanges(entries: readonly unknown[], name: string): void {
  for (const entry of entries) {
    if (typeof entry === "string" && (WORDS.has(entry) || parseRange(entry) !== undefined)) continue;
    const shown = typeof entry === "string" ? quote(entry) : showValue(entry);
    throw new OptionError(`The setting "${name}" has ${shown}, which is no address or range${hintFor(entry)}`);
  }
}

function hintFor(entry: unknown): string {
  if (typeof entry !== "string") return ': write it as "192.0.2.1" or "10.0.0.0/8"';
  if (entry === "*" || entry === "all" || entry === "true") {
    return ': list the proxies, since any client could forge its address; "private" stands for private networks';
  }
  if (entry === "localhost") return ': write "loopback"';
  if (WORDS.has(entry.toLowerCase())) return `: write "${entry.toLowerCase()}"`;
  if (entry.includes("%")) return ": leave the zone out";
  const slash = entry.indexOf("/");
  const text = slash === -1 ? entry : entry.slice(0, slash);
  if (slash !== -1 && parseAddress(text) !== undefined) return `: the number of bits is ${bitsOf(text)}`;
  if (text.startsWith("[")) return ": leave brackets and port out";
  if (parseAddress(text.slice(0, Math.max(0, text.lastIndexOf(":")))) !== undefined) return ": leave the port out";
  return ': write it as "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "loopback", "private" or "unix"';
}

function bitsOf(address: string): string {
  if (!address.includes(":")) return "0 to 32";
  return parseAddress(address)!.length === 4 ? "96 to 128 for an IPv4 address within IPv6" : "0 to 128";
}
