import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { checkLayers, hasLogic, ROOMS, type Tree } from "../../scripts/layer_rules.ts";

/** Checks a small tree; modules need no tests in it unless that is what is checked. */
function check(files: Record<string, string>, change: Partial<Tree> = {}): string[] {
  const tested = new Map(Object.keys(files).filter((path) => !path.startsWith("tests/")).map((path) => [path, "here"]));
  const entries = new Set(["mod.ts", "browser.ts"].filter((path) => path in files));
  const tree = { files: new Map(Object.entries(files)), entries };
  return checkLayers({ ...tree, testedElsewhere: tested, ...change }).map(({ place, message }) =>
    `${place} ${message}`
  );
}

const SOUND = {
  "mod.ts": 'export { serve } from "./server/server.ts";\nexport type { Clock } from "./base/clock.ts";\n',
  "base/clock.ts": "export interface Clock { now(): number }\n",
  "server/server.ts": 'import type { Clock } from "../base/clock.ts";\nimport process from "node:process";\n' +
    "export function serve(clock: Clock): number {\n  return clock.now() + process.pid;\n}\n",
};

describe("checkLayers", () => {
  it("reports no finding for a sound tree", () => {
    assertEquals(check(SOUND), []);
  });

  it("wants files of the root to be entries, and others flat in a room whose name they do not repeat", () => {
    assertEquals(check({ "util.ts": "" }), ["util.ts is no entry: move it into a room, or name it in exports"]);
    assertEquals(check({ "util/a.ts": "" }), ["util/a.ts lies in no room: add the room to ROOMS, or move the file"]);
    assertEquals(check({ "base/deep/a.ts": "" }), ["base/deep/a.ts lies too deep: rooms are flat"]);
    assertEquals(check({ "redis/redis_journal.ts": "" }), [
      "redis/redis_journal.ts repeats the name of its room: call it journal.ts",
    ]);
  });

  for (
    const [form, text] of [
      ["a static import", 'import { x } from "../server/x.ts";'],
      ["an import over several lines", 'import {\n  x,\n  type Y,\n} from "../server/x.ts";'],
      ["an import of a type", 'import type { X } from "../server/x.ts";'],
      ["an import for its effect", 'import "../server/x.ts";'],
      ["a dynamic import", 'const x = await import("../server/x.ts");'],
      ["a type by import()", 'let x: import("../server/x.ts").X;'],
      ["an import of all names", 'import * as x from "../server/x.ts";'],
      ["an import of the default and a name", 'import x, { $y, größe } from "../server/x.ts";'],
      ["an import with comments in it", 'import { x /* " */ } from /* ; */ "../server/x.ts";'],
      ["a dynamic import in a template", 'const s = `${await import("../server/x.ts")}`;'],
    ]
  ) {
    it(`refuses ${form} that goes up`, () => {
      const found = check({ "base/a.ts": text!, "server/x.ts": "export interface X { y: 1 }" });
      assertEquals(found.length, 1);
      assert(/^base\/a\.ts:1 imports server\/x\.ts: base may import nothing$/.test(found[0]!), found[0]);
    });
  }

  it("refuses modules of a room in another language, and checks their imports too", () => {
    assertEquals(check({ "base/a.mjs": 'import "../server/a.ts";' }), [
      "base/a.mjs is no TypeScript module: call it ….ts",
      "base/a.mjs:1 imports server/a.ts: base may import nothing",
    ]);
    assertEquals(check({ "a.js": "" }), ["a.js is no entry: move it into a room, or name it in exports"]);
  });

  it("takes no comment and no string for an import", () => {
    const text =
      '// import "../server/x.ts";\n/** import { x } from "../server/x.ts"; */\nconst y = `import "../server/x.ts"`;';
    assertEquals(check({ "base/a.ts": text, "server/x.ts": "" }), []);
  });

  it("refuses imports of entries and of packages from a room", () => {
    assertEquals(check({ ...SOUND, "server/a.ts": 'import "../mod.ts";' }), [
      "server/a.ts:1 imports mod.ts: rooms import rooms and node: only",
    ]);
    assertEquals(check({ "base/a.ts": 'import "npm:ws@8";' }), [
      "base/a.ts:1 imports npm:ws@8: rooms import rooms and node: only",
    ]);
  });

  it("refuses a dynamic import whose path is no string in quotes, but not a method of that name", () => {
    for (const path of ["`../server/x.ts`", "path", '("../server/x.ts")', "`../server/${name}`"]) {
      assertEquals(check({ "base/a.ts": `\nawait import(${path});` }), [
        "base/a.ts:2 imports a computed path, which cannot be checked: give it as a string in quotes",
      ]);
    }
    assertEquals(check({ "base/a.ts": 'a.import(path); a.import("../server/x.ts"); import.meta.url;' }), []);
  });

  it("lets the one module that loads packages of npm compute their names, but not import them by name", () => {
    assertEquals(check({ "cli/npm_package.ts": "await import(specifier);" }), []);
    assertEquals(check({ "cli/npm_package.ts": 'await import("npm:ioredis@6.0.0");' }), [
      "cli/npm_package.ts:1 imports npm:ioredis@6.0.0: rooms import rooms and node: only",
    ]);
  });

  it("refuses imports of other code from an entry, and entries that are not there", () => {
    for (const target of ["npm:ws@8", "fs", "./tests/a.ts"]) {
      assertEquals(check({ "mod.ts": `import "${target}";`, "tests/a.ts": "" }), [
        `mod.ts:1 imports ${target.replace("./", "")}: entries import rooms, entries and node: only`,
      ]);
    }
    assertEquals(check({ "browser.ts": 'import "./mod.ts";\nimport "node:fs";', "mod.ts": "" }).length, 1);
    assertEquals(check({ "mod.ts": 'import "./browser.ts";\nimport "node:fs";', "browser.ts": "" }), []);
    assertEquals(check(SOUND, { entries: new Set(["mod.ts", "browser.ts"]) }), [
      "deno.json names browser.ts in exports, which does not exist",
    ]);
  });

  it("holds connections to the contract of transports, and transports to the proxy's head parser", () => {
    const files = {
      "transport/transport.ts": "",
      "transport/deno.ts": "",
      "protocol/head.ts": "",
      "protocol/a.ts": "",
    };
    assertEquals(check({ ...files, "connection/a.ts": 'import "../transport/transport.ts";' }), []);
    assertEquals(check({ ...files, "connection/a.ts": 'import "../transport/deno.ts";' }).length, 1);
    assertEquals(check({ ...files, "transport/proxy_tunnel.ts": 'import "../protocol/head.ts";' }), []);
    assertEquals(check({ ...files, "transport/a.ts": 'import "../protocol/head.ts";' }).length, 1);
    assertEquals(check({ ...files, "transport/proxy_tunnel.ts": 'import "../protocol/a.ts";' }).length, 1);
  });

  it("refuses cycles, of types too, and names their files", () => {
    const found = check({
      "base/a.ts": 'import type { B } from "./b.ts";\nexport interface A { b: B }',
      "base/b.ts": 'import type { C } from "./c.ts";\nexport interface B { c: C }',
      "base/c.ts": 'import type { A } from "./a.ts";\nimport { a } from "./a.ts";\nexport interface C { a: A }',
    });
    assertEquals(found, ["base/a.ts is in a cycle: base/a.ts -> base/b.ts -> base/c.ts -> base/a.ts"]);
  });

  it("refuses re-exports outside of entries, in each form", () => {
    const b = { "base/b.ts": "export const b = 1;" };
    const only = "only entries of the root, and mod.ts of a room, do";
    for (const text of ['export { b } from "./b.ts";', 'export * from "./b.ts";', 'export * as b from "./b.ts";']) {
      assertEquals(check({ ...b, "base/a.ts": text }), [`base/a.ts:1 re-exports from base/b.ts: ${only}`]);
    }
    for (const clause of ["{ b }", "{ type b }", "type { b }", "b", "* as b", "a, { b }", "{ a as b, c }"]) {
      for (const again of ["export { b };", "export { b as d };", "export type { b };", "export default b;"]) {
        const found = check({ ...b, "base/a.ts": `import ${clause} from "./b.ts";\n${again}` });
        assertEquals(found, [`base/a.ts:2 re-exports b: ${only}`], `${clause} ${again}`);
      }
    }
    assertEquals(check({ ...b, "base/a.ts": 'import { b as c } from "./b.ts";\nconst b = c;\nexport { b };' }), []);
  });

  it("lets mod.ts of a room, but no other entry there, re-export, and no room import it", () => {
    const files = { "base/b.ts": "export const b = 1;", "base/mod.ts": 'export { b } from "./b.ts";' };
    const entries = new Set(["base/mod.ts"]);
    assertEquals(check(files, { entries }), []);
    assertEquals(check(files).length, 1);
    for (const [path, target] of [["base/c.ts", "./mod.ts"], ["server/c.ts", "../base/mod.ts"]] as const) {
      assertEquals(check({ ...files, [path]: `import { b } from "${target}";` }, { entries }), [
        `${path}:1 imports base/mod.ts, which only re-exports: import from the file that has the name`,
      ]);
    }
    const errors = { "base/b.ts": "", "base/errors.ts": 'export * from "./b.ts";' };
    assertEquals(check(errors, { entries: new Set(["base/errors.ts"]) }).length, 1);
  });

  it("refuses names of a runtime outside of its transport, in comments too if a dot follows", () => {
    const texts = ["Deno.pid;", "globalThis.Deno;", '"Deno" in globalThis;', "Bun.version;", 'import "bun";'];
    texts.push(
      'globalThis["Bun"];',
      "globalThis[`Bun`];",
      "(globalThis as Some).Bun;",
      "globalThis?.Deno;",
      "self.Deno;",
    );
    texts.push(
      "const { Deno: d } = globalThis;",
      "x ? Bun : y;",
      "`${Bun}`;",
      'import "bun:sqlite";',
      'import("bun");',
      "// Deno.pid",
      "/* a copy is slow on Bun. */",
    );
    for (const text of texts) {
      const found = check({ "server/a.ts": text }).filter((line) => line.includes("names the runtime"));
      assertEquals(found.length, 1, text);
    }
    assertEquals(
      check({
        "server/a.ts":
          '// Deno has one\n/** Deno.pid */\nconst name = "Deno is a runtime";\nconst kind: BunSocket | $Bun = "bun";',
      }),
      [],
    );
    assertEquals(
      check({ "transport/deno.ts": '"Deno" in globalThis; Deno.pid;', "transport/bun_tls.ts": "Bun.x;" }),
      [],
    );
  });

  it("refuses node: in what browser.ts reaches, through types and dynamic imports too", () => {
    for (const how of ['import type { A } from "./base/a.ts";', 'await import("./base/a.ts");']) {
      const found = check({ "browser.ts": how, "base/a.ts": 'import "./b.ts";', "base/b.ts": 'import "node:fs";' });
      assertEquals(found, [
        "base/b.ts:1 imports node:fs, and a page reaches it: browser.ts -> base/a.ts -> base/b.ts",
      ]);
    }
  });

  it("wants a test of its own name for each module with logic, or a reason, and no reason that is none", () => {
    const files = { "base/a.ts": "export function a() {}", "base/types.ts": "export interface T { call(): void }" };
    const none = { testedElsewhere: new Map<string, string>() };
    assertEquals(check(files, none), [
      "base/a.ts has no tests/base/a_test.ts: write it, or give the reason in scripts/tested_elsewhere.ts",
    ]);
    assertEquals(check({ ...files, "tests/base/a_test.ts": "" }, none), []);
    const listed = new Map([["base/a.ts", "by others"], ["base/gone.ts", "by others"]]);
    assertEquals(check({ ...files, "tests/base/a_test.ts": "" }, { testedElsewhere: listed }).length, 2);
    for (const folder of ["attic", "base/deep", "constructor"]) {
      assertEquals(check({ [`tests/${folder}/a_test.ts`]: "" }), [
        `tests/${folder}/a_test.ts lies in tests/${folder}/, which is no room`,
      ]);
    }
    for (const folder of ["base", "scripts", "hosted"]) assertEquals(check({ [`tests/${folder}/a_test.ts`]: "" }), []);
  });

  it("demands reasons that are not empty, and existing tests in them", () => {
    const files = { "base/a.ts": "", "tests/base/b_test.ts": "" };
    const because = (reason: string) => check(files, { testedElsewhere: new Map([["base/a.ts", reason]]) });
    assertEquals(because("tests/base/b_test.ts has its cases"), []);
    assertEquals(because(" "), ["scripts/tested_elsewhere.ts gives no reason for base/a.ts"]);
    assertEquals(because("see tests/base/c_test.ts"), [
      "scripts/tested_elsewhere.ts names tests/base/c_test.ts for base/a.ts, which does not exist",
    ]);
    assertEquals(because("tests/base/b_test.ts, base/b_test.ts and b_test.ts"), []);
    assertEquals(because("tests/base/b_test.ts and c_test.ts"), [
      "scripts/tested_elsewhere.ts names c_test.ts for base/a.ts, which does not exist",
    ]);
  });
});

describe("the table of rooms", () => {
  it("lists rooms from the lowest to the highest: each imports only from those before it", () => {
    const names = Object.keys(ROOMS);
    for (const [name, { imports }] of Object.entries(ROOMS)) {
      for (const other of imports) assert(names.indexOf(other) < names.indexOf(name), `${name} imports ${other}`);
    }
  });
});

describe("hasLogic", () => {
  it("tells code that runs from types and constants", () => {
    assertEquals(hasLogic("export class A {}"), true);
    assertEquals(hasLogic("export const a = (x: number): number => x;"), true);
    assertEquals(hasLogic("async function a() {}"), true);
    assertEquals(hasLogic("export const a = { b() { return 1; } };"), true);
    assertEquals(hasLogic("export const a = { get b(): number { return 1; } };"), true);
    assertEquals(
      hasLogic("export interface A {\n  call: () => void;\n}\nexport type B = (x: number) => void;\n"),
      false,
    );
    assertEquals(hasLogic("export const A = { b: 1 } as const;"), false);
  });
});
