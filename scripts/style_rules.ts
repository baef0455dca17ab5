/** Rules of plain English and of size for `scripts/check_style.ts`: pure functions over the text of files. */

import { closingBracket, lineAt, type Piece, type Source } from "./source_text.ts";
import { METAPHORS, RIDDLE_WORDS, VAGUE_WORDS } from "./style_words.ts";

/** A place that breaks a rule. */
export interface Finding {
  /** Name of the rule. */
  rule: string;
  file: string;
  /** Line, from 1 on. */
  line: number;
  /** Text that is wrong, and how to mend it. */
  message: string;
}

/** A file, and its text split. */
export interface SourceFile extends Source {
  /** Path from the root, with `/`. */
  path: string;
}

/** A doc comment. */
export interface DocComment {
  file: string;
  line: number;
  /** First word, or the tag such as `@module`; "" if there is none. */
  firstWord: string;
  /** Its first line. */
  summary: string;
}

/** Share of doc comments, in percent, that may not begin with one of them. */
export const RIDDLE_SHARE = 3;
/** Columns of a line with a comment. */
export const COMMENT_COLUMNS = 120;
/** Characters that the title of a test or of a group must stay below. */
export const TITLE_LIMIT = 100;
/** Most lines of a test, of a file, and of a class. */
export const TEST_LINES = 60, FILE_LINES = 700, CLASS_LINES = 500;

/** Returns whether a file belongs to the tests. */
export function isOfTests(path: string): boolean {
  return path.startsWith("tests/");
}

/** Returns whether a file belongs to the library: neither to its tests nor to its tools. */
export function isOfLibrary(path: string): boolean {
  return !/^(tests|scripts|bench|examples)\//.test(path);
}

// ---- Words ------------------------------------------------------------------------------------------------------

/** Lists the doc comments of a file. */
export function docComments({ path, text, pieces }: SourceFile): DocComment[] {
  return pieces.filter(({ kind }) => kind === "doc comment").map(({ start, end }) => {
    const lines = text.slice(start + 3, end - 2).split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trim());
    const summary = lines.find((line) => line !== "") ?? "";
    const firstWord = /^[@\p{L}][\p{L}\d]*/u.exec(summary)?.[0] ?? "";
    return { file: path, line: lineAt(text, start), firstWord, summary };
  });
}

/** Returns whether a doc comment begins with a word of `RIDDLE_WORDS`. */
export function isRiddle({ firstWord }: DocComment): boolean {
  return RIDDLE_WORDS.includes(firstWord);
}

/**
 * Applies the limit for first words, to all doc comments and to those of the library: above it, each offender is a
 * finding.
 *
 * @param comments Doc comments of all files.
 */
export function checkFirstWords(comments: readonly DocComment[]): Finding[] {
  const ofLibrary = comments.filter(({ file }) => isOfLibrary(file));
  const offenders = exceedsShare(comments) ? comments : exceedsShare(ofLibrary) ? ofLibrary : [];
  return offenders.filter(isRiddle).map(({ file, line, firstWord, summary }) => {
    const message = `doc comment begins with "${firstWord}"; begin with the thing or a verb: ${summary}`;
    return { rule: "first words", file, line, message };
  });
}

function exceedsShare(comments: readonly DocComment[]): boolean {
  const { length } = comments.filter(isRiddle);
  return length > 0 && length * 100 >= RIDDLE_SHARE * comments.length;
}

/** Finds vague words and metaphors in comments, in titles of tests, and in strings outside of tests. */
export function checkWords(file: SourceFile, allowed: ReadonlyMap<string, string>): Finding[] {
  const { path, text, pieces } = file;
  if (allowed.has(path)) return [];
  const titles = new Set(testCalls(file).flatMap(({ title }) => title));
  const isRead = (piece: Piece): boolean =>
    piece.kind.endsWith("comment") || piece.kind !== "regex" && (!isOfTests(path) || titles.has(piece));
  return pieces.filter(isRead).flatMap(({ start, end }) => findWords(path, text, start, end));
}

/** Finds vague words and metaphors in a document; what stands in backquotes within a line is code. */
export function checkDocument(path: string, text: string): Finding[] {
  return findWords(path, text, 0, text.length);
}

const WORDS = new RegExp(
  `\\b(${[...VAGUE_WORDS, ...METAPHORS.keys()].join("|").replaceAll(" ", "[\\s*/]+")})\\b`,
  "gi",
);

