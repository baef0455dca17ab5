/**
 * Paths of requests against the patterns of routes, by the `URLPattern` of the runtime.
 *
 * `URLPattern` makes a regular expression of each pattern. Patterns whose expression takes more than linear time for
 * some paths are refused when the server is made: two parameters in one segment can take 0.1 s for a long path.
 *
 * @module
 */

import { HandshakeError, OptionError } from "../base/errors.ts";
import { quote } from "../base/error_text.ts";
import { NO_PARAMS } from "../connection/connection.ts";

/** `URLPattern`, as far as it is used here. */
interface PathPattern {
  readonly pathname: string;
  exec(input: { pathname: string }): { readonly pathname: { readonly groups: Groups } } | null;
}

type Groups = Readonly<Record<string, string | undefined>>;

/** Characters by which a pattern differs from a path. */
const SPECIAL = ":*(){}\\?+";

/** A route that has the path of a request. */
export interface RouteMatch {
  /** Index of its pattern. */
  readonly index: number;
  /** The parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** The patterns of one server, in order. */
export class RoutePatterns {
  /** Paths without parameters, with the index of each. */
  readonly #paths = new Map<string, number>();
  readonly #patterns: { readonly pattern: PathPattern; readonly index: number }[] = [];

  /**
   * Compiles patterns.
   *
   * @param patterns The patterns; of several that have a path, the first counts.
   * @throws {OptionError} If one is malformed, takes more than linear time, or is never reached.
   */
  constructor(patterns: readonly string[]) {
    patterns.forEach((pattern, index) => this.#add(pattern, index, patterns));
  }

  #add(text: string, index: number, all: readonly string[]): void {
    const pattern = compile(text);
    const isPath = ![...SPECIAL].some((char) => text.includes(char));
    const earlier = isPath
      ? this.#find(pattern.pathname)?.index
      : this.#patterns.find((other) => other.pattern.pathname === pattern.pathname)?.index;
    if (earlier !== undefined) {
      throw new OptionError(
        `The route ${quote(text)} is never reached: ${quote(all[earlier]!)} before it has the same paths`,
      );
    }
    if (isPath) this.#paths.set(pattern.pathname, index);
    else this.#patterns.push({ pattern, index });
  }

  /** A path without parameters is no path of an earlier pattern: so it may be looked for first. */
  #find(pathname: string): { readonly index: number; readonly groups: Groups } | undefined {
    const index = this.#paths.get(pathname);
    if (index !== undefined) return { index, groups: {} };
    for (const { pattern, index } of this.#patterns) {
      const found = pattern.exec({ pathname });
      if (found !== null) return { index, groups: found.pathname.groups };
    }
    return undefined;
  }

  /**
   * Finds the route of a path.
   *
   * @param path The path as it stands in the request.
   * @returns The route; `undefined` if there is none. Paths with dot segments, backslashes or a number sign have none.
   * @throws {HandshakeError} With status 400 if a parameter cannot be decoded.
   */
  match(path: string): RouteMatch | undefined {
    if (!isPlain(path)) return undefined;
    // As `Request.url` has it: some characters are percent-encoded.
    const found = this.#find(new URL(ORIGIN + path).pathname);
    return found && { index: found.index, params: decode(found.groups) };
  }
}

/** Put before a path, which may begin with two slashes. */
const ORIGIN = "http://localhost";

/** Tells whether a path means itself: others could be read in two ways, and no client writes them. */
function isPlain(path: string): boolean {
  if (!path.startsWith("/") || path.includes("\\") || path.includes("#")) return false;
  const segments = path.toLowerCase().replaceAll("%2e", ".").split("/");
  return !segments.some((segment) => segment === "." || segment === "..");
}

function decode(groups: Groups): Readonly<Record<string, string>> {
  const params: [name: string, value: string][] = [];
  for (const [name, value] of Object.entries(groups)) if (value !== undefined) params.push([name, decodeValue(value)]);
  return params.length === 0 ? NO_PARAMS : Object.freeze(Object.fromEntries(params));
}

function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new HandshakeError("ERR_HANDSHAKE_REQUEST", "The path has a malformed percent-encoding", 400);
  }
}

