/** Rules of the layout for `scripts/check_layers.ts`: the table of rooms, and pure functions over the text of files. */

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
  ws: {
    purpose: "server and connections in the form of npm ws",
    imports: ["base", "protocol", "transport", "connection", "server"],
  },
  journal: { purpose: "the contract of a durable log; SQLite, memory", imports: ["base"] },
  redis: { purpose: "backplane and journal over Redis", imports: ["base", "protocol", "pubsub", "journal"] },
  postgres: { purpose: "journal over PostgreSQL", imports: ["base", "journal"] },
  cloud_api: { purpose: "Meta's Cloud API: types, parser, filter, signature, client", imports: ["base"] },
  inbox: {
    purpose: "the subprotocol between server and receivers",
    imports: ["base", "protocol", "connection", "journal", "cloud_api"],
  },
  whatsapp: {
    purpose: "the pair of webhook server and receiver",
    imports: ["base", "protocol", "connection", "server", "client", "journal", "cloud_api", "inbox"],
  },
  cli: {
    purpose: "the program",
    imports: ["base", "transport", "journal", "redis", "postgres", "cloud_api", "whatsapp"],
  },
};

/** Rooms of which another may import a few files only: from, to, the files, and its files that may (without: all). */
export const NARROW: readonly { from: string; to: string; files: readonly string[]; by?: readonly string[] }[] = [
  {
    from: "transport",
    to: "protocol",
    files: [
      "protocol/head.ts",
      "protocol/peer_protocol.ts",
      "protocol/proxy_protocol.ts",
      "protocol/response_head.ts",
    ],
    by: ["transport/proxy_gate.ts", "transport/proxy_tunnel.ts"],
  },
  { from: "connection", to: "transport", files: ["transport/transport.ts"] },
  { from: "cli", to: "transport", files: ["transport/bun_databases.ts"], by: ["cli/open_journal.ts"] },
];

/** Modules that load packages of npm at run time, by names that are no text in their code: nothing depends on them. */
export const PACKAGE_LOADERS: readonly string[] = ["cli/npm_package.ts"];

/** Files in which a runtime's global may be named. */
export const RUNTIME_FILES: Readonly<Record<string, RegExp>> = {
  Deno: /^transport\/deno\.ts$/,
  Bun: /^transport\/bun(_[a-z]+)?\.ts$/,
};

/** A place that breaks a rule. */
export interface Violation {
  /** Path and line. */
  place: string;
  /** Text that is wrong, and how to mend it. */
  message: string;
}

/** Input of the rules. */
export interface Tree {
  /** Texts of TypeScript and JavaScript files by path, relative to the root. */
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
  /** Lines of `import()` whose argument is no string. */
  computed: number[];
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
    ...[...tree.entries].flatMap((path) => checkEntry(path, tree.files)),
    ...all.flatMap((module) => checkImports(module, tree.entries)),
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
  return path.includes("/") && Object.hasOwn(ROOMS, room!) ? room : undefined;
}

