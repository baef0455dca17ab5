/**
 * Links of the documents lead somewhere, and the files and tasks they name exist. Their snippets are run by
 * `scripts/test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Folders whose Markdown is checked; the change log names files as they were called at the time. */
const FOLDERS = ["", "docs", "bench"];
const UNCHECKED = "CHANGELOG.md";
/** Text in backticks that names a file of the project. */
const SOURCE = /^[\w./-]+\.(ts|c|cjs|mjs|sh|md)$/;

/** Parts of a path that stand for others: `tests/ROOM/FILE_test.ts`. */
const PLACEHOLDER = /(^|\/)[A-Z]+[/_]/;

const documents = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith(".md") && name !== UNCHECKED)
    .map((name) => join(folder, name))
);
const entries = readdirSync(root, { withFileTypes: true }).filter(({ name }) =>
  !name.startsWith(".") && name !== "node_modules"
);
const files = entries.flatMap((entry) =>
  entry.isDirectory()
    ? readdirSync(join(root, entry.name), { recursive: true }).map((name) => join(entry.name, String(name)))
    : [entry.name]
);
const names = new Set(files.map((file) => basename(file)));
const tasks: Record<string, unknown> = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")).tasks;

/** The text without fenced code, whose lines are left empty. */
function prose(text: string): string {
  let fenced = false;
  return text.split("\n").map((line) => {
    const fence = /^\s*```/.test(line);
    if (fence) fenced = !fenced;
    return fence || fenced ? "" : line;
  }).join("\n");
}

/** The anchors that GitHub and JSR make of headings. */
function anchorsOf(document: string): Set<string> {
  const text = prose(readFileSync(join(root, document), "utf8"));
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Links of a document to other places of the project that lead nowhere. */
function brokenLinks(document: string): string[] {
  const text = prose(readFileSync(join(root, document), "utf8")).replaceAll(/`[^`]*`/g, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return links.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path, anchor] = target.split("#");
    const file = path === "" ? document : join(dirname(document), path!);
    return !existsSync(join(root, file)) || (anchor !== undefined && !anchorsOf(file).has(anchor));
  });
}

/** Files that a document names in backticks or in pictures of text, and that are not there. */
function missingFiles(document: string): string[] {
  const whole = readFileSync(join(root, document), "utf8");
  const named = [...prose(whole).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  const pictures = [...whole.matchAll(/^```text\n([^]*?)^```/gm)].map(([, picture]) => picture).join("");
  const drawn = [...pictures.matchAll(/\b[a-z_]+\/[a-z_]+\.ts\b/g)].map(([path]) => path);
  return [...named.filter((code) => SOURCE.test(code) && !PLACEHOLDER.test(code)), ...drawn].filter((name) =>
    name!.includes("/")
      ? ![root, join(root, dirname(document))].some((from) => isFile(join(from, name!)))
      : !names.has(name!)
  );
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** Words of the project's code. */
const words = new Set(
  files.filter((file) => file.endsWith(".ts") && basename(file) !== "docs_test.ts")
    .flatMap((file) => readFileSync(join(root, file), "utf8").match(/\w+/g) ?? []),
);

/** Options, members and error codes that a document names in backticks, and that no code has. */
function missingNames(document: string): string[] {
  const text = prose(readFileSync(join(root, document), "utf8"));
  const codes = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code).join(" ");
  const named = codes.match(/\b(?:[a-z]+[A-Z][A-Za-z0-9]*|ERR(?:_[A-Z]+)+)\b/g) ?? [];
  return named.filter((name) => !words.has(name));
}

/** Tasks that a document mentions and that are not there, `deno task …` in prose and in commands. */
function missingTasks(document: string): string[] {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(/deno(?:@[\d.]+)? task ([a-z][\w:-]*)/g)].map(([, name]) => name!).filter((name) =>
    !(name in tasks)
  );
}

describe("the documents", () => {
  for (const document of documents) {
    it(`link to what is there: ${document}`, () => assertEquals(brokenLinks(document), []));
    it(`name files that are there: ${document}`, () => assertEquals(missingFiles(document), []));
    // The one in bench/ names what was tried and not taken.
    if (dirname(document) !== "bench") {
      it(`name options, members and error codes that are there: ${document}`, () =>
        assertEquals(missingNames(document), []));
    }
    it(`mention tasks that are there: ${document}`, () => assertEquals(missingTasks(document), []));
  }

  it("can all be reached from README.md", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const pages = documents.filter((document) => document !== "README.md" && dirname(document) !== "bench");
    assert(pages.length > 5);
    assertEquals(pages.filter((page) => !readme.includes(`](${page})`)), []);
  });
});