function compile(text: string): PathPattern {
  if (!text.startsWith("/")) throw new OptionError(`The route ${quote(text)} does not begin with "/"`);
  if (text.includes("#")) throw new OptionError(`The route ${quote(text)} has a fragment, which no request has`);
  const { URLPattern: Pattern } = globalThis as unknown as {
    readonly URLPattern: new (init: { pathname: string }) => PathPattern;
  };
  let pattern: PathPattern;
  try {
    pattern = new Pattern({ pathname: text });
  } catch (cause) {
    const hint = text.includes("?") ? '; a query is not part of the path, and "?" makes a group optional' : "";
    throw new OptionError(`The route ${quote(text)} is no pattern of URLPattern${hint}`, undefined, { cause });
  }
  assertLinear(text);
  return pattern;
}

/**
 * Refuses patterns with several ways to divide a path: two parts of any length in one segment, or two that span
 * segments. What the program writes as a regular expression is its own.
 */
function assertLinear(text: string): void {
  const { most, spanning } = new PatternScanner(text).scan();
  if (most <= 1 && spanning <= 1) return;
  const [what, remedy] = most > 1
    ? ["two parameters or repetitions in one segment", "take one, and divide its value"]
    : ['two parts with "*" or "+", which span segments', 'keep one, and write others as ":name"'];
  throw new OptionError(`The route ${quote(text)} has ${what}, so that some paths would take very long: ${remedy}`);
}

/** Counts the parts of a pattern that stand for text of any length. */
class PatternScanner {
  readonly #text: string;
  #at = 0;
  /** Parts in the current segment. */
  #inSegment = 0;
  #most = 0;
  #spanning = 0;
  /** `true` behind a slash, which is repeated with a parameter then. */
  #behindSlash = false;
  /** The group that is open: parts of the segment before it, and if a slash is in it. */
  #group = { before: 0, hasSlash: false };

  constructor(text: string) {
    this.#text = text;
  }

  /** Scans the pattern, which is valid: most parts in one segment, and parts that span several. */
  scan(): { most: number; spanning: number } {
    while (this.#at < this.#text.length) this.#step();
    return { most: this.#most, spanning: this.#spanning };
  }

  #step(): void {
    const char = this.#text[this.#at++]!;
    const behindSlash = this.#behindSlash;
    this.#behindSlash = char === "/";
    if (char === "\\") this.#at++;
    else if (char === "/") this.#beginSegment();
    else if (char === "{") this.#group = { before: this.#inSegment, hasSlash: false };
    else if (char === "}") this.#endGroup();
    else if (char === "*") this.#count(true);
    else if (char === ":") this.#skipName();
    else if (char === "(") this.#skipExpression();
    // Without a slash between them, repeated parameters are as good as two.
    if ((char === "*" || char === ":" || char === "(") && this.#skipRepetition() && !behindSlash) this.#count(false);
  }

  #beginSegment(): void {
    this.#inSegment = 0;
    this.#group.hasSlash = true;
  }

  #count(spans: boolean): void {
    this.#most = Math.max(this.#most, ++this.#inSegment);
    if (spans) this.#spanning++;
  }

  #endGroup(): void {
    const { before, hasSlash } = this.#group;
    const mayBeAbsent = this.#text[this.#at] === "?" || this.#text[this.#at] === "*";
    // A group of literal text is one part, that of a parameter as good as two.
    if (this.#skipRepetition() && !hasSlash) this.#count(false);
    // Without the group, what is behind it belongs to the segment before it.
    if (mayBeAbsent) this.#inSegment = Math.max(this.#inSegment, before);
  }

  #skipName(): void {
    this.#count(false);
    while (this.#at < this.#text.length && !isSeparator(this.#text[this.#at]!)) this.#at++;
    if (this.#text[this.#at] !== "(") return;
    this.#at++;
    this.#inSegment--;
    this.#skipExpression();
  }

  #skipExpression(): void {
    this.#count(false);
    for (let depth = 1; depth > 0 && this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (char === "\\") this.#at++;
      else if (char === "(") depth++;
      else if (char === ")") depth--;
    }
  }

  /** Skips a modifier; returns `true` if it repeats what is before it. */
  #skipRepetition(): boolean {
    const char = this.#text[this.#at];
    if (char !== "?" && char !== "*" && char !== "+") return false;
    this.#at++;
    if (char === "?") return false;
    this.#spanning++;
    return true;
  }
}

/** Tells whether a character ends a name; letters of all languages are part of one. */
function isSeparator(char: string): boolean {
  return char < "\x80" && !(isLetterOrDigit(char) || char === "_" || char === "$");
}

function isLetterOrDigit(char: string): boolean {
  return (char >= "0" && char <= "9") || (char >= "A" && char <= "Z") || (char >= "a" && char <= "z");
}
