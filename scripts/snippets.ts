/**
 * The snippets of the docs as tests for Bun, whose test runner does not look for them; Deno's does (`deno test --doc`).
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/** Inside the project, so that its imports are found. */
const FOLDER = "tests/snippets";

/**
 * Writes a module and a test for each snippet.
 *
 * @param files Markdown, and modules with doc comments.
 * @returns The folder with the tests.
 */
export function writeSnippets(files: readonly string[]): string {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  const tests = files.flatMap((file) =>
    findSnippets(readFileSync(file, "utf8")).map(({ line, code }) => {
      const name = `${file.replaceAll(".", "_").replaceAll("/", "_")}_${line}.ts`;
      writeFileSync(`${FOLDER}/${name}`, code);
      return `it("${file}:${line}", async () => void await import("./${name}"));`;
    })
  );
  writeFileSync(`${FOLDER}/snippets_test.ts`, `import { it } from "bun:test";\n\n${tests.join("\n")}\n`);
  return FOLDER;
}

function findSnippets(text: string): { line: number; code: string }[] {
  const snippets: { line: number; code: string }[] = [];
  let open: { line: number; lines: string[] } | undefined;
  text.split("\n").forEach((raw, index) => {
    const line = raw.replace(/^\s*\* ?/, "");
    if (open === undefined) {
      if (line === "```ts") open = { line: index + 1, lines: [] };
    } else if (line === "```") {
      snippets.push({ line: open.line, code: open.lines.join("\n") + "\n" });
      open = undefined;
    } else open.lines.push(line);
  });
  return snippets;
}
