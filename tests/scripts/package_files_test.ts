/** Contents of the package for npm; the package itself: `tests/pack_test.ts`. */

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  checkPackage,
  completeManifest,
  hasEffect,
  type Manifest,
  orderFiles,
  type Project,
  withoutDeadLinks,
  withoutInheritedLists,
  withoutModuleDoc,
} from "../../scripts/package_files.ts";

const PROJECT: Project = {
  name: "@a/b",
  version: "1.2.3",
  license: "MIT",
  exports: { ".": "./mod.ts", "./part": "./room/part.ts" },
};

function entry(path: string): object {
  return { types: `./${path}.d.ts`, import: `./${path}.js`, default: `./${path}.js` };
}

function manifest(): Manifest {
  return { name: "@a/b", version: "1.2.3", exports: { ".": entry("mod"), "./part": entry("room/part") } };
}

function files(): Map<string, string> {
  return new Map([
    ["mod.js", `export{a}from"./room/part.js";\n// import "./none.js"\nimport"node:fs";`],
    ["mod.d.ts", `export type { A } from "./room/part.js";\n/** import { x } from "./none.ts"; */`],
    ["room/part.js", `const m=await import("../mod.js");`],
    ["room/part.d.ts", `export type A = import("../mod.js").B;`],
  ]);
}

describe("checkPackage", () => {
  it("finds nothing where name, version, entries and imports agree", () => {
    const complete = completeManifest(manifest(), PROJECT, ["room/part.ts"]);
    assertEquals(checkPackage(complete, PROJECT, files()), []);
    assertEquals([complete.bin, complete.sideEffects], [{ tackline: "./bin/tackline.js" }, ["./room/part.js"]]);
    assertEquals([complete.license, complete.type], ["MIT", "module"]);
    // An installer warns on an older runtime.
    assertEquals([complete.engines, complete.publishConfig], [{ bun: ">=1.4", deno: ">=2.9" }, { access: "public" }]);
  });

  it("finds another name, another version, and entries that are missing, unknown, or another file", () => {
    const { "./part": part, ...rest } = manifest().exports;
    const wrong = { name: "@a/c", version: "1.2.4", exports: { ...rest, "./other": part } };
    assertEquals(checkPackage(wrong, PROJECT, files()), [
      'name is "@a/c" in package.json, and "@a/b" in deno.json',
      'version is "1.2.4" in package.json, and "1.2.3" in deno.json',
      'the entry "./part" is not ./room/part.js with ./room/part.d.ts',
      'the entry "./other" is not in deno.json',
    ]);
  });

  it("finds missing modules and types, of entries and of imports", () => {
    const [withoutTypes, withoutModule] = [files(), files()];
    withoutTypes.delete("room/part.d.ts");
    assertEquals(checkPackage(manifest(), PROJECT, withoutTypes), [
      './room/part.d.ts of "./part" is missing',
      "mod.d.ts imports ./room/part.js, which is not in the package",
    ]);
    withoutModule.delete("mod.js");
    assertEquals(checkPackage(manifest(), PROJECT, withoutModule), [
      './mod.js of "." is missing',
      "room/part.js imports ../mod.js, which is not in the package",
    ]);
  });
});

describe("hasEffect", () => {
  it("finds what a module does when it is loaded", () => {
    const cases = [
      'import "./a.ts";',
      "call();",
      "a.b.call(1);",
      "await x;",
      "if (import.meta.main) x();",
      "for (;;) x();",
    ];
    for (const code of cases) assertEquals([code, hasEffect(`/** A */\nconst a = 1;\n${code}\n`)], [code, true]);
  });

  it("finds nothing in declarations, whatever their bodies, comments and texts have", () => {
    const code = `import { a } from "./a.ts";
export * from "./b.ts";
const text = \`
redis.call("x");
if (x) y();
\`;
/*
call();
*/
export const made = a();
export function f(): void {
  call();
}
class A {
  static {
    call();
  }
}
`;
    assertEquals(hasEffect(code), false);
  });
});

describe("README.md in the package", () => {
  it("has links to what is there only", () => {
    const text = "[MIT](LICENSE), [docs/server.md](docs/server.md#limits), [JSR](https://jsr.io), [below](#features)";
    assertEquals(withoutDeadLinks(text), "[MIT](LICENSE), docs/server.md, [JSR](https://jsr.io), [below](#features)");
  });
});

describe("withoutInheritedLists", () => {
  it("takes out the lists for pages of deno doc, and leaves the rest of a comment", () => {
    const list = (base: string): string => ` * Also from {@linkcode ${base}}:\n * - \`a\`: One.\n *   Two.`;
    const text = `/**\n * First.\n *\n${list("A")}\n *\n${list("B")}\n *\n * @example\n */\n/**\n * Next.\n *\n${
      list("A")
    }\n */\nx;`;
    assertEquals(withoutInheritedLists(text), "/**\n * First.\n *\n * @example\n */\n/**\n * Next.\n */\nx;");
  });
});

describe("orderFiles", () => {
  it("puts package.json first, then modules, types, and the page, room by room", () => {
    const paths = [
      ...["mod.d.ts", "mod.js", "server/a.js", "base/b.d.ts", "README.md", "base/z.js", "whatsapp/inbox_page_text.js"],
      ...["server/a.d.ts", "package.json", "base/b.js", "whatsapp/server.js"],
    ];
    assertEquals(orderFiles(paths), [
      ...["package.json", "README.md", "base/b.js", "base/z.js", "server/a.js", "whatsapp/server.js", "mod.js"],
      ...["base/b.d.ts", "server/a.d.ts", "mod.d.ts", "whatsapp/inbox_page_text.js"],
    ]);
  });
});

describe("withoutModuleDoc", () => {
  it("takes out the comment of the module, and leaves those of names", () => {
    const rest = "/**\n * A.\n *\n * @example\n */\nexport class A {}\n";
    assertEquals(withoutModuleDoc(`/**\n * Of all.\n *\n * @module\n */\n\n${rest}`), rest);
    assertEquals(withoutModuleDoc(`/**\n * Of all.\n * @module\n */ ${rest}`), rest);
    for (const text of [rest, "export {};\n", "", "/** See @module in the guide. */\n".replace("@module", "module")]) {
      assertEquals(withoutModuleDoc(text), text);
    }
  });
});
