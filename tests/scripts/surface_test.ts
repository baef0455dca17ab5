import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  checkSurface,
  countNames,
  type Declaration,
  diffSurface,
  type Doc,
  formatSurface,
  NAME_LIMIT,
  readSurface,
  type Surface,
} from "../../scripts/surface.ts";

let line = 0;

/** A declaration as `deno doc --json` shows it, in a line of its own. */
function declare(kind: string, def: Declaration["def"] = {}, more: Partial<Declaration> = {}): Declaration {
  const location = { filename: "file:///inner.ts", line: ++line, col: 0 };
  return { kind, declarationKind: "export", location, def, ...more };
}

/** A re-export of a declaration. */
function refer({ location }: Declaration): Declaration {
  return declare("reference", { target: location });
}

function surfaceOf(modules: Record<string, Record<string, Declaration[]>>): Surface {
  const doc: Doc = { nodes: {} };
  for (const [entry, names] of Object.entries(modules)) {
    const symbols = Object.entries(names).map(([name, declarations]) => ({ name, declarations }));
    doc.nodes[`file:///${entry}.ts`] = { symbols };
  }
  return readSurface(doc, new Map(Object.keys(modules).map((entry) => [entry, `file:///${entry}.ts`])));
}

/** The list without its heading. */
function listOf(surface: Surface): string[] {
  return formatSurface(surface).trimEnd().split("\n").filter((line) => !line.startsWith("#") && line !== "");
}

const INTERNAL = { tags: [{ kind: "param" }, { kind: "internal" }] };

describe("formatSurface", () => {
  it("lists names with their kinds in alphabetical order, upper case first", () => {
    const kinds = { f: "function", A: "typeAlias", B: "interface", v: "variable", C: "class" };
    const names = Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, [declare(kind)]]));
    assertEquals(listOf(surfaceOf({ ".": names })), [
      "[.]",
      "type A",
      "interface B",
      "class C",
      "function f",
      "variable v",
    ]);
  });

  it("lists members of classes once each, but no private ones", () => {
    const C = declare("class", {
      extends: "Base",
      constructors: [{ name: "constructor" }],
      properties: [{ name: "b", optional: true }, { name: "p", accessibility: "protected" }],
      methods: [
        { name: "state" },
        { name: "state" },
        { name: "open", isStatic: true },
        { name: "[Symbol.asyncIterator]" },
        { name: "hidden", accessibility: "private" },
      ],
    });
    assertEquals(listOf(surfaceOf({ ".": { C: [C] } })), [
      "[.]",
      "class C extends Base",
      "  [Symbol.asyncIterator]",
      "  b?",
      "  constructor",
      "  protected p",
      "  state",
      "  static open",
    ]);
    const hidden = declare("class", {
      extends: null,
      constructors: [{ name: "constructor", accessibility: "private" }],
    });
    assertEquals(listOf(surfaceOf({ ".": { C: [hidden] } })), ["[.]", "class C"]);
  });

  it("lists members of interfaces, and the names in a variable or an alias", () => {
    const I = declare("interface", {
      extends: [{ repr: "A" }, { repr: "B" }],
      properties: [{ name: "a", optional: true }],
      methods: [{ name: "m" }],
      callSignatures: [{}],
      indexSignatures: [{}],
    });
    const tsType = { kind: "typeLiteral", value: { properties: [{ name: "One" }] } };
    const V = declare("variable", { tsType });
    const A = declare("typeAlias", { tsType });
    const B = declare("typeAlias", { tsType: { kind: "keyword", value: "string" } });
    assertEquals(listOf(surfaceOf({ ".": { A: [A], B: [B], I: [I], V: [V] } })), [
      "[.]",
      "type A",
      "  One",
      "type B",
      "interface I extends A, B",
      "  (call)",
      "  [index]",
      "  a?",
      "  m",
      "variable V",
      "  One",
    ]);
  });

  it("lists members where a name comes first, also if another module declares it", () => {
    const inner = declare("interface", { properties: [{ name: "a" }] });
    const other = declare("interface", { properties: [{ name: "b" }] });
    const type = declare("typeAlias");
    const surface = surfaceOf({
      ".": { I: [refer(inner)], T: [refer(type)] },
      "./inner": { I: [inner], T: [type] },
      "./other": { I: [other] },
    });
    assertEquals(listOf(surface), [
      ...["[.]", "interface I", "  a", "type T"],
      ...["[./inner]", "interface I (as in .)", "type T"],
      ...["[./other]", "interface I", "  b"],
    ]);
  });

  it("lists overloads once, and each kind of a name that has two", () => {
    const surface = surfaceOf({
      ".": { f: [declare("function"), declare("function")], T: [declare("variable"), declare("interface")] },
    });
    assertEquals(listOf(surface), ["[.]", "interface T", "variable T", "function f"]);
    assertEquals(countNames(surface.get(".")!), 2);
  });

  it("omits names that a module does not export", () => {
    assertEquals(listOf(surfaceOf({ ".": { A: [declare("class", {}, { declarationKind: "private" })] } })), ["[.]"]);
  });
});

