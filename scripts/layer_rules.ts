/** Rules of the layout: which room may import which, and what files of a room must not contain. Pure functions over texts. */

import { dirname, normalize } from "node:path/posix";
import { closingBracket, lineAt, scanSource, type Source } from "./source_text.ts";

/** A folder of the library's own code. */
export interface Room {
  /** Purpose, in one line. */
  purpose: string;
  /** Rooms that it may import from, besides itself. */
  imports: readonly string[];
}

/** Rooms from the lowest to the highest. */
export const ROOMS: Readonly<Record<string, Room>> = {
  base: { purpose: "errors, clock, timers, bytes, buffers, log, counters: no knowledge of WebSocket", imports: [] },
  protocol: { purpose: "RFC 6455 and RFC 7692 over bytes: no I/O, no clock", imports: ["base"] },
  transport: { purpose: "one stream of bytes for each runtime behind one contract", imports: ["base", "protocol"] },
  connection: { purpose: "one open WebSocket, both roles", imports: ["base", "protocol", "transport"] },
  pubsub: { purpose: "topics and backplanes", imports: ["base", "protocol"] },
  server: {
    purpose: "accepting, admission, life cycle",
    imports: ["base", "protocol", "transport", "connection", "pubsub"],
  },
  client: {
    purpose: "connecting and reconnecting, over sockets or the browser's WebSocket",
    imports: ["base", "protocol", "transport", "connection"],
  },
  journal: { purpose: "the contract of a durable log; SQLite, memory", imports: ["base"] },
  redis: { purpose: "backplane and journal over Redis", imports: ["base", "protocol", "pubsub", "journal"] },
  cloud_api: { purpose: "Meta's Cloud API: types, parser, filter, signature, client", imports: ["base"] },
  inbox: {
    purpose: "the subprotocol between server and receivers",
    imports: ["base", "protocol", "connection", "journal", "cloud_api"],
  },
  whatsapp: {
    purpose: "the pair of webhook server and receiver",
    imports: ["base", "protocol", "connection", "server", "client", "journal", "cloud_api", "inbox"],
  },
  cli: { purpose: "the program", imports: ["base", "cloud_api", "whatsapp"] },
};

/** Of some rooms others may import a few files only: importing room, imported room, the files, and who may (all, without a list). */
export const NARROW: readonly { from: string; to: string; files: readonly string[]; by?: readonly string[] }[] = [
  { from: "transport", to: "protocol", files: ["protocol/head.ts"], by: ["transport/proxy_tunnel.ts"] },
  { from: "connection", to: "transport", files: ["transport/transport.ts"] },
];

/** Files in which a runtime's global may be named. */
export const RUNTIME_FILES: Readonly<Record<string, RegExp>> = {
  Deno: /^transport\/deno\.ts$/,
  Bun: /^transport\/bun(_[a-z]+)?\.ts$/,
};

/** A place that breaks a rule. */
export interface Violation {
  /** Path and line. */
  place: string;
  /** What is wrong, and how to mend it. */
  message: string;
}

/** What the rules look at. */
export interface Tree {
  /** Texts of TypeScript files by path, relative to the root. */
  files: ReadonlyMap<string, string>;
  /** Paths in `exports` of deno.json: the entries. */
  entries: ReadonlySet<string>;
  /** Reasons why modules have no test of their own name, by path. */
  testedElsewhere: ReadonlyMap<string, string>;
}

interface Import {
  line: number;
  target: string;
  reexports: boolean;
}

interface Module {
  path: string;
  room: string | undefined;
  source: Source;
  imports: Import[];
}

/**
 * Checks all rules.
 *
 * @param tree The files.
 * @returns Places that break one, by rule.
 */
export function checkLayers(tree: Tree): Violation[] {
  const paths = [...tree.files.keys()].filter((path) => isLibrary(path));
  const modules = new Map(paths.map((path) => [path, readModule(path, tree.files.get(path)!)]));
  const all = [...modules.values()];
  return [
    ...all.flatMap((module) => checkPlace(module, tree.entries)),
    ...all.flatMap(checkImports),
    ...all.flatMap((module) => checkReexports(module, tree.entries)),
    ...all.flatMap(checkRuntimes),
    ...findCycles(modules),
    ...checkBrowser(modules),
    ...checkTests(tree, all),
  ];
}

/** Tells the library's own files from tests, scripts, benches and examples. */
function isLibrary(path: string): boolean {
  return !path.includes("/") || roomOf(path) !== undefined || !/^(tests|scripts|bench|examples|findings)\//.test(path);
}

