import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { scanSource } from "../../scripts/source_text.ts";
import { METAPHORS, RIDDLE_WORDS, VAGUE_WORDS } from "../../scripts/style_words.ts";
import * as rules from "../../scripts/style_rules.ts";

const NONE = new Map<string, string>();

function file(path: string, text: string): rules.SourceFile {
  return { path, ...scanSource(text) };
}

function linesOf(findings: rules.Finding[]): number[] {
  return findings.map(({ line }) => line);
}

describe("first words of doc comments", () => {
  const comments = (path: string, first: string, count: number): rules.DocComment[] =>
    rules.docComments(file(path, `/** ${first} it. */\n`.repeat(count)));

  it("are read behind stars and line breaks, and may be a tag", () => {
    const text = "/** What. */\n/**\n *  Which one.\n */\n/** @module */\n/** `code` */\n/** */\n/* What */ // What";
    assertEquals(rules.docComments(file("a.ts", text)).map(({ firstWord, line }) => [firstWord, line]), [
      ["What", 1],
      ["Which", 2],
      ["@module", 5],
      ["", 6],
      ["", 7],
    ]);
  });

  for (const word of RIDDLE_WORDS) {
    it(`may not be ${word} in three of a hundred`, () => {
      assertEquals(rules.checkFirstWords([...comments("a.ts", word, 2), ...comments("a.ts", "Sends", 98)]), []);
      const findings = rules.checkFirstWords([...comments("a.ts", word, 3), ...comments("a.ts", "Sends", 97)]);
      assertEquals(linesOf(findings), [1, 2, 3]);
      assertStringIncludes(findings[0]!.message, `"${word}"`);
      assertStringIncludes(findings[0]!.message, `${word} it.`);
    });
  }

  it("are whole words in their own case", () => {
    assertEquals(rules.checkFirstWords([...comments("a.ts", "Sockets", 1), ...comments("a.ts", "what", 1)]), []);
  });

  it("have the same limit in the library alone, whatever the tests add", () => {
    const all = [...comments("base/a.ts", "What", 3), ...comments("base/a.ts", "Sends", 90)];
    const findings = rules.checkFirstWords([
      ...all,
      ...comments("tests/a.ts", "So", 1),
      ...comments("tests/a.ts", "A", 99),
    ]);
    assertEquals(findings.map(({ file }) => file), ["base/a.ts", "base/a.ts", "base/a.ts"]);
  });

  it("pass if there are no doc comments at all", () => {
    assertEquals(rules.checkFirstWords([]), []);
  });
});

describe("vague words and metaphors", () => {
  for (const word of [...VAGUE_WORDS, ...METAPHORS.keys()]) {
    it(`are found in comments, strings and documents: word ${word.length}, ${word[0]}…`, () => {
      const upper = word.toUpperCase();
      for (const text of [`/** ${word} */`, `// a ${upper}.`, `"${word}"`, `\`\${1} ${word}\``]) {
        const findings = rules.checkWords(file("base/a.ts", `\n${text}`), NONE);
        assertEquals(linesOf(findings), [2], text);
        assertStringIncludes(findings[0]!.message, `"${word}"; `);
      }
      assertEquals(linesOf(rules.checkDocument("docs/a.md", `# A\n\nThen ${word} comes.`)), [3]);
    });
  }

  it("are found in titles and comments of tests, but not in their data", () => {
    const text = `// nobody\nit("whoever", () => send("somebody"));\ndescribe(\`\${1} nobody\`, () => {});`;
    assertEquals(linesOf(rules.checkWords(file("tests/a_test.ts", text), NONE)), [1, 2, 3]);
  });

  it("are ignored in code: names, regular expressions, and text in backquotes", () => {
    const text = "nobody(/nobody/); // `nobody`, `somebodyElse`\n/** nobodyElse */";
    assertEquals(rules.checkWords(file("base/a.ts", text), NONE), []);
    assertEquals(rules.checkDocument("README.md", "the user `nobody`"), []);
  });

  it("are found across the lines of a comment", () => {
    const text = "/**\n * Ends it for\n * good.\n */\n// not as it\n// should be";
    assertEquals(linesOf(rules.checkWords(file("base/a.ts", text), NONE)), [2]);
    assertEquals(linesOf(rules.checkDocument("README.md", "Ends for\ngood")), [1]);
  });

  it("may be in a file with a reason", () => {
    assertEquals(rules.checkWords(file("base/a.ts", "// nobody"), new Map([["base/a.ts", "a reason"]])), []);
    assertEquals(linesOf(rules.checkWords(file("base/a.ts", "// nobody"), new Map([["a.ts", "a reason"]]))), [1]);
  });
});

