/**
 * Checks plain English and sizes in all TypeScript files and documents:
 *
 *   deno task style          fails with a line for each place that breaks a rule, 20 of a rule at most
 *   deno task style --list   all of them, and doc comments that begin with a question word though they are few
 *   deno task style --stats  figures only
 *
 * The rules are in scripts/style_rules.ts, exceptions with their reasons in scripts/style_exceptions.ts.
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { scanSource } from "./source_text.ts";
import { SLEEPS_ALLOWED, WORDS_ALLOWED } from "./style_exceptions.ts";
import type { DocComment, Finding, SourceFile } from "./style_rules.ts";
import { RIDDLE_WORDS } from "./style_words.ts";
import * as rules from "./style_rules.ts";

/** Findings of one rule that are printed without `--list`. */
const SHOWN = 20;

const { values } = parseArgs({ options: { list: { type: "boolean" }, stats: { type: "boolean" } } });
const paths = listFiles("");
const files = paths.filter((path) => path.endsWith(".ts")).map((path): SourceFile => ({
  path,
  ...scanSource(read(path)),
}));
const documents = paths.filter((path) => path.endsWith(".md"));
const comments = files.flatMap(rules.docComments);
const riddles = comments.filter(rules.isRiddle);
const findings = [
  ...rules.checkFirstWords(comments),
  ...files.flatMap((file) => rules.checkWords(file, WORDS_ALLOWED)),
  ...documents.flatMap((path) => rules.checkDocument(path, read(path))),
  ...files.flatMap(rules.checkCommentWidth),
  ...files.flatMap(rules.checkSize),
  ...files.flatMap(rules.checkTitles),
  ...files.flatMap(rules.checkTestLength),
  ...rules.checkSleeps(files, SLEEPS_ALLOWED),
];

if (values.stats) printFigures();
else {
  printFindings(values.list ? Infinity : SHOWN);
  if (values.list && findings.every(({ rule }) => rule !== "first words")) printRiddles(riddles);
  console.log(summary());
  process.exitCode = findings.length === 0 ? 0 : 1;
}

/** Lists the files below a folder that are the project's own. */
function listFiles(folder: string): string[] {
  return readdirSync(folder || ".", { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".") || ["node_modules", "artifacts", "coverage"].includes(entry.name)) return [];
    if (entry.isDirectory()) return listFiles(`${folder}${entry.name}/`);
    return entry.isFile() ? [folder + entry.name] : [];
  }).sort();
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}

function printFindings(shown: number): void {
  for (const [rule, found] of byRule(findings)) {
    for (const { file, line, message } of found.slice(0, shown)) console.log(`${file}:${line} ${message}`);
    if (found.length > shown) console.log(`… ${found.length - shown} more of "${rule}": deno task style --list`);
  }
}

function printRiddles(riddles: readonly DocComment[]): void {
  for (const { file, line, summary } of riddles) console.log(`${file}:${line} (below the limit) ${summary}`);
}

function byRule(findings: readonly Finding[]): Map<string, Finding[]> {
  return Map.groupBy(findings, ({ rule }) => rule);
}

function summary(): string {
  const counts = [...byRule(findings)].map(([rule, found]) => `${found.length} ${rule}`).join(", ");
  return `${files.length} files, ${documents.length} documents: ${counts || "no findings"}; ` +
    `${share(comments)} doc comments begin with a question word, ` +
    `${share(comments.filter(({ file }) => rules.isOfLibrary(file)))} of the library`;
}

function share(comments: readonly DocComment[]): string {
  const { length } = comments.filter(rules.isRiddle);
  return `${length} of ${comments.length} (${(100 * length / Math.max(1, comments.length)).toFixed(1)} %)`;
}

function printFigures(): void {
  console.log(summary());
  const words = RIDDLE_WORDS.map((word) => `${word} ${riddles.filter((riddle) => riddle.firstWord === word).length}`);
  console.log(`doc comments by first word: ${words.join(", ")}`);
  const rooms = Map.groupBy(riddles, ({ file }) => file.includes("/") ? file.slice(0, file.indexOf("/")) : "root");
  console.log(`by folder: ${[...rooms].map(([room, { length }]) => `${room} ${length}`).join(", ")}`);
  const sources = files.filter(({ path }) => !rules.isOfTests(path));
  const long = sources.map(({ path, text }) => ({ path, lines: rules.countLines(text) }))
    .filter(({ lines }) => lines > rules.FILE_LINES);
  printLongest(`files over ${rules.FILE_LINES} lines`, long.map(({ path, lines }) => [path, lines]));
  const large = sources.flatMap(({ path, code }) => rules.classes(code).map((found) => ({ path, ...found })))
    .filter(({ lines }) => lines > rules.CLASS_LINES);
  printLongest(
    `classes over ${rules.CLASS_LINES} lines`,
    large.map(({ path, name, lines }) => [`${name} (${path})`, lines]),
  );
  const waiting = files.map((file): [string, number] => [file.path, rules.sleeps(file).length])
    .filter(([, count]) => count > 0);
  console.log(`sleeps in tests, with the allowed ones: ${waiting.reduce((sum, [, count]) => sum + count, 0)}`);
  printLongest("files of tests with sleeps", waiting);
}

function printLongest(title: string, rows: [name: string, count: number][]): void {
  const sorted = rows.sort((a, b) => b[1] - a[1]);
  console.log(`${title}: ${rows.length}${sorted.map(([name, count]) => `\n  ${count} ${name}`).join("")}`);
}
