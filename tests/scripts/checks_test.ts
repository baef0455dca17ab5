/** The programs `check_style.ts`, `check_layers.ts`, `check_surface.ts` and `check_api.ts`, each on small projects. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { TESTED_ELSEWHERE } from "../../scripts/tested_elsewhere.ts";
import { SLEEPS_ALLOWED } from "../../scripts/style_exceptions.ts";
import { describePeer } from "../support/peers.ts";

const scripts = fileURLToPath(new URL("../../scripts/", import.meta.url));

/** A project in a folder that is gone after the test. */
class Project implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "checks-"));

  constructor(files: Record<string, string>) {
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }

  run(command: readonly string[], ...args: string[]): { status: number | null; lines: string[]; errors: string } {
    const [program, ...first] = command;
    const env = { ...process.env, NO_COLOR: "1" };
    const { status, stdout, stderr } = spawnSync(program!, [...first, ...args], {
      cwd: this.folder,
      env,
      encoding: "utf8",
    });
    return { status, lines: stdout.trimEnd().split("\n"), errors: stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

describe("check_style.ts", () => {
  const isDeno = "Deno" in globalThis;
  const command = [process.execPath, ...(isDeno ? ["run", "-A", "--no-check"] : []), join(scripts, "check_style.ts")];
  /** A project without offenders: each exception must have its reason. */
  const clean = Object.fromEntries([...SLEEPS_ALLOWED.keys()].map((path) => [path, "await sleep(5);\n"]));

  it("exits with 0 on a project without offenders, ignoring folders of others", () => {
    using project = new Project({
      ...clean,
      "base/a.ts": "/** Sends. */\nexport const a = 1;\n",
      "README.md": "# A\n",
      "node_modules/b/b.ts": "// nobody\n",
      ".git/c.md": "nobody\n",
    });
    const { status, lines, errors } = project.run(command);
    assertEquals([status, lines.length, errors], [0, 1, ""]);
    assertStringIncludes(lines[0]!, "no findings; 0 of 1 (0.0 %) doc comments");
  });

  const offenders: [rule: string, path: string, text: string][] = [
    ["first words", "base/a.ts", "/** What it is. */"],
    ["vague words", "base/deep/a.ts", "// nobody"],
    ["vague words", "docs/a.md", "nobody"],
    ["metaphors", "scripts/a.ts", '"for good"'],
    ["comment width", "bench/a.ts", `// ${"a ".repeat(60)}`],
    ["file size", "examples/a.ts", "\n".repeat(701)],
    ["class size", "base/a.ts", `class A {${"\n".repeat(500)}}`],
    ["test titles", "tests/base/a_test.ts", `it("${"a".repeat(100)}", f)`],
    ["test length", "tests/a_test.ts", `it("a", () => {${"\n".repeat(60)}})`],
    ["sleeps", "tests/base/a_test.ts", "await sleep(1)"],
  ];
  for (const [rule, path, text] of offenders) {
    it(`fails with file and line for ${rule} in ${path}`, () => {
      using project = new Project({ ...clean, [path]: text });
      const { status, lines } = project.run(command);
      assertEquals([status, lines.length], [1, 2], lines.join("\n"));
      assertStringIncludes(lines[0]!, `${path}:1 `);
      assertStringIncludes(lines[1]!, ` 1 ${rule};`);
    });
  }

  it("prints twenty of a rule, all of them with --list, and figures with --stats", () => {
    using project = new Project({ ...clean, "a.ts": "// nobody\n".repeat(25) });
    const short = project.run(command);
    assertEquals([short.status, short.lines.length], [1, 22]);
    assertEquals(short.lines[20], '… 5 more of "vague words": deno task style --list');
    assertEquals(project.run(command, "--list").lines.length, 26);
    const { status, lines } = project.run(command, "--stats");
    assertEquals(status, 0);
    assertStringIncludes(lines.join("\n"), `sleeps in tests, with the allowed ones: ${SLEEPS_ALLOWED.size}\n`);
  });
});

describe("check_layers.ts", () => {
  const isDeno = "Deno" in globalThis;
  const command = [process.execPath, ...(isDeno ? ["run", "-A", "--no-check"] : []), join(scripts, "check_layers.ts")];
  /** A project without offenders: each reason must have its module, and the tests that it names. */
  const tests = [...TESTED_ELSEWHERE.values()].flatMap((reason) => reason.match(/\b\w[\w/]*_test\.ts\b/g) ?? [])
    .map((path) => path.startsWith("tests/") ? path : `tests/${path}`);
  const clean = {
    ...Object.fromEntries([...TESTED_ELSEWHERE.keys(), ...tests].map((path) => [path, ""])),
    "deno.json": `{ "exports": { ".": "./mod.ts", "./browser": "./browser.ts" } }`,
    "mod.ts": 'export { a } from "./server/a.ts";\n',
    "browser.ts": "",
    "server/a.ts": "export const a = 1;\n",
  };

  it("exits with 0 on a project without offenders, ignoring folders of others", () => {
    using project = new Project({ ...clean, "node_modules/b/b.ts": "", "scripts/c.ts": "Deno.pid;\n" });
    const { status, lines, errors } = project.run(command);
    assertEquals([status, lines.length, errors], [0, 1, ""], lines.join("\n"));
    assertStringIncludes(lines[0]!, "15 rooms, 0 places break a rule");
  });

  it("fails with file and line for each offender", () => {
    using project = new Project({ ...clean, "base/x.ts": '\nimport "../server/a.ts";\nBun.version;\n' });
    const { status, lines } = project.run(command);
    assertEquals([status, lines.length], [1, 3], lines.join("\n"));
    assertEquals(lines[0], "base/x.ts:2 imports server/a.ts: base may import nothing");
    assertStringIncludes(lines[1]!, "base/x.ts:3 names the runtime Bun");
  });

  it("prints the rooms with --rooms, even if rules are broken", () => {
    using project = new Project({});
    const { status, lines } = project.run(command, "--rooms");
    assertEquals([status, lines.length], [0, 30]);
    assertEquals(lines[1], "            imports nothing");
  });
});

describePeer("check_surface.ts", "Deno", (deno) => {
  const command = [...deno, "run", "-A", "--no-check", join(scripts, "check_surface.ts")];
  const files = {
    "deno.json": `{ "exports": { ".": "./mod.ts", "./b": "./b.ts" } }`,
    "mod.ts": `/** A mod.\n * @module */\nexport { B } from "./b.ts";\n`,
    "b.ts": `/** B. */\nexport class B {\n  /** M. */\n  m(): void {}\n}\n`,
    "docs/surface.txt": "",
  };

  it("writes the list, exits with 0 while it is true, and names differences", () => {
    using project = new Project(files);
    assertEquals(project.run(command, "--write").status, 0);
    assertStringIncludes(project.read("docs/surface.txt"), "\n[.]\nclass B\n  m\n\n[./b]\nclass B (as in .)\n");
    const same = project.run(command);
    assertEquals([same.status, same.lines], [0, [". 1, ./b 1"]]);
    project.write("b.ts", files["b.ts"].replace("m()", "n()"));
    const { status, lines } = project.run(command);
    assertEquals([status, lines.slice(0, 2)], [1, ['- "." class B: m', '+ "." class B: n']]);
    assertStringIncludes(lines[2]!, "deno task surface --write");
  });

  it("fails without a list, and leaves that as it is", () => {
    using project = new Project(files);
    const { status, lines } = project.run(command);
    assertEquals([status, lines[0]], [1, '+ "." class B']);
    assertEquals(project.read("docs/surface.txt"), "");
  });

  it("fails with a true list for what is marked as internal", () => {
    using project = new Project({ ...files, "b.ts": files["b.ts"].replace("M. ", "M.\n   * @internal\n   ") });
    const { status, lines } = project.run(command, "--write");
    assertEquals(status, 1);
    assertStringIncludes(lines[0]!, "B.m is marked @internal");
  });

  it("fails with a true list for a type that no entry exports", () => {
    const b = `import type { C } from "./c.ts";\n/** B. */\nexport const b: C = 1;\n/** B. */\nexport type B = 1;\n`;
    using project = new Project({ ...files, "b.ts": b, "c.ts": "/** C. */\nexport type C = number;\n" });
    const { status, errors } = project.run(command, "--write");
    assertEquals(status, 1);
    assertStringIncludes(errors, "references private type 'C'");
    project.write("b.ts", `${b}export type { C };\n`);
    assertEquals(project.run(command, "--write").status, 0);
  });
});

describePeer("check_api.ts", "Deno", (deno) => {
  const command = [...deno, "run", "-A", "--no-check", join(scripts, "check_api.ts")];
  const files = {
    "deno.json": `{ "exports": { ".": "./mod.ts" } }`,
    "mod.ts":
      `/** A mod.\n * @module */\nexport type { Base } from "./base.ts";\nexport type { AOptions } from "./a.ts";\n`,
    "base.ts":
      "/** B. */\nexport interface Base {\n  /** Size, in bytes. More.\n   * @default {8} */\n  size?: number;\n}\n",
    "a.ts": `import type { Base } from "./base.ts";\n/** A. */\nexport interface AOptions extends Base {}\n`,
  };

  it("names each comment that does not list what is inherited, and writes the lists", () => {
    using project = new Project(files);
    const { status, lines } = project.run(command);
    assertEquals([status, lines.length, project.read("a.ts")], [1, 1, files["a.ts"]]);
    assertStringIncludes(lines[0]!, "AOptions does not list");
    assertEquals(project.run(command, "--write").status, 0);
    assertStringIncludes(
      project.read("a.ts"),
      "/**\n * A.\n *\n * Also from {@linkcode Base}:\n * - `size` (default `8`): Size, in bytes.\n */\nexport",
    );
    assertEquals(project.run(command).status, 0);
    project.write("base.ts", files["base.ts"].replace("{8}", "{16}"));
    assertEquals(project.run(command).status, 1);
  });
});
