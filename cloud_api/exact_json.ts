/**
 * JSON whose integers keep all their digits: ids of Meta may be beyond 2^53.
 *
 * @module
 */

/** Fewest digits of an integer that a double may not hold exactly. */
const LONG = 16;

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Characters before a number: line ends, space, and the separators of JSON. */
const BEFORE_NUMBER: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0x2c, 0x3a, 0x5b]);
/** Characters that make a number a fraction: `.`, `e` and `E`. */
const FRACTION: ReadonlySet<number> = new Set([0x2e, 0x65, 0x45]);

/**
 * Parses JSON. Integers that a double does not hold exactly become texts with all their digits.
 *
 * @param json The JSON.
 * @returns The value.
 * @throws {SyntaxError} If it is no JSON.
 */
export function parseExact(json: string): unknown {
  const parsed: unknown = JSON.parse(json);
  // Quoting could make JSON of something that is none: only what has been parsed is quoted.
  return hasLongNumber(json) ? JSON.parse(quoteLongIntegers(json)) : parsed;
}

/**
 * Looks for a long run of digits that a number may begin with. Each such run covers one of the characters looked at: an
 * ordinary notification costs a sixteenth of a scan. Digits within a text may be taken for a number.
 */
function hasLongNumber(json: string): boolean {
  for (let at = LONG - 1; at < json.length; at += LONG) {
    const code = json.charCodeAt(at);
    if (code < ZERO || code > NINE) continue;
    let start = at;
    while (isDigit(json, start - 1)) start--;
    let end = at + 1;
    while (isDigit(json, end)) end++;
    const before = json.charCodeAt(start - 1);
    const isNumber = BEFORE_NUMBER.has(before) || before === MINUS || start === 0;
    if (end - start >= LONG && isNumber) return true;
    // The next place that is looked at lies behind the run.
    while (at + LONG < end) at += LONG;
  }
  return false;
}

/** Puts quotes around integers that a double does not hold exactly, outside texts. */
function quoteLongIntegers(json: string): string {
  let quoted = "";
  let copied = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfText(json, at);
      continue;
    }
    if (code !== MINUS && !isDigit(json, at)) continue;
    let end = at + 1;
    while (isDigit(json, end)) end++;
    const integer = json.slice(at, end);
    if (FRACTION.has(json.charCodeAt(end))) end = endOfFraction(json, end);
    else if (!Number.isSafeInteger(Number(integer))) {
      quoted += `${json.slice(copied, at)}"${integer}"`;
      copied = end;
    }
    at = end - 1;
  }
  return quoted + json.slice(copied);
}

/** Returns the place of the quote that ends a text. */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charCodeAt(at) !== QUOTE) at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

/** Returns the place behind a number, from its point or exponent on. */
function endOfFraction(json: string, start: number): number {
  let at = start;
  while (isDigit(json, at) || FRACTION.has(json.charCodeAt(at)) || isSign(json.charCodeAt(at))) at++;
  return at;
}

function isSign(code: number): boolean {
  return code === MINUS || code === 0x2b;
}

function isDigit(json: string, at: number): boolean {
  const code = json.charCodeAt(at);
  return code >= ZERO && code <= NINE;
}
