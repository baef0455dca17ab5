/** Lists of inherited members in doc comments: which members, in which form, and where in the comment. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  type ApiDeclaration,
  type ApiDoc,
  type ApiMember,
  type ApiType,
  firstSentence,
  insertBlock,
  makeBlocks,
} from "../../scripts/inherited_docs.ts";

const FILE = "file:///a.ts";

function ref(repr: string, ...typeParams: ApiType[]): ApiType {
  return { repr, kind: "typeRef", value: { typeParams } };
}

function literal(string: string): ApiType {
  return { repr: string, kind: "literal", value: { kind: "string", string } };
}

function member(name: string, doc = "Text.", more: Partial<ApiMember> = {}): ApiMember {
  return { name, jsDoc: { doc }, ...more };
}

function declare(kind: string, members: ApiMember[], bases?: string | ApiType[]): ApiDeclaration {
  const isMethod = ({ kind }: ApiMember): boolean => kind !== undefined;
  const def = {
    extends: bases ?? null,
    properties: members.filter((member) => !isMethod(member)),
    methods: members.filter(isMethod),
  };
  return { kind, location: { filename: FILE }, def };
}

/** The lines for the last declaration. */
function linesOf(declarations: Record<string, ApiDeclaration>): string[] {
  const symbols = Object.entries(declarations).map(([name, declaration]) => ({ name, declarations: [declaration] }));
  const doc: ApiDoc = { nodes: { [FILE]: { symbols } } };
  return makeBlocks(doc).at(-1)!.lines;
}

describe("makeBlocks", () => {
  it("lists what a class has from a variable that holds its base class", () => {
    const emitters: ApiDeclaration = {
      kind: "interface",
      location: { filename: FILE },
      def: { constructors: [{ returnType: ref("Emitter") }] },
    };
    const lines = linesOf({
      Emitter: declare("interface", [member("on", "Adds.", { kind: "method" })]),
      EmitterClass: emitters,
      Base: { kind: "variable", location: { filename: FILE }, def: { tsType: ref("EmitterClass") } },
      View: declare("class", [member("send", "Sends.", { kind: "method" })], "Base"),
    });
    assertEquals(lines, ["Also from {@linkcode Base}: `on`."]);
  });

  it("lists default and first sentence of each inherited option, by the interface that declares it", () => {
    const lines = linesOf({
      Base: declare("interface", [
        { name: "size", jsDoc: { doc: "Size,\nin bytes. More.", tags: [{ kind: "default", value: "8" }] } },
      ]),
      Handlers: declare("interface", [member("onError", "Called for failures.\n\nRarely.")]),
      AOptions: declare("interface", [member("own")], [ref("Base"), ref("Handlers")]),
    });
    assertEquals(lines, [
      "Also from {@linkcode Base}:",
      "- `size` (default `8`): Size, in bytes.",
      "",
      "Also from {@linkcode Handlers}:",
      "- `onError`: Called for failures.",
    ]);
  });

  it("goes up through all bases, and leaves out what is declared again, omitted, private or static", () => {
    const lines = linesOf({
      Top: declare("interface", [member("top"), member("again"), member("useSSL"), member("plain")]),
      Base: declare("interface", [member("top"), member("base")], [ref("Top")]),
      AOptions: declare(
        "interface",
        [member("again")],
        [ref("Omit", ref("Base"), { repr: "", kind: "union", value: [literal("useSSL"), literal("plain")] })],
      ),
    });
    assertEquals(lines, ["Also from {@linkcode Base}:", "- `top`: Text.", "- `base`: Text."]);
    const hidden = [member("a", "", { accessibility: "private" }), member("b", "", { isStatic: true }), member("c")];
    assertEquals(linesOf({ Base: declare("class", hidden), A: declare("class", [], "Base") }), [
      "Also from {@linkcode Base}: `c`.",
    ]);
  });

  it("names members of a class by kind: an accessor that can be set is a setting", () => {
    const lines = linesOf({
      Base: declare("class", [
        member("port"),
        member("url", "", { readonly: true }),
        member("active", "", { kind: "getter" }),
        member("active", "", { kind: "setter" }),
        member("address", "", { kind: "getter" }),
        member("onOpen", "", { kind: "method" }),
        member("start", "", { kind: "method" }),
      ]),
      A: declare("class", [], "Base"),
    });
    assertEquals(lines, [
      "Also from {@linkcode Base}:",
      "- methods: `start`",
      "- properties: `url`, `address`",
      "- settings: `port`, `active`",
      "- handlers: `onOpen`",
    ]);
  });

  it("has lines that fit into 120 columns, and breaks none within code or links", () => {
    const names = Array.from({ length: 40 }, (_, index) => member(`member${index}`));
    const text = `${"word ".repeat(19)}\`two words that are code\` and {@linkcode Base the one}.`;
    const lines = linesOf({ Base: declare("class", names), A: declare("class", [], "Base") });
    const described = linesOf({
      Base: declare("interface", [member("a", text)]),
      AOptions: declare("interface", [], [ref("Base")]),
    });
    assertEquals([...lines, ...described].filter((line) => line.length > 117), []);
    assertEquals(lines.length > 3, true);
    assertEquals(described.slice(1).map((line) => line.replace(/(word )+word/, "…")), [
      "- `a`: …",
      "  `two words that are code` and {@linkcode Base the one}.",
    ]);
  });

  it("ignores bases of the language, and refuses others that are not public", () => {
    assertEquals(linesOf({ A: declare("class", [], "RangeError") }), []);
    const error = assertThrows(() => linesOf({ A: declare("class", [], "Secret") }), Error);
    assertEquals(error.message, 'the base "Secret" is exported by no entry');
  });
});

