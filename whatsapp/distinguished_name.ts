/**
 * The subject of a client certificate as a proxy reports it: reads its common name, and refuses ambiguous subjects.
 *
 * @module
 */

/**
 * Forms in which proxies write the subject of a client certificate:
 *
 * - `"rfc4514"`: `CN=client,O=Example\, Inc.,C=US`, the most specific name first, also as `Subject="…"` in
 *   `x-forwarded-client-cert` of Envoy;
 * - `"slashes"`: `/C=US/O=Example, Inc./CN=client`, the most specific name last. OpenSSL 3 escapes a slash within a
 *   value; HAProxy and older versions do not, so that it looks like a separator: safe only where no authority that the
 *   proxy trusts signs such values;
 * - `"commonName"`: the common name alone.
 */
export type SubjectForm = "rfc4514" | "slashes" | "commonName";

/** All forms. */
export const SUBJECT_FORMS: readonly SubjectForm[] = ["rfc4514", "slashes", "commonName"];

/** One attribute of a name. */
interface Attribute {
  /** Its type as it is written. */
  type: string;
  /** Its value, a character a byte; `undefined`: it is given as the hexadecimal form of its encoding. */
  value: string | undefined;
}

/** Attributes of one level of a name; nearly always there is one. */
type RelativeName = readonly Attribute[];

const COMMON_NAMES: readonly string[] = ["cn", "commonname"];
/** The object identifier of the common name (X.520), with and without the prefix of old programs. */
const COMMON_NAME_IDS: readonly string[] = ["2.5.4.3", "oid.2.5.4.3"];

/**
 * Finds the common name of a subject.
 *
 * @param subject The subject as the proxy reports it.
 * @param form Its form.
 * @returns The only common name, if it is all of the most specific relative name, a character a byte; `undefined` if
 * there is none, or the subject is malformed or ambiguous.
 */
export function commonNameOf(subject: string, form: SubjectForm): string | undefined {
  if (form === "commonName") return subject === "" ? undefined : subject;
  const name = form === "slashes" ? parseSlashes(subject) : parseDistinguishedName(bareSubject(subject));
  if (name === undefined || name.length === 0) return undefined;
  const attributes = name.flat();
  if (attributes.some(({ type }) => COMMON_NAME_IDS.includes(type.toLowerCase()))) return undefined;
  if (attributes.filter(isCommonName).length !== 1) return undefined;
  const [specific, ...more] = (form === "slashes" ? name[name.length - 1] : name[0])!;
  return specific !== undefined && more.length === 0 && isCommonName(specific) ? specific.value : undefined;
}

/**
 * Compares the common name of a subject with an expected one, regardless of the case of ASCII letters.
 *
 * @param subject The subject as the proxy reports it.
 * @param form Its form.
 * @param expected The common name.
 * @returns `true` if they are equal.
 */