function roomOf(path: string): string | undefined {
  const [room] = path.split("/");
  return path.includes("/") && room in ROOMS ? room : undefined;
}

const IMPORT = /\b(?:import|export)\b(?:[\s\w{},*$]*?\bfrom)?\s*\(?\s*(?=["'])/g;

function readModule(path: string, text: string): Module {
  const source = scanSource(text);
  // Blanked strings would hide the specifiers: their places are known by the pieces.
  const strings = new Map(source.pieces.filter(({ kind }) => kind === "string").map((piece) => [piece.start, piece]));
  let code = source.code;
  for (const { start } of strings.values()) code = code.slice(0, start) + '"' + code.slice(start + 1);
  const imports: Import[] = [];
  for (const match of code.matchAll(IMPORT)) {
    const piece = strings.get(match.index + match[0].length);
    if (piece === undefined) continue;
    const specifier = text.slice(piece.start + 1, piece.end - 1);
    const target = specifier.startsWith(".") ? normalize(`${dirname(path)}/${specifier}`) : specifier;
    imports.push({ line: lineAt(text, match.index), target, reexports: match[0].startsWith("export") });
  }
  return { path, room: roomOf(path), source, imports };
}

function checkPlace({ path, room }: Module, entries: ReadonlySet<string>): Violation[] {
  if (!path.includes("/")) {
    return entries.has(path)
      ? []
      : [{ place: path, message: "is no entry: move it into a room, or name it in exports" }];
  }
  if (room === undefined) return [{ place: path, message: "lies in no room: add the room to ROOMS, or move the file" }];
  const [, ...rest] = path.split("/");
  if (rest.length > 1) return [{ place: path, message: "lies too deep: rooms are flat" }];
  if (rest[0].startsWith(`${room}_`)) {
    return [{ place: path, message: `repeats the name of its room: call it ${rest[0].slice(room.length + 1)}` }];
  }
  return [];
}

function checkImports({ path, room, imports }: Module): Violation[] {
  if (room === undefined) return [];
  return imports.flatMap(({ line, target }): Violation[] => {
    const place = `${path}:${line}`;
    if (target.startsWith("node:") || target === room) return [];
    const other = roomOf(target);
    if (other === undefined) {
      return [{ place, message: `imports ${target}: rooms import rooms and node: only` }];
    }
    if (other === room) return [];
    if (!ROOMS[room].imports.includes(other)) {
      const allowed = ROOMS[room].imports.join(", ") || "nothing";
      return [{ place, message: `imports ${target}: ${room} may import ${allowed}` }];
    }
    const narrow = NARROW.find(({ from, to }) => from === room && to === other);
    if (narrow === undefined) return [];
    if (narrow.files.includes(target) && (narrow.by === undefined || narrow.by.includes(path))) return [];
    const by = narrow.by === undefined ? room : narrow.by.join(", ");
    return [{ place, message: `imports ${target}: of ${other} only ${narrow.files.join(", ")}, by ${by}` }];
  });
}

function checkReexports({ path, source: { text, code }, imports }: Module, entries: ReadonlySet<string>): Violation[] {
  if (entries.has(path)) return [];
  const found = imports.filter(({ reexports }) => reexports)
    .map(({ line, target }) => ({ place: `${path}:${line}`, message: `re-exports from ${target}: only entries do` }));
  // `export { x };` of a name that was imported.
  const imported = new Set(
    [...code.matchAll(/\bimport\s+(?:type\s+)?\{([^}]*)\}/g)].flatMap(([, names]) =>
      names.split(",").map((name) => name.trim().replace(/^type\s+/, "").split(/\s+as\s+/).at(-1)!)
    ),
  );
  for (const match of code.matchAll(/\bexport\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/g)) {
    const names = match[1].split(",").map((name) => name.trim().replace(/^type\s+/, "").split(/\s+as\s+/)[0]);
    const name = names.find((name) => imported.has(name));
    if (name === undefined) continue;
    found.push({
      place: `${path}:${lineAt(text, match.index)}`,
      message: `re-exports ${name}: only entries do`,
    });
  }
  return found;
}

function checkRuntimes({ path, source: { text, code, pieces } }: Module): Violation[] {
  return Object.entries(RUNTIME_FILES).flatMap(([name, files]): Violation[] => {
    if (files.test(path)) return [];
    const places = [...code.matchAll(new RegExp(`(?<![\\w$.#])(?:globalThis\\s*\\.\\s*)?${name}\\b(?!\\s*:)`, "g"))]
      .map(({ index }) => index);
    // "Deno" in globalThis, or an import of "bun".
    for (const { kind, start, end } of pieces) {
      const literal = text.slice(start + 1, end - 1);
      const isLookedUp = literal === name && /^\s*in\b/.test(code.slice(end, end + 8));
      const isModule = literal === name.toLowerCase() || literal.startsWith(`${name.toLowerCase()}:`);
      if (kind === "string" && (isLookedUp || (isModule && /(from|import\(?)\s*$/.test(code.slice(0, start))))) {
        places.push(start);
      }
    }
    return places.map((index) => ({
      place: `${path}:${lineAt(text, index)}`,
      message: `names the runtime ${name}: that belongs into transport/${name.toLowerCase()}.ts`,
    }));
  });
}

/** Finds cycles, those by imports of types included; each once, from its first file in the order of names. */
function findCycles(modules: ReadonlyMap<string, Module>): Violation[] {
  const found: Violation[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): void => {
    const at = way.indexOf(path);
    if (at !== -1) {
      found.push({ place: path, message: `is in a cycle: ${[...way.slice(at), path].join(" -> ")}` });
      return;
    }
    if (done.has(path)) return;
    way.push(path);
    for (const { target } of modules.get(path)!.imports) if (modules.has(target)) visit(target);
    way.pop();
    done.add(path);
  };
  for (const path of [...modules.keys()].sort()) visit(path);
  return found;
}

/** Checks that nothing which browser.ts reaches, types included, imports `node:`. */
function checkBrowser(modules: ReadonlyMap<string, Module>): Violation[] {
  const found: Violation[] = [];
  const seen = new Set<string>();
  const visit = (path: string, way: string): void => {
    const module = modules.get(path);
    if (module === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { line, target } of module.imports) {
      if (target.startsWith("node:")) {
        found.push({ place: `${path}:${line}`, message: `imports ${target}, and browser.ts reaches it: ${way}` });
      } else visit(target, `${way} -> ${target}`);
    }
  };
  visit("browser.ts", "browser.ts");
  return found;
}

/**
 * Tells modules with code that runs from those with types and constants alone.
 *
 * @param code Code without comments and strings.
 * @returns Whether it has a function or a class.
 */
export function hasLogic(code: string): boolean {
  return /\bfunction\b|=>|\bclass\b/.test(withoutTypes(code));
}

/** Blanks interfaces and type aliases: types have arrows too. */
function withoutTypes(code: string): string {
  const start = /^(?:export\s+)?(?:interface|type)\s+\w/m.exec(code);
  if (start === null) return code;
  const { index } = start;
  let end = index;
  // An interface ends with its brace, an alias with a semicolon outside of brackets.
  const isInterface = /^(?:export\s+)?interface\b/.test(code.slice(index));
  for (; end < code.length; end++) {
    if (isInterface && code[end] === "{") {
      end = closingBracket(code, end);
      break;
    }
    if (code[end] === ";") break;
    if ("([{".includes(code[end])) end = closingBracket(code, end);
  }
  return code.slice(0, index) + withoutTypes(code.slice(end + 1));
}

function checkTests({ files, testedElsewhere }: Tree, modules: readonly Module[]): Violation[] {
  const found: Violation[] = [];
  const list = "scripts/tested_elsewhere.ts";
  for (const { path, room, source } of modules) {
    if (room === undefined) continue;
    const test = `tests/${path.replace(/\.ts$/, "_test.ts")}`;
    const isListed = testedElsewhere.has(path);
    if (files.has(test)) {
      if (isListed) found.push({ place: list, message: `names ${path}, which has a test of its own: take it out` });
    } else if (!isListed && hasLogic(source.code)) {
      found.push({ place: path, message: `has no ${test}: write it, or give the reason in ${list}` });
    }
  }
  const known = new Set(modules.map(({ path }) => path));
  for (const path of testedElsewhere.keys()) {
    if (!known.has(path)) found.push({ place: list, message: `names ${path}, which does not exist: take it out` });
  }
  for (const path of files.keys()) {
    const [, folder] = /^tests\/([^/]+)\/[^/]+_test\.ts$/.exec(path) ?? [];
    if (folder !== undefined && !(folder in ROOMS) && folder !== "scripts") {
      found.push({ place: path, message: `lies in tests/${folder}/, which is no room` });
    }
  }
  return found;
}
