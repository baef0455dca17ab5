/**
 * The snippets of the docs as tests, all in one process. `deno test --doc` would start a thread for each, which takes
 * most of its time; it checks their types.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Languages of snippets that `deno test --doc` takes for code. */
const CODE = ["js", "javascript", "mjs", "cjs", "jsx", "ts", "typescript", "mts", "cts", "tsx"];

/**
 * Writes a module and a test for each snippet.
 *
 * @param files Markdown, and modules with doc comments.
 * @param folder Empty folder for them; it may be outside of the project. Deno needs its `deno.json`.
 * @returns The file with the tests.
 */
export function writeSnippets(files: readonly string[], folder: string): string {
  const paths = absolutePaths();
  const entries = Object.entries(paths).map(([name, path]) => [name, [path]]);
  const tsconfig = { compilerOptions: { paths: Object.fromEntries(entries) } };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  writeFileSync(join(folder, "deno.json"), JSON.stringify({ imports: paths, lock: false, unstable: ["net"] }));
  const tests = files.flatMap((file) =>
    findSnippets(file, readFileSync(file, "utf8")).map(({ line, code }) => {
      const name = `${file.replaceAll(".", "_").replaceAll("/", "_")}_${line}.ts`;
      writeFileSync(join(folder, name), code);
      return `it("${file}:${line}", async () => void await import("./${name}"));`;
    })
  );
  const testFile = join(folder, "snippets_test.ts");
  writeFileSync(testFile, `import { it } from "@std/testing/bdd";\n\n${tests.join("\n")}\n`);
  return testFile;
}

/** The names that the project's files import, which then lead to it from anywhere. */
function absolutePaths(): Record<string, string> {
  const { paths } = JSON.parse(readFileSync("tsconfig.json", "utf8")).compilerOptions;
  return Object.fromEntries(Object.entries<string[]>(paths).map(([name, [path]]) => [name, resolve(path!)]));
}

/**
 * Finds the snippets of a file.
 *
 * @param file Name of the file, for errors.
 * @param text Its text: Markdown, or a module with doc comments.
 * @returns The code of each, and the line in which it begins.
 */
export function findSnippets(file: string, text: string): { line: number; code: string }[] {
  const snippets: { line: number; code: string }[] = [];
  let open: { line: number; lines: string[] } | undefined;
  text.split("\n").forEach((raw, index) => {
    const line = raw.replace(/^\s*\* ?/, "");
    if (open === undefined) {
      if (line === "```ts") open = { line: index + 1, lines: [] };
      else if (line.startsWith("```") && CODE.includes(line.slice(3).split(/[\s,]/)[0]!)) {
        throw new Error(`${file}:${index + 1}: a snippet begins with "\`\`\`ts", not with "${line}"`);
      }
    } else if (line === "```") {
      snippets.push({ line: open.line, code: open.lines.join("\n") + "\n" });
      open = undefined;
    } else open.lines.push(line);
  });
  return snippets;
}