export function hasCommonName(subject: string, form: SubjectForm, expected: string): boolean {
  const found = commonNameOf(subject, form);
  if (found === undefined) return false;
  const bytes = new TextEncoder().encode(expected);
  return lowerAscii(found) === lowerAscii(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function isCommonName({ type }: Attribute): boolean {
  return COMMON_NAMES.includes(type.toLowerCase());
}

/** Lowers ASCII letters only: each character is a byte here, and other letters are several bytes. */
function lowerAscii(text: string): string {
  let lower = "";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    lower += code >= 0x41 && code <= 0x5a ? String.fromCharCode(code + 0x20) : text[at];
  }
  return lower;
}

// ---- RFC 4514 ----------------------------------------------------------------------------------------------------

/**
 * Parses a distinguished name (RFC 4514 §3), strictly: no quoted values, no white space around separators.
 *
 * @param text The name.
 * @returns Its relative names as they stand, or `undefined` if it is malformed.
 */
function parseDistinguishedName(text: string | undefined): RelativeName[] | undefined {
  if (text === undefined || text === "") return undefined;
  const scanner = new NameScanner(text);
  const names: Attribute[][] = [[]];
  for (;;) {
    const attribute = scanner.attribute();
    if (attribute === undefined) return undefined;
    names[names.length - 1]!.push(attribute);
    if (scanner.atEnd) return names;
    const separator = scanner.take();
    if (separator === ",") names.push([]);
    else if (separator !== "+") return undefined;
  }
}

/** Characters that must be escaped anywhere in a value (RFC 4514 §2.4). */
const ESCAPED = '"+,;<>\\';
/** Characters that may be escaped. */
const ESCAPABLE = `${ESCAPED} #=`;

/** Reads a name from left to right, each character once. */
class NameScanner {
  #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  take(): string {
    return this.#text[this.#at++] ?? "";
  }

  /** Reads an attribute; `undefined` if it is malformed. */
  attribute(): Attribute | undefined {
    const start = this.#at;
    while (!this.atEnd && this.#text[this.#at] !== "=") this.#at++;
    const type = this.#text.slice(start, this.#at);
    if (!isAttributeType(type) || this.take() !== "=") return undefined;
    if (this.#text[this.#at] === "#") return this.#skipHexString() ? { type, value: undefined } : undefined;
    const value = this.#value();
    return value === undefined ? undefined : { type, value };
  }

  /** Skips the encoding of a value, which must be well-formed. */
  #skipHexString(): boolean {
    const start = ++this.#at;
    while (isHexDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    const digits = this.#at - start;
    return digits > 0 && digits % 2 === 0;
  }

  #value(): string | undefined {
    let value = "";
    let endsBlank = false;
    const start = this.#at;
    while (!this.atEnd && this.#text[this.#at] !== "," && this.#text[this.#at] !== "+") {
      const first = this.#at === start;
      const char = this.take();
      endsBlank = char === " ";
      if ((first && endsBlank) || char === "\0") return undefined;
      if (char !== "\\") {
        if (ESCAPED.includes(char)) return undefined;
        value += char;
        continue;
      }
      const escaped = this.#escaped();
      if (escaped === undefined) return undefined;
      value += escaped;
    }
    return endsBlank ? undefined : value;
  }

  /** Reads an escape after a backslash: a character, or two hexadecimal digits. */
  #escaped(): string | undefined {
    const char = this.take();
    if (char !== "" && ESCAPABLE.includes(char)) return char;
    const digits = char + this.take();
    if (!isHexDigit(digits.charCodeAt(0)) || !isHexDigit(digits.charCodeAt(1))) return undefined;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Returns `true` for a keyword or an object identifier (RFC 4512 §1.4). */
function isAttributeType(text: string): boolean {
  const first = text.charCodeAt(0);
  const letter = (first | 0x20) >= 0x61 && (first | 0x20) <= 0x7a;
  if (!letter && !isDigit(first)) return false;
  for (let at = 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const lower = code | 0x20;
    if (!isDigit(code) && !(lower >= 0x61 && lower <= 0x7a) && code !== 0x2d && code !== 0x2e) return false;
  }
  return true;
}

// ---- Other forms -------------------------------------------------------------------------------------------------

/**
 * Parses OpenSSL's form of one line, strictly. OpenSSL 3 escapes slashes and plus signs within values; older versions
 * and HAProxy escape nothing, so that a value can look like more attributes.
 *
 * @param text The name.
 * @returns Its relative names as they stand, or `undefined` if it is malformed.
 */
function parseSlashes(text: string): RelativeName[] | undefined {
  const names: Attribute[][] = [];
  for (let at = 0; at < text.length;) {
    const separator = text[at++];
    if (separator === "/") names.push([]);
    else if (names.length === 0) return undefined;
    const equals = text.indexOf("=", at);
    const type = text.slice(at, Math.max(at, equals));
    if (!isAttributeType(type)) return undefined;
    let value = "";
    for (at = equals + 1; at < text.length && text[at] !== "/" && text[at] !== "+"; at++) {
      // A backslash is never escaped: two of them are ambiguous.
      const escaped = text[at] === "\\" ? escapedInLine(text, ++at) : text[at];
      if (escaped === undefined) return undefined;
      value += escaped;
      if (text[at] === "x" && text[at - 1] === "\\") at += 2;
    }
    names[names.length - 1]!.push({ type, value });
  }
  return names;
}

/** Finds the escape after a backslash: a separator, or `x` and two hexadecimal digits. */
function escapedInLine(text: string, at: number): string | undefined {
  if (text[at] === "/" || text[at] === "+") return text[at];
  const hex = text[at] === "x" && isHexDigit(text.charCodeAt(at + 1)) && isHexDigit(text.charCodeAt(at + 2));
  return hex ? String.fromCharCode(Number.parseInt(text.slice(at + 1, at + 3), 16)) : undefined;
}

/** The keys of an element of Envoy's `x-forwarded-client-cert`, none of which is a type of attribute. */
const CERTIFICATE_KEYS: readonly string[] = ["by", "hash", "cert", "chain", "subject", "uri", "dns"];

/**
 * Reads the subject within `x-forwarded-client-cert`; any other text is the subject itself.
 *
 * @param text The value of the header field.
 * @returns The subject; `undefined` if the element is malformed, has no subject or two, or another element follows.
 */
function bareSubject(text: string): string | undefined {
  if (!CERTIFICATE_KEYS.includes(text.slice(0, Math.max(0, text.indexOf("="))).toLowerCase())) return text;
  let subject: string | undefined;
  for (let at = 0; at < text.length;) {
    const equals = text.indexOf("=", at);
    const key = text.slice(at, Math.max(at, equals)).toLowerCase();
    if (!CERTIFICATE_KEYS.includes(key)) return undefined;
    const quoted = text[equals + 1] === '"';
    const start = quoted ? equals + 2 : equals + 1;
    const end = quoted ? closingQuote(text, start) : endOfValue(text, start);
    if (end === -1 || (key === "subject" && (!quoted || subject !== undefined))) return undefined;
    if (key === "subject") subject = text.slice(start, end);
    at = quoted ? end + 1 : end;
    if (at < text.length && text[at++] !== ";") return undefined;
  }
  return subject;
}

/** The index of the quote that ends a value; -1: there is none. */
function closingQuote(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

function endOfValue(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === ";" || text[at] === ",") return at;
    if (text[at] === '"') return -1;
  }
  return text.length;
}