function findWords(file: string, text: string, start: number, end: number): Finding[] {
  // Names of code in backquotes are no words.
  const part = text.slice(start, end).replace(/(?<!`)`[^`\n]+`(?!`)/g, (code) => " ".repeat(code.length));
  return [...part.matchAll(WORDS)].map((match) => {
    const word = match[0].toLowerCase().replace(/[\s*/]+/g, " ");
    const mend = METAPHORS.get(word);
    const message = `"${word}"; ${mend ?? "name who it is: client, server, receiver, caller, program"}`;
    return { rule: mend ? "metaphors" : "vague words", file, line: lineAt(text, start + match.index), message };
  });
}

// ---- Lines ------------------------------------------------------------------------------------------------------

/** Finds lines with a comment that are too wide. A line that is one long word, as an address is, cannot be broken. */
export function checkCommentWidth({ path, text, pieces }: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const lines = text.split("\n");
  let last = 0;
  for (const { start, end } of pieces.filter(({ kind }) => kind.endsWith("comment"))) {
    const first = lineAt(text, start);
    const count = text.slice(start, end).split("\n").length;
    for (let line = Math.max(first, last + 1); line < first + count; line++) {
      const width = [...lines[line - 1]!].length;
      const words = lines[line - 1]!.replace(/^\s*(\/\/+|\/?\*+)?\s*/, "").split(" ");
      if (width <= COMMENT_COLUMNS || words.length === 1) continue;
      const message = `comment line of ${width} columns; break it within ${COMMENT_COLUMNS}`;
      findings.push({ rule: "comment width", file: path, line, message });
    }
    last = first + count - 1;
  }
  return findings;
}

/** Finds a file, and classes, that are too long. Tests have a limit of their own. */
export function checkSize({ path, text, code }: SourceFile): Finding[] {
  if (isOfTests(path)) return [];
  const findings: Finding[] = [];
  const lines = countLines(text);
  if (lines > FILE_LINES) {
    const message = `file of ${lines} lines; split it by purpose, ${FILE_LINES} at most`;
    findings.push({ rule: "file size", file: path, line: 1, message });
  }
  for (const { name, line, lines } of classes(code)) {
    if (lines <= CLASS_LINES) continue;
    const message =
      `class ${name} of ${lines} lines; give one of its jobs to a part of its own, ${CLASS_LINES} at most`;
    findings.push({ rule: "class size", file: path, line, message });
  }
  return findings;
}

/** Counts lines as `wc -l` does. */
export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** Lists the classes with a name, and how many lines each has. */
export function classes(code: string): { name: string; line: number; lines: number }[] {
  return [...code.matchAll(/(?<![.\w$])class\s+([A-Z_$][\w$]*)/g)].map((match) => {
    const [line, end] = [lineAt(code, match.index), closingBracket(code, classBody(code, match.index))];
    return { name: match[1]!, line, lines: lineAt(code, end) - line + 1 };
  });
}

/** Finds the brace that opens a class: not one of the types that its heading names. */
function classBody(code: string, at: number): number {
  let depth = 0;
  for (; at < code.length; at++) {
    const char = code[at];
    if (char === "<" || char === "(") depth++;
    else if (char === ")" || char === ">" && code[at - 1] !== "=") depth--;
    else if (char === "{" && depth === 0) break;
  }
  return at;
}

// ---- Tests ------------------------------------------------------------------------------------------------------

/** A call of `it`, `describe` or the like, whose first argument is text. */
interface TestCall {
  name: string;
  line: number;
  /** Pieces of the title. */
  title: Piece[];
  /** Lines from the start of the second argument to the end of the call. */
  lines: number;
}

/** `it(`, `describe.skip(`, `describeRedis(`, `Deno.test(`, but not `pattern.test(`. */
const TEST_CALL = /(?<![.\w$#])(?:Deno\.)?(it|test|suite|describe\w*)(?:\.\w+)?\s*\(\s*/g;

function testCalls({ path, text, code, pieces }: SourceFile): TestCall[] {
  if (!isOfTests(path)) return [];
  const calls: TestCall[] = [];
  const openings = new Map(pieces.map((piece, index) => [piece.start, index]));
  for (const match of code.matchAll(TEST_CALL)) {
    // Pieces are blanks in the code, so that the pattern may have run over the title.
    const open = code.indexOf("(", match.index);
    const first = open + 1 + /^\s*/.exec(text.slice(open + 1))![0].length;
    const title = titlePieces(text, code, pieces, openings.get(first));
    if (title.length === 0) continue;
    const body = code.slice(title.at(-1)!.end).search(/[^\s,]/) + title.at(-1)!.end;
    const lines = lineAt(code, closingBracket(code, open)) - lineAt(code, body) + 1;
    calls.push({ name: match[1]!, line: lineAt(text, first), title, lines });
  }
  return calls;
}

/** Returns the pieces of a text from its first one on: a template has several, and texts may be added up. */
function titlePieces(text: string, code: string, pieces: readonly Piece[], first: number | undefined): Piece[] {
  if (first === undefined) return [];
  const title: Piece[] = [];
  let depth = 0;
  for (let index = first; index < pieces.length; index++) {
    const piece = pieces[index]!;
    const { kind, start, end } = piece;
    if (kind !== "string" && kind !== "template") break;
    if (depth === 0 && title.length > 0 && code.slice(title.at(-1)!.end, start).trim() !== "+") break;
    if (kind === "template" && text[start] === "`") depth++;
    if (kind === "template" && text[end - 1] === "`") depth--;
    title.push(piece);
  }
  return title;
}

/** Finds titles that are too long. A substitution in a template counts by its source. */
export function checkTitles(file: SourceFile): Finding[] {
  return testCalls(file).flatMap(({ name, line, title }) => {
    const length = titleLength(file.text, title);
    if (length < TITLE_LIMIT) return [];
    const message =
      `title of ${name}() of ${length} characters; below ${TITLE_LIMIT}: behaviour and condition, no reason`;
    return [{ rule: "test titles", file: file.path, line, message }];
  });
}

function titleLength(text: string, title: readonly Piece[]): number {
  const isWhole = (piece: Piece): boolean => text[piece.start] === text[piece.end - 1];
  // Texts that are added up count without what stands between them.
  if (title.every(isWhole)) {
    return title.reduce((sum, { start, end }) => sum + [...text.slice(start + 1, end - 1)].length, 0);
  }
  return [...text.slice(title[0]!.start + 1, title.at(-1)!.end - 1)].length;
}

/** Finds tests that are too long. */
export function checkTestLength(file: SourceFile): Finding[] {
  return testCalls(file).filter(({ name, lines }) => (name === "it" || name === "test") && lines > TEST_LINES).map(
    ({ line, lines }) => {
      const message = `test of ${lines} lines; split it, or give its set-up a name, ${TEST_LINES} at most`;
      return { rule: "test length", file: file.path, line, message };
    },
  );
}

// ---- Sleeps -----------------------------------------------------------------------------------------------------

/** Calls that wait for real time; `x.delay()` and `sleep:` are none. */
const SLEEP = /(?:(?<![.\w$#])|(?<=\b(?:globalThis|Bun|timers)\.))(setTimeout|setInterval|sleep|delay)\s*\(/g;

/**
 * Lists the lines of a test file that wait for real time. A timer that is kept in a variable is a limit that is cleared
 * later, and `setTimeout(…, 0)` only gives way to other callbacks.
 */
export function sleeps({ path, code }: SourceFile): { line: number; name: string }[] {
  if (!isOfTests(path)) return [];
  return [...code.matchAll(SLEEP)].flatMap((match) => {
    const open = match.index + match[0].length - 1;
    const close = closingBracket(code, open);
    const before = code.slice(0, match.index);
    // A declaration of that name has a type or a body behind its brackets; a colon may also belong to `a ? b : c`.
    const isDeclared = /^\s*[:{]/.test(code.slice(close + 1)) && !/(\?|\bawait)\s*$/.test(before);
    const isKept = /[^=]=\s*$/.test(before);
    if (isDeclared || isKept || /,\s*0\s*$/.test(code.slice(open, close))) return [];
    return [{ line: lineAt(code, match.index), name: match[1]! }];
  });
}

/**
 * Finds sleeps in tests outside of the files that may have them, and exceptions that are not needed.
 *
 * @param files All files.
 * @param allowed Paths of files that may, and the reason.
 */
export function checkSleeps(files: readonly SourceFile[], allowed: ReadonlyMap<string, string>): Finding[] {
  const waiting = new Set(files.filter((file) => sleeps(file).length > 0));
  const findings = [...waiting].filter(({ path }) => !allowed.has(path)).flatMap((file) =>
    sleeps(file).map(({ line, name }) => {
      const message = `${name} waits for real time; wait for the event, or use the clock of the test` +
        ` (exceptions: scripts/style_exceptions.ts)`;
      return { rule: "sleeps", file: file.path, line, message };
    })
  );
  const paths = new Set([...waiting].map(({ path }) => path));
  for (const path of allowed.keys()) {
    if (paths.has(path)) continue;
    const message = `"${path}" is no file with a sleep; take it out of the exceptions`;
    findings.push({ rule: "sleeps", file: "scripts/style_exceptions.ts", line: 1, message });
  }
  return findings;
}