/** An import or re-export up to its specifier. A property of that name has a dot before it. */
const IMPORT = /(?<![\w$#]|(?<!\.\.)\.)(?:import|export)\b(?:[^;:='"()]*?\bfrom)?\s*\(?\s*(?=["'])/g;
/** The start of a dynamic import, or of a type by `import()`. */
const CALL = /(?<![\w$#]|(?<!\.\.)\.)import\s*\(\s*/g;

function readModule(path: string, text: string): Module {
  const source = scanSource(text);
  // Blanked strings would hide the specifiers: their places are known by the pieces.
  const strings = new Map(source.pieces.filter(({ kind }) => kind === "string").map((piece) => [piece.start, piece]));
  let code = source.code;
  for (const { start } of strings.values()) code = code.slice(0, start) + '"' + code.slice(start + 1);
  const computed = [...code.matchAll(CALL)].filter(({ 0: call, index }) => !strings.has(index + call.length))
    .map(({ index }) => lineAt(text, index));
  const imports: Import[] = [];
  for (const match of code.matchAll(IMPORT)) {
    const piece = strings.get(match.index + match[0].length);
    if (piece === undefined) continue;
    const specifier = text.slice(piece.start + 1, piece.end - 1);
    const target = specifier.startsWith(".") ? normalize(`${dirname(path)}/${specifier}`) : specifier;
    imports.push({ line: lineAt(text, match.index), target, reexports: match[0].startsWith("export") });
  }
  return { path, room: roomOf(path), source, imports, computed };
}

function checkPlace({ path, room }: Module, entries: ReadonlySet<string>): Violation[] {
  if (!path.includes("/")) {
    return entries.has(path)
      ? []
      : [{ place: path, message: "is no entry: move it into a room, or name it in exports" }];
  }
  if (room === undefined) return [{ place: path, message: "lies in no room: add the room to ROOMS, or move the file" }];
  if (!path.endsWith(".ts") || path.endsWith(".d.ts")) {
    return [{ place: path, message: "is no TypeScript module: call it ….ts" }];
  }
  const [, ...rest] = path.split("/");
  if (rest.length > 1) return [{ place: path, message: "lies too deep: rooms are flat" }];
  if (rest[0]!.startsWith(`${room}_`)) {
    return [{ place: path, message: `repeats the name of its room: call it ${rest[0]!.slice(room.length + 1)}` }];
  }
  return [];
}

/** Checks that an entry is there: without browser.ts, for instance, nothing would be checked of what it reaches. */
function checkEntry(path: string, files: ReadonlyMap<string, string>): Violation[] {
  return files.has(path) ? [] : [{ place: "deno.json", message: `names ${path} in exports, which does not exist` }];
}

function checkImports({ path, room, imports, computed }: Module, entries: ReadonlySet<string>): Violation[] {
  const unknown = (PACKAGE_LOADERS.includes(path) ? [] : computed).map((line) => ({
    place: `${path}:${line}`,
    message: "imports a computed path, which cannot be checked: give it as a string in quotes",
  }));
  return [...unknown, ...imports.flatMap((found) => checkImport(path, room, found, entries))];
}

function checkImport(
  path: string,
  room: string | undefined,
  { line, target }: Import,
  entries: ReadonlySet<string>,
): Violation[] {
  const place = `${path}:${line}`;
  if (target.startsWith("node:")) return [];
  const other = roomOf(target);
  if (room === undefined) {
    if (other !== undefined || entries.has(target)) return [];
    return [{ place, message: `imports ${target}: entries import rooms, entries and node: only` }];
  }
  if (other === undefined) return [{ place, message: `imports ${target}: rooms import rooms and node: only` }];
  if (mayReexport(target, entries)) {
    return [{ place, message: `imports ${target}, which only re-exports: import from the file that has the name` }];
  }
  return other === room ? [] : checkTable(path, room, place, target, other);
}

function checkTable(path: string, room: string, place: string, target: string, other: string): Violation[] {
  if (!ROOMS[room]!.imports.includes(other)) {
    const allowed = ROOMS[room]!.imports.join(", ") || "nothing";
    return [{ place, message: `imports ${target}: ${room} may import ${allowed}` }];
  }
  const narrow = NARROW.find(({ from, to }) => from === room && to === other);
  if (narrow === undefined) return [];
  if (narrow.files.includes(target) && (narrow.by === undefined || narrow.by.includes(path))) return [];
  const by = narrow.by === undefined ? room : narrow.by.join(", ");
  return [{ place, message: `imports ${target}: of ${other} only ${narrow.files.join(", ")}, by ${by}` }];
}

/** Entries of the root re-export, and the facade `mod.ts` of a room that is an entry itself. */
function mayReexport(path: string, entries: ReadonlySet<string>): boolean {
  return entries.has(path) && (!path.includes("/") || path.endsWith("/mod.ts"));
}

function checkReexports({ path, source: { text, code }, imports }: Module, entries: ReadonlySet<string>): Violation[] {
  if (mayReexport(path, entries)) return [];
  const only = "only entries of the root, and mod.ts of a room, do";
  const found = imports.filter(({ reexports }) => reexports)
    .map(({ line, target }) => ({ place: `${path}:${line}`, message: `re-exports from ${target}: ${only}` }));
  // Names that are imported first: `export { x };`, `export default x;`.
  const imported = new Set(
    [...code.matchAll(/\bimport\b([^;:='"()]*?)\bfrom\b/g)].flatMap(([, clause]) =>
      listNames(clause!).map(([, as]) => as)
    ),
  );
  for (const match of code.matchAll(/\bexport\s+(?:(?:type\s+)?\{([^}]*)\}(?!\s*from)|default\s+([\w$]+)\s*;)/g)) {
    const name = listNames(match[1] ?? match[2]!).map(([name]) => name).find((name) => imported.has(name));
    if (name === undefined) continue;
    found.push({ place: `${path}:${lineAt(text, match.index)}`, message: `re-exports ${name}: ${only}` });
  }
  return found;
}

/** Lists names of `a, { type b as c }` or `* as d`: the name there, and the name here. */
function listNames(clause: string): [name: string, as: string][] {
  const parts = clause.split(/[{},]/).map((part) => part.trim().replace(/^type\s+(?!as\b|$)/, ""));
  return parts.filter((part) => part !== "").map((part) => {
    const names = part.split(/\s+as\s+/);
    return [names[0]!, names.at(-1)!];
  });
}

/**
 * Finds names of a runtime: any name in code, a string or template that is the name, its modules, and outside of the
 * room `transport` the name with a dot in comments that are no documentation.
 */
function checkRuntimes({ path, source: { text, code, pieces }, imports }: Module): Violation[] {
  return Object.entries(RUNTIME_FILES).flatMap(([name, files]): Violation[] => {
    if (files.test(path)) return [];
    const word = new RegExp(`(?<![\\w$#])${name}(?![\\w$])`, "g");
    const literals = pieces.filter(({ kind, start, end }) =>
      (kind === "string" || kind === "template") && text.slice(start + 1, end - 1) === name
    );
    const modules = imports.filter(({ target }) => new RegExp(`^${name.toLowerCase()}(:|$)`).test(target));
    const comments = pieces.filter(({ kind, start, end }) =>
      !path.startsWith("transport/") && (kind === "line comment" || kind === "block comment") &&
      new RegExp(`(?<![\\w$#])${name}\\.`).test(text.slice(start, end))
    );
    return [
      ...comments.map(({ start }) => lineAt(text, start)),
      ...[...code.matchAll(word)].map(({ index }) => lineAt(text, index)),
      ...literals.map(({ start }) => lineAt(text, start)),
      ...modules.map(({ line }) => line),
    ].map((line) => ({
      place: `${path}:${line}`,
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
    const targets = new Set(modules.get(path)!.imports.map(({ target }) => target));
    for (const target of targets) if (modules.has(target)) visit(target);
    way.pop();
    done.add(path);
  };
  for (const path of [...modules.keys()].sort()) visit(path);
  return found;
}

/** Checks that nothing which the entries for pages reach, types included, imports `node:`. */
function checkBrowser(modules: ReadonlyMap<string, Module>): Violation[] {
  const found: Violation[] = [];
  const seen = new Set<string>();
  const visit = (path: string, way: string): void => {
    const module = modules.get(path);
    if (module === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { line, target } of module.imports) {
      if (target.startsWith("node:")) {
        found.push({ place: `${path}:${line}`, message: `imports ${target}, and a page reaches it: ${way}` });
      } else visit(target, `${way} -> ${target}`);
    }
  };
  for (const entry of ["browser.ts", "browser_client.ts"]) visit(entry, entry);
  return found;
}

/**
 * Tells modules with code that runs from those with types and constants alone.
 *
 * @param code Code without comments and strings.
 * @returns Whether it has a function or a class.
 */
export function hasLogic(code: string): boolean {
  // The last is a method of an object, with or without the type of its result.
  return /\bfunction\b|=>|\bclass\b|\)\s*(:[^;{}=()]*)?\{/.test(withoutTypes(code));
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
    if ("([{".includes(code[end]!)) end = closingBracket(code, end);
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
  const tests = [...files.keys()].filter((path) => path.startsWith("tests/"));
  for (const [path, reason] of testedElsewhere) {
    if (!known.has(path)) found.push({ place: list, message: `names ${path}, which does not exist: take it out` });
    if (reason.trim() === "") found.push({ place: list, message: `gives no reason for ${path}` });
    for (const [test] of reason.matchAll(/\b\w[\w/]*_test\.ts\b/g)) {
      if (tests.some((known) => known.endsWith(`/${test}`) || known === test)) continue;
      found.push({ place: list, message: `names ${test} for ${path}, which does not exist` });
    }
  }
  for (const path of files.keys()) {
    const [, folder] = /^tests\/(.+)\/[^/]+_test\.ts$/.exec(path) ?? [];
    if (folder !== undefined && !Object.hasOwn(ROOMS, folder) && folder !== "scripts" && folder !== "hosted") {
      found.push({ place: path, message: `lies in tests/${folder}/, which is no room` });
    }
  }
  return found;
}
