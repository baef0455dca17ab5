import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { closingBracket, lineAt, scanSource } from "../../scripts/source_text.ts";

/** The pieces of a text: kind and text. */
function piecesOf(text: string): [kind: string, text: string][] {
  return scanSource(text).pieces.map(({ kind, start, end }) => [kind, text.slice(start, end)]);
}

describe("scanSource", () => {
  it("finds comments of each kind, but none in a string", () => {
    assertEquals(piecesOf(`a; // b\n/* c */ d /** e\n */ "// f" '/* g */'`), [
      ["line comment", "// b"],
      ["block comment", "/* c */"],
      ["doc comment", "/** e\n */"],
      ["string", `"// f"`],
      ["string", "'/* g */'"],
    ]);
  });

  it("takes an empty comment, and a line of stars, for no doc comment", () => {
    assertEquals(piecesOf("/**/ a /*** b */").map(([kind]) => kind), ["block comment", "block comment"]);
  });

  it("reads escapes in strings", () => {
    assertEquals(piecesOf(String.raw`"a\"b" + 'c\\' + "d"`).map(([, text]) => text), [
      String.raw`"a\"b"`,
      String.raw`'c\\'`,
      `"d"`,
    ]);
  });

  it("ends a comment or a literal without an end where the text or the line ends", () => {
    assertEquals(piecesOf("/* a"), [["block comment", "/* a"]]);
    assertEquals(piecesOf("`a"), [["template", "`a"]]);
    assertEquals(piecesOf(`"a\nb`), [["string", `"a\n`]]);
  });

  it("splits a template literal at substitutions, whose code is code", () => {
    const text = "`a${b + `c${{ d: 1 }.d}e`}f` / 2 / 3";
    assertEquals(piecesOf(text), [
      ["template", "`a${"],
      ["template", "`c${"],
      ["template", "}e`"],
      ["template", "}f`"],
    ]);
    assertEquals(scanSource(text).code, "    b +     { d: 1 }.d       / 2 / 3");
  });

  it("tells a regular expression from a division", () => {
    for (
      const text of [
        '= /a"b/g',
        "(/[/'\"]/u",
        'return /\\/"/',
        "`${/'/}`",
        "a`b${/'/}`",
        "return /'/",
        "a && /'/",
        "{ /'/ }",
        "!/'/.test(a)",
      ]
    ) {
      assertEquals(piecesOf(text).filter(([kind]) => kind === "regex").length, 1, text);
      assertEquals(piecesOf(text).filter(([kind]) => kind === "string").length, 0, text);
    }
    for (
      const text of ["a / b / c", "f() / 2 / g", "a[0] / 2 / g", "a! / 2 / g", "a++ / 2 / g", "1 / 2 / g", "a /\n b/"]
    ) {
      assertEquals(piecesOf(text), [], text);
    }
  });

  it("keeps offsets and lines in the code, for all pieces", () => {
    const text = "#!/usr/bin/env deno\n/* (\n { */ f(`[\n${x}`, /\\(/);\n";
    const { code } = scanSource(text);
    assertEquals(code.length, text.length);
    assertEquals(code.replace(/[^\n]/g, ""), text.replace(/[^\n]/g, ""));
    assertEquals(code.replace(/\s/g, ""), "f(x,);");
  });
});

describe("closingBracket", () => {
  it("finds the bracket of the same depth, or the end", () => {
    assertEquals(closingBracket("f(a[{}], (b))", 1), 12);
    assertEquals(closingBracket("f(a", 1), 3);
  });
});

describe("lineAt", () => {
  it("counts from 1 on, and a line break to the line that it ends", () => {
    assertEquals([0, 1, 2, 3].map((offset) => lineAt("a\n\nb", offset)), [1, 1, 2, 3]);
  });
});
