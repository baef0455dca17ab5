/** Splits TypeScript into code, comments, strings, template literals and regular expressions for checks of style. */

/** Kind of a stretch of text that is not code. */
export type PieceKind = "line comment" | "block comment" | "doc comment" | "string" | "template" | "regex";

/** A stretch of text that is not code, with its delimiters. */
export interface Piece {
  kind: PieceKind;
  /** Offset of the first character. */
  start: number;
  /** Offset behind the last character. */
  end: number;
}

/** A file that was split. */
export interface Source {
  text: string;
  /** The text with each piece replaced by blanks: of the same length, with the same lines. */
  code: string;
  /** Pieces in order. A template literal has one piece between two of its substitutions, whose code is code. */
  pieces: Piece[];
}

/** Words behind which a slash starts a regular expression, though it would divide behind a name. */
const BEFORE_REGEX = new Set(
  "return typeof case in of do else void delete throw new instanceof await yield".split(" "),
);

/**
 * Splits a file.
 *
 * @param text TypeScript without JSX.
 * @returns Pieces, and the code between them.
 */
export function scanSource(text: string): Source {
  return new Scanner(text).run();
}

/** Finds the number of the line, from 1 on, at an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/**
 * Finds the bracket that closes the one at an offset.
 *
 * @param code Code without pieces.
 * @param open Offset of `(`, `[` or `{`.
 * @returns Offset of the closing bracket, or the length of the code if there is none.
 */
export function closingBracket(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    const char = code[at];
    if (char === "(" || char === "[" || char === "{") depth++;
    else if ((char === ")" || char === "]" || char === "}") && --depth === 0) return at;
  }
  return code.length;
}

class Scanner {
  readonly #text: string;
  readonly #pieces: Piece[] = [];
  /** For each template literal around the current offset: brackets `{` that are open in its substitution. */
  readonly #substitutions: number[] = [];
  /** Offset of the last character of code that is not a blank. */
  #last = -1;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Source {
    const text = this.#text;
    let at = text.startsWith("#!") ? this.#add("line comment", 0, this.#lineEnd(0)) : 0;
    while (at < text.length) at = this.#step(at);
    let code = "";
    let from = 0;
    for (const { start, end } of this.#pieces) {
      code += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, " ");
      from = end;
    }
    return { text, code: code + text.slice(from), pieces: this.#pieces };
  }

  /** Takes what begins at an offset, and returns the offset behind it. */
  #step(at: number): number {
    const text = this.#text;
    const char = text[at]!;
    if (char === "/") return this.#slash(at);
    if (char === '"' || char === "'") return this.#literal("string", at, this.#stringEnd(at));
    if (char === "`") return this.#template(at);
    const depth = this.#substitutions.at(-1);
    if (char === "}" && depth === 0) {
      this.#substitutions.pop();
      return this.#template(at);
    }
    if (depth !== undefined && char === "{") this.#substitutions[this.#substitutions.length - 1]!++;
    if (depth !== undefined && char === "}") this.#substitutions[this.#substitutions.length - 1]!--;
    if (char.trim() !== "") this.#last = at;
    return at + 1;
  }

  #slash(at: number): number {
    const text = this.#text;
    if (text[at + 1] === "/") return this.#add("line comment", at, this.#lineEnd(at));
    if (text[at + 1] === "*") {
      const close = text.indexOf("*/", at + 2);
      const isDoc = text[at + 2] === "*" && text[at + 3] !== "/" && text[at + 3] !== "*";
      return this.#add(isDoc ? "doc comment" : "block comment", at, close < 0 ? text.length : close + 2);
    }
    const end = this.#startsRegex() ? this.#regexEnd(at) : -1;
    if (end >= 0) return this.#literal("regex", at, end);
    this.#last = at;
    return at + 1;
  }

  /** Tells a regular expression from a division by what stands before the slash. */
  #startsRegex(): boolean {
    const text = this.#text;
    const before = text.slice(Math.max(0, this.#last - 2), this.#last + 1);
    // `a! / b` and `a++ / b` divide.
    if (/[\w$)\]](!|\+\+|--)$/.test(before)) return false;
    const last = before.at(-1) ?? "";
    if (last !== "" && ")]\"'`".includes(last)) return false;
    if (!/[\w$]/.test(last)) return true;
    const word = /[\w$]+$/.exec(text.slice(Math.max(0, this.#last - 20), this.#last + 1))![0];
    return BEFORE_REGEX.has(word);
  }

  /** Returns the offset behind a regular expression with its flags, or -1 if the line ends before it does. */
  #regexEnd(at: number): number {
    let isInClass = false;
    for (let end = at + 1; end < this.#text.length; end++) {
      const char = this.#text[end];
      if (char === "\n") return -1;
      if (char === "\\") end++;
      else if (char === "[") isInClass = true;
      else if (char === "]") isInClass = false;
      else if (char === "/" && !isInClass) {
        for (end++; /[a-z]/.test(this.#text[end] ?? "");) end++;
        return end;
      }
    }
    return -1;
  }

  #stringEnd(at: number): number {
    for (let end = at + 1; end < this.#text.length; end++) {
      if (this.#text[end] === "\\") end++;
      else if (this.#text[end] === this.#text[at] || this.#text[end] === "\n") return end + 1;
    }
    return this.#text.length;
  }

  /** Takes a template literal from its start, or the end of a substitution, to the next substitution or its end. */
  #template(at: number): number {
    for (let end = at + 1; end < this.#text.length; end++) {
      const char = this.#text[end];
      if (char === "\\") end++;
      else if (char === "`") return this.#literal("template", at, end + 1);
      else if (char === "$" && this.#text[end + 1] === "{") {
        this.#substitutions.push(0);
        this.#add("template", at, end + 2);
        // A substitution starts as an argument does.
        this.#last = -1;
        return end + 2;
      }
    }
    return this.#literal("template", at, this.#text.length);
  }

  #lineEnd(at: number): number {
    const end = this.#text.indexOf("\n", at);
    return end < 0 ? this.#text.length : end;
  }

  /** Adds a piece that is a value: a slash behind it divides. */
  #literal(kind: PieceKind, start: number, end: number): number {
    this.#last = end - 1;
    return this.#add(kind, start, end);
  }

  #add(kind: PieceKind, start: number, end: number): number {
    this.#pieces.push({ kind, start, end });
    return end;
  }
}
