/**
 * Structured records of what servers and clients do, for whatever the program logs with.
 *
 * @module
 */

import { promiseOf } from "./promises.ts";

/** Severity of a {@linkcode LogRecord}, by the names of OpenTelemetry and of most loggers. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * One event. Texts of peers stand in `attributes` only, as they came: pass them through {@linkcode printable} before
 * printing, or write JSON.
 */
export interface LogRecord {
  /** Severity. */
  readonly level: LogLevel;
  /** Stable name of the event: `"connection.open"`, `"connection.refused"`, `"server.listening"`, … */
  readonly event: string;
  /** When, in ms since 1970. */
  readonly time: number;
  /**
   * Numbers and texts, with the names of OpenTelemetry's conventions where there are some: `network.peer.address`, …
   */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** The failure, if there was one. */
  readonly error?: unknown;
}

/** Takes {@linkcode LogRecord}s. What it throws or rejects with is ignored. */
export type LogHandler = (record: LogRecord) => void;

/**
 * Hands a record to the handler `onLog`; a failing log must not stop the action that it describes.
 *
 * @param handlers The object that has the handler.
 * @param record The record.
 */
export function writeLog(handlers: { onLog?: LogHandler | undefined }, record: LogRecord): void {
  try {
    promiseOf(handlers.onLog?.(record))?.catch(() => {});
  } catch {
    // As above.
  }
}

/**
 * Text that can be printed: control characters, escape sequences, line separators, what turns the direction of writing,
 * and lone surrogates are shown, not obeyed.
 *
 * @param text Text of a peer.
 * @returns One line.
 *
 * @example
 * ```ts
 * import { printable } from "@tackline/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("a\r\nlevel=info"), "a\\u{d}\\u{a}level=info");
 * ```
 */
export function printable(text: string): string {
  if (isPlain(text)) return text;
  let safe = "";
  for (const char of text) {
    const code = char.codePointAt(0)!;
    safe += isObeyed(code) ? `\\u{${code.toString(16)}}` : char;
  }
  return safe;
}

/** Most texts are. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Tells whether a terminal or an editor does something else with a character than showing it. */
function isObeyed(code: number): boolean {
  const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const breaksLine = code === 0x2028 || code === 0x2029;
  const turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
    code === 0x200e || code === 0x200f || code === 0x061c;
  // A lone surrogate cannot be encoded.
  const loneSurrogate = code >= 0xd800 && code <= 0xdfff;
  return control || breaksLine || turns || loneSurrogate;
}
