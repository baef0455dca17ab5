/**
 * The snippets of the docs as tests for Bun, whose test runner does not look for them; Deno's does (`deno test --doc`).
 */

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

/**
 * Writes a module and a test for each snippet.
 *
 * @param files Markdown, and modules with doc comments.
 * @param folder Empty folder for them; it may be outside of the project.
 * @returns The file with the tests.
 */
export function writeSnippets(files: readonly string[], folder: string): string {
  writeFileSync(`${folder}/tsconfig.json`, absoluteConfig());
  const tests = files.flatMap((file) =>
    findSnippets(readFileSync(file, "utf8")).map(({ line, code }) => {
      const name = `${file.replaceAll(".", "_").replaceAll("/", "_")}_${line}.ts`;
      writeFileSync(`${folder}/${name}`, code);
      return `it("${file}:${line}", async () => void await import("./${name}"));`;
    })
  );
  const testFile = `${folder}/snippets_test.ts`;
  writeFileSync(testFile, `import { it } from "bun:test";\n\n${tests.join("\n")}\n`);
  return testFile;
}

/** The project's configuration, whose names then lead to the project from anywhere. */
function absoluteConfig(): string {
  const config = JSON.parse(readFileSync("tsconfig.json", "utf8"));
  const paths = Object.entries<string[]>(config.compilerOptions.paths);
  config.compilerOptions.paths = Object.fromEntries(
    paths.map(([name, files]) => [name, files.map((it) => resolve(it))]),
  );
  return JSON.stringify(config);
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