describe("comment width", () => {
  const width = (text: string): number[] => linesOf(rules.checkCommentWidth(file("base/a.ts", text)));
  const words = (columns: number): string => "a ".repeat(columns).slice(0, columns - 1) + "b";

  it("is 120 columns at most, for each kind of comment and each of its lines", () => {
    for (
      const [before, after] of [["// ", ""], ["/* ", " */"], ["/** ", " */"], ["/**\n * ", "\n */"], ["f(); // ", ""]]
    ) {
      const used = before!.split("\n").at(-1)!.length + after!.split("\n")[0]!.length;
      assertEquals(width(before + words(120 - used) + after), [], before);
      assertEquals(width(before + words(121 - used) + after).length, 1, before);
    }
  });

  it("counts characters and not UTF-16 units", () => {
    assertEquals(width(`// ${words(115)} 😀`), []);
  });

  it("is free for one word that cannot be broken, and for code", () => {
    assertEquals(width(`// https://${"a".repeat(120)}\n/**\n * ${"a".repeat(120)}\n */`), []);
    assertEquals(width(`f("${words(130)}");`), []);
  });

  it("counts a line with two comments once", () => {
    assertEquals(width(`/* a */ /* ${words(120)} */ // b\n// ${words(118)}`), [1, 2]);
  });
});

describe("size", () => {
  const size = (path: string, text: string): string[] => rules.checkSize(file(path, text)).map(({ rule }) => rule);
  const long = (lines: number, heading = "class A"): string => `${heading} {${"\n".repeat(lines - 1)}}\n`;

  it("is 700 lines for a file, and free for tests", () => {
    assertEquals(size("base/a.ts", "a;\n".repeat(700)), []);
    assertEquals(size("base/a.ts", "a;\n".repeat(701)), ["file size"]);
    assertEquals(size("base/a.ts", "a;\n".repeat(700) + "b"), ["file size"]);
    assertEquals(size("tests/a.ts", "a;\n".repeat(701)), []);
  });

  it("is 500 lines for a class", () => {
    assertEquals(size("base/a.ts", long(500)), []);
    assertEquals(size("base/a.ts", long(501)), ["class size"]);
    assertEquals(size("base/a.ts", long(400) + long(101)), []);
  });

  it("counts a class from its name to its last brace, ignoring its heading", () => {
    const heading = "export abstract class A<T extends { a: () => void }> extends B<{ c: 1 }> implements C";
    assertEquals(rules.classes(scanSource(long(501, heading)).code), [{ name: "A", line: 1, lines: 501 }]);
    assertEquals(rules.classes(scanSource(`const a = "class B {"; // class C {\nx.class A {}`).code), []);
  });
});