describe("firstSentence", () => {
  it("ends at a full stop before a new sentence, not within names or numbers", () => {
    assertEquals(
      firstSentence('Such as `"a. B"`, e.g. this, 1.5 s: one. Two.'),
      'Such as `"a. B"`, e.g. this, 1.5 s: one.',
    );
    assertEquals(firstSentence("Is it?\n`x` is."), "Is it?");
    assertEquals(firstSentence("No end\nhere\n\nMore."), "No end here");
  });
});

describe("insertBlock", () => {
  const block = { file: FILE, name: "A", lines: ["Also from {@linkcode Base}: `a`."] };
  const head = "/** A module. */\n\n/** Other. */\nexport class AB {}\n\n";

  function inserted(comment: string, lines: string[] = block.lines): string {
    const text = insertBlock(`${head}${comment}\nexport class A<T> extends Base {}\n`, { ...block, lines });
    assertEquals(text.startsWith(head), true);
    return text.slice(head.length, text.indexOf("\nexport class A<"));
  }

  it("puts it behind the text and before the tags, once", () => {
    const once = inserted("/** One. */");
    assertEquals(once, "/**\n * One.\n *\n * Also from {@linkcode Base}: `a`.\n */");
    assertEquals(inserted(once), once);
    const tagged = inserted("/**\n * One.\n *\n * Two.\n *\n * @example\n * ```ts\n *   a();\n * ```\n */");
    assertEquals(
      tagged,
      "/**\n * One.\n *\n * Two.\n *\n * Also from {@linkcode Base}: `a`.\n *\n * @example\n * ```ts\n *   a();\n * ```\n */",
    );
    assertEquals(inserted(tagged), tagged);
  });

  it("replaces one that differs, and removes one when nothing is inherited any more", () => {
    const old = inserted("/** One. */");
    assertEquals(inserted(old, ["Also from {@linkcode Base}:", "- `b`"]).split("\n").slice(2, 5), [
      " *",
      " * Also from {@linkcode Base}:",
      " * - `b`",
    ]);
    assertEquals(inserted(old, []), "/** One. */");
    assertEquals(inserted("/**\n *  Odd,\n * but own. */", []), "/**\n *  Odd,\n * but own. */");
  });

  it("refuses a module that does not declare the name", () => {
    assertThrows(() => insertBlock("export class B {}\n", block), Error, 'no doc comment of "A"');
  });
});