describe("readSurface", () => {
  it("throws if an entry or the target of a re-export is missing", () => {
    assertThrows(() => readSurface({ nodes: {} }, new Map([["./a", "file:///a.ts"]])), Error, "./a");
    assertThrows(() => surfaceOf({ ".": { A: [refer(declare("class"))] } }), Error, '"A"');
  });
});

describe("diffSurface", () => {
  const list = (...lines: string[]): string => `# Heading\n\n${lines.join("\n")}\n`;
  const before = list("[.]", "class A", "  open", "  send", "[./b]", "type B");

  it("is empty for equal lists", () => {
    assertEquals(diffSurface(before, before), []);
  });

  it("names entry and owner of each line", () => {
    const after = list("[.]", "class A", "  close", "  open", "function f", "[./b]", "interface B");
    assertEquals(diffSurface(before, after), [
      '+ "." class A: close',
      '- "." class A: send',
      '+ "." function f',
      '+ "./b" interface B',
      '- "./b" type B',
    ]);
  });

  it("tells members of the same name apart by their owners and entries", () => {
    assertEquals(diffSurface(list("[.]", "class A", "  m", "class B"), list("[.]", "class A", "class B", "  m")), [
      '- "." class A: m',
      '+ "." class B: m',
    ]);
    assertEquals(diffSurface(list("[.]", "[./b]", "type A"), list("[.]", "type A", "[./b]")), [
      '+ "." type A',
      '- "./b" type A',
    ]);
  });

  it("shows all if there was no list, and another order too", () => {
    assertEquals(diffSurface("", list("[.]", "type A", "type B")).length, 2);
    assertEquals(diffSurface(list("[.]", "type A", "type B"), list("[.]", "type B", "type A")).length, 1);
  });
});

describe("checkSurface", () => {
  const many = (count: number): Record<string, Declaration[]> =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`T${at}`, [declare("typeAlias")]]));

  it("limits the names of the entry mod.ts, and of no other", () => {
    assertEquals(checkSurface(surfaceOf({ ".": many(NAME_LIMIT - 1), "./b": many(NAME_LIMIT) })), []);
    const [problem, ...more] = checkSurface(surfaceOf({ ".": many(NAME_LIMIT) }));
    assertEquals([problem!.includes(`${NAME_LIMIT} names`), more], [true, []]);
  });

  it("finds names and members that are marked as internal, once for all entries", () => {
    const C = declare("class", {
      constructors: [{ name: "constructor", jsDoc: INTERNAL }],
      properties: [{ name: "p", jsDoc: { tags: [{ kind: "param" }] } }],
      methods: [{ name: "m", jsDoc: INTERNAL }],
    });
    const I = declare("interface", { methods: [{ name: "i", jsDoc: INTERNAL }] });
    const f = declare("function", {}, { jsDoc: INTERNAL });
    const problems = checkSurface(
      surfaceOf({ ".": { C: [C], I: [I] }, "./b": { C: [refer(C)], f: [declare("function"), f] } }),
    );
    assertEquals(problems.map((problem) => problem.split(" ")[0]), ["C.constructor", "C.m", "I.i", "f"]);
    assertEquals(problems.map((problem) => /"(.*?)"/.exec(problem)![1]), [".", ".", ".", "./b"]);
  });

  it("finds no member that is private to its class", () => {
    const C = declare("class", { methods: [{ name: "m", accessibility: "private", jsDoc: INTERNAL }] });
    assertEquals(checkSurface(surfaceOf({ ".": { C: [C] } })), []);
  });
});