describe("titles of tests", () => {
  const titles = (text: string): number[] => linesOf(rules.checkTitles(file("tests/a_test.ts", text)));
  const [fits, long] = ["a".repeat(99), "a".repeat(100)];

  it("are below 100 characters, for tests and groups of all kinds", () => {
    for (const call of ["it", "it.skip", "describe", "describe.only", "describeRedis", "test", "Deno.test", "suite"]) {
      assertEquals(titles(`${call}("${fits}", () => {});`), [], call);
      assertEquals(titles(`\n${call}("${long}", () => {});`), [2], call);
      assertEquals(titles(`${call}(\n  '${long}',\n  () => {});`), [2], call);
    }
  });

  it("count by their source if they are templates, and together if they are added up", () => {
    assertEquals(titles(`it(\`${fits.slice(4)}\${b}\`, f);`), []);
    assertEquals(titles(`it(\`${fits.slice(3)}\${b}\`, f);`), [1]);
    assertEquals(titles(`it(\`a\${b ? \`c\${d}\` : "e"}${fits}\`, f);`), [1]);
    assertEquals(titles(`it("${fits}" +\n "b", f);`), [1]);
    assertEquals(titles(`it("${fits.slice(1)}" + "b", f);`), []);
  });

  it("are those of tests only", () => {
    assertEquals(titles(`pattern.test("${long}"); /a/.test("${long}"); edit("${long}"); it(name, "${long}");`), []);
    assertEquals(titles(`it("a", () => send("${long}")); // it("${long}")`), []);
    assertEquals(rules.checkTitles(file("base/a.ts", `it("${long}", f);`)), []);
  });
});

describe("length of tests", () => {
  const length = (text: string): number[] => linesOf(rules.checkTestLength(file("tests/a_test.ts", text)));
  const body = (lines: number): string => `() => {${"\n".repeat(lines - 1)}}`;

  it("is 60 lines at most, from the start of the callback", () => {
    assertEquals(length(`it("a", ${body(60)});`), []);
    assertEquals(length(`it("a", ${body(61)});`), [1]);
    assertEquals(length(`it(\n  "a",\n  ${body(60)});`), []);
    assertEquals(length(`it("a", () => run(async ${body(61)}));`), [1]);
  });

  it("is free for groups, and counts brackets in code only", () => {
    assertEquals(length(`describe("a", ${body(100)});`), []);
    assertEquals(length(`it("a)", () => { f(")", /\\)/); // )\n${"\n".repeat(60)}});`), [1]);
  });
});

describe("sleeps in tests", () => {
  const sleeps = (text: string, allowed = NONE, path = "tests/a_test.ts"): string[] =>
    rules.checkSleeps([file(path, text)], allowed).map(({ file, line }) => `${file}:${line}`);

  it("are found by their names", () => {
    const calls = [
      "await new Promise((resolve) => setTimeout(resolve, 5));",
      "await new Promise((resolve) => globalThis.setTimeout(() => {\n  resolve(0);\n}, 50));",
      "await sleep(20);",
      "await delay(ms);",
      "await (isSlow ? sleep(5) : turn());",
      "isSlow ? await sleep(5) : await turn();",
      "setInterval(poll, 10);",
      "await timers.setTimeout(20);",
      "await Bun.sleep(20);",
      "const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));",
    ];
    for (const call of calls) assertEquals(sleeps(`\n${call}`), ["tests/a_test.ts:2"], call);
  });

  it("are none as a limit that is kept, as a turn of the event loop, as methods, and as text", () => {
    const others = [
      "const timer = setTimeout(() => child.kill(), 60_000);",
      "await new Promise((resolve) => setTimeout(resolve, 0));",
      "backoff.delay(5); clock.setTimeout(f, 5);",
      "class A { delay(ms: number): void {} sleep() {} }",
      "function sleep(ms: number) {}",
      "async function delay(ms: number): Promise<void> {}",
      "run(`sleep(5)`, 'setTimeout(f, 5)'); // delay(5)",
      "let timer: ReturnType<typeof setTimeout>;",
    ];
    for (const other of others) assertEquals(sleeps(other), [], other);
  });

  it("may be in a file with a reason, which must have one", () => {
    const allowed = new Map([["tests/a_test.ts", "a reason"]]);
    assertEquals(sleeps("await sleep(5);", allowed), []);
    assertEquals(sleeps("await turn();", allowed), ["scripts/style_exceptions.ts:1"]);
    assertEquals(sleeps("await sleep(5);", allowed, "tests/b_test.ts"), [
      "tests/b_test.ts:1",
      "scripts/style_exceptions.ts:1",
    ]);
  });

  it("are the business of tests only", () => {
    assertEquals(sleeps("await sleep(5);", NONE, "base/a.ts"), []);
  });
});
