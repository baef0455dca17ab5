/**
 * `Sec-WebSocket-Extensions` (RFC 6455 §9.1): extensions as offered and accepted, to text and back.
 *
 * @module
 */

import { HandshakeError } from "../base/errors.ts";
import { isToken, isTokenCode } from "../base/token.ts";

/** One extension as offered or accepted (RFC 6455 §9.1). */
export interface Extension {
  /** Its name. */
  name: string;
  /** Its parameters in order; `true` for one without a value. */
  parameters: [name: string, value: string | true][];
}

/**
 * Parses `Sec-WebSocket-Extensions` (RFC 6455 §9.1), quoted strings included, in one pass.
 *
 * @param values The values of all header lines of that name.
 * @returns The extensions in order.
 * @throws {HandshakeError} With status 400 if a value breaks the grammar.
 *
 * @example
 * ```ts
 * import { parseExtensions } from "@tackline/websocket/frame";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseExtensions(['permessage-deflate; server_max_window_bits="10"']), [
 *   { name: "permessage-deflate", parameters: [["server_max_window_bits", "10"]] },
 * ]);
 * ```
 */
export function parseExtensions(values: readonly string[]): Extension[] {
  const extensions: Extension[] = [];
  for (const value of values) new ExtensionScanner(value).list(extensions);
  return extensions;
}

/** A left to right scanner: each character is looked at once. */
class ExtensionScanner {
  #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  list(into: Extension[]): void {
    for (;;) {
      // RFC 9110 §5.6.1.2: empty list members are ignored.
      while (this.#take(",")) { /* the next member */ }
      if (this.#atEnd()) return;
      into.push(this.#extension());
      if (!this.#atEnd() && !this.#take(",")) throw this.#error();
    }
  }

  #extension(): Extension {
    const name = this.#token();
    const parameters: Extension["parameters"] = [];
    while (this.#take(";")) parameters.push(this.#parameter());
    return { name, parameters };
  }

  #parameter(): [string, string | true] {
    const name = this.#token();
    if (!this.#take("=")) return [name, true];
    this.#skipBlanks();
    return [name, this.#text[this.#at] === '"' ? this.#quoted() : this.#token()];
  }

  #token(): string {
    this.#skipBlanks();
    const start = this.#at;
    while (this.#at < this.#text.length && isTokenCode(this.#text.charCodeAt(this.#at))) this.#at++;
    if (this.#at === start) throw this.#error();
    return this.#text.slice(start, this.#at);
  }

  /** RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF". */
  #quoted(): string {
    let value = "";
    this.#at++;
    for (;;) {
      if (this.#at >= this.#text.length) throw this.#error();
      let char = this.#text[this.#at++];
      if (char === '"') break;
      if (char === "\\") char = this.#text[this.#at++] ?? "";
      value += char;
    }
    if (!isToken(value)) throw this.#error();
    return value;
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  #atEnd(): boolean {
    this.#skipBlanks();
    return this.#at >= this.#text.length;
  }

  #take(char: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #error(): HandshakeError {
    const message = `Sec-WebSocket-Extensions is malformed at character ${this.#at + 1}`;
    return new HandshakeError("ERR_HANDSHAKE_REQUEST", message, 400);
  }
}

/**
 * Formats extensions for `Sec-WebSocket-Extensions`.
 *
 * @param extensions The extensions in order.
 * @returns The value.
 */
export function formatExtensions(extensions: readonly Extension[]): string {
  return extensions.map(({ name, parameters }) =>
    [name, ...parameters.map(([key, value]) => value === true ? key : `${key}=${value}`)].join("; ")
  ).join(", ");
}
