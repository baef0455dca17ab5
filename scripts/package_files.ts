/** Contents of the package for npm: its `package.json`, README, and order; pure functions for `scripts/pack.ts`. */

import { dirname, join, normalize } from "node:path/posix";
import { PAGE_MODULE } from "./inbox_page_module.ts";
import { ROOMS } from "./layer_rules.ts";
import { scanSource } from "./source_text.ts";

/** Settings of `deno.json` that the package takes over. */
export interface Project {
  name: string;
  version: string;
  license: string;
  /** Files by entry. */
  exports: Readonly<Record<string, string>>;
}

/** `package.json` as `deno pack` writes it. */
export interface Manifest {
  name: string;
  version: string;
  exports: Record<string, unknown>;
  [field: string]: unknown;
}

/** Name and file of the command-line program. */
export const BIN = { name: "tackline", path: "bin/tackline.js" } as const;
/** Module that says which entry to use instead, for pages that import one with sockets. */
export const BROWSER_ENTRY = "client/use_browser_entry.ts";
/** Entries with sockets, or with compression by the runtime. */
const NOT_FOR_PAGES = [".", "./client", "./frame", "./server", "./simulate", "./whatsapp", "./ws"];
/** Documents of the repository that the package has too. */
export const DOCUMENTS: readonly string[] = ["README.md", "LICENSE"];

const DESCRIPTION =
  "WebSocket server and client for Deno, Bun and web pages, with compression, topics and reconnecting; " +
  "a WhatsApp Cloud API webhook server and receivers on top. No dependencies.";
const KEYWORDS =
  "websocket,websockets,ws,rfc6455,permessage-deflate,server,client,browser,bun,deno,reconnecting,pubsub,redis," +
  "whatsapp,whatsapp-cloud-api,webhook";

/**
 * Completes `package.json`.
 *
 * @param manifest As `deno pack` writes it.
 * @param project Settings of the project.
 * @param effects Modules that do something when they are loaded: bundlers keep them. They may drop the others.
 */
export function completeManifest(manifest: Manifest, project: Project, effects: readonly string[]): Manifest {
  const { name, version, exports, main, types } = manifest;
  return {
    name,
    version,
    description: DESCRIPTION,
    keywords: KEYWORDS.split(","),
    license: project.license,
    type: "module",
    main,
    types,
    exports: { ...forPages(exports), "./package.json": "./package.json" },
    bin: { [BIN.name]: `./${BIN.path}` },
    sideEffects: effects.map((path) => `./${toJs(path)}`),
    engines: { bun: ">=1.4", deno: ">=2.9" },
    publishConfig: { access: "public" },
  };
}

/** Leads entries that a page cannot use to the module that says so, under the condition of bundlers for pages. */
function forPages(exports: Manifest["exports"]): Manifest["exports"] {
  const browser = `./${toJs(BROWSER_ENTRY)}`;
  return Object.fromEntries(
    Object.entries(exports).map(([entry, files]) => {
      if (!NOT_FOR_PAGES.includes(entry)) return [entry, files];
      const { types, ...rest } = files as Record<string, string>;
      // The first condition that holds is taken.
      return [entry, { types, browser, ...rest }];
    }),
  );
}

/**
 * Compares the package with the project.
 *
 * @param manifest `package.json`.
 * @param project Settings of the project.
 * @param files Texts of the modules and their types in the package, by path.
 * @returns What is wrong.
 */
export function checkPackage(manifest: Manifest, project: Project, files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  for (const field of ["name", "version"] as const) {
    if (manifest[field] === project[field]) continue;
    problems.push(`${field} is "${manifest[field]}" in package.json, and "${project[field]}" in deno.json`);
  }
  for (const [entry, source] of Object.entries(project.exports)) {
    const js = `./${toJs(normalize(source))}`;
    const types = js.replace(/js$/, "d.ts");
    const { import: found, types: foundTypes } = (manifest.exports[entry] ?? {}) as Record<string, string>;
    if (found !== js || foundTypes !== types) problems.push(`the entry "${entry}" is not ${js} with ${types}`);
    for (const path of [js, types]) if (!files.has(normalize(path))) problems.push(`${path} of "${entry}" is missing`);
  }
  for (const entry of Object.keys(manifest.exports)) {
    const known = entry === "./package.json" || Object.hasOwn(project.exports, entry);
    if (!known) problems.push(`the entry "${entry}" is not in deno.json`);
  }
  return [...problems, ...findDeadImports(files)];
}

/** Relative specifier of an import or re-export, or of a type by `import()`. */
const SPECIFIER = /\b(?:from|import)\s*\(?\s*"(\.[^"]*)"/g;

function findDeadImports(files: ReadonlyMap<string, string>): string[] {
  const dead: string[] = [];
  for (const [path, text] of files) {
    const comments = scanSource(text).pieces.filter(({ kind }) => kind.endsWith("comment"));
    for (const { index, 1: specifier } of text.matchAll(SPECIFIER)) {
      if (comments.some(({ start, end }) => start <= index && index < end)) continue;
      const target = join(dirname(path), specifier!);
      // Types of a module lie beside it.
      const wanted = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
      if (!files.has(wanted)) dead.push(`${path} imports ${specifier}, which is not in the package`);
    }
  }
  return dead;
}

/** A statement at the top of a module that does something when it is loaded, in code as `deno fmt` writes it. */
const EFFECT = /^(?:import ["']|[\w$.]+\(|(?:await|do|for|if|switch|throw|try|while)\b)/m;

/**
 * Tells modules that do something when they are loaded from those that only declare.
 *
 * @param text TypeScript, formatted.
 */
export function hasEffect(text: string): boolean {
  const { pieces } = scanSource(text);
  let code = "";
  let at = 0;
  for (const { kind, start, end } of pieces) {
    // Of strings their quotes are kept, and no lines: a template may have statements of another language.
    code += text.slice(at, start) + (kind.endsWith("comment") ? "" : '""');
    at = end;
  }
  return EFFECT.test(code + text.slice(at));
}

/**
 * Turns links to files that are not in the package into text: on the page of a registry they lead nowhere.
 *
 * @param text README.md.
 */
export function withoutDeadLinks(text: string): string {
  return text.replace(/\[([^\]]+)\]\((?!https?:|#)([^)]+)\)/g, (link, label, target) => {
    return DOCUMENTS.includes(target.split("#")[0]) ? link : label;
  });
}

/**
 * Takes the lists of inherited members out of doc comments. They are for pages of `deno doc`; editors, which read these
 * types, list inherited members by themselves.
 *
 * @param text Types.
 */
export function withoutInheritedLists(text: string): string {
  const kept: string[] = [];
  let inList = false;
  for (const line of text.split("\n")) {
    const bare = line.trim();
    if (bare.startsWith("* Also from {@linkcode ")) {
      inList = true;
      if (kept.at(-1)?.trim() === "*") kept.pop();
    } else if (bare === "*" || bare.startsWith("*/")) inList = false;
    if (!inList) kept.push(line);
  }
  return kept.join("\n");
}

/**
 * Takes the doc comment of a module out of its types: editors show those of names only.
 *
 * @param text Types.
 */
export function withoutModuleDoc(text: string): string {
  const end = text.indexOf("*/");
  const begins = text.trimStart().startsWith("/**");
  return begins && text.slice(0, end).includes("@module") ? text.slice(end + "*/".length).trimStart() : text;
}

/**
 * Orders the files for the archive. What is alike lies side by side, room by room: that makes it smaller by 14 KB than
 * an order by names, since gzip looks back for 32 KB only.
 *
 * @param paths Paths in the package.
 */
export function orderFiles(paths: readonly string[]): string[] {
  const rooms = Object.keys(ROOMS);
  const kindOf = (path: string): number => {
    if (path === "package.json") return 0;
    if (path === toJs(PAGE_MODULE)) return 4;
    return path.endsWith(".d.ts") ? 3 : path.endsWith(".js") ? 2 : 1;
  };
  const roomOf = (path: string): number => {
    const at = rooms.indexOf(path.split("/")[0]!);
    // Entries come last.
    return at < 0 ? rooms.length : at;
  };
  return [...paths].sort((a, b) => kindOf(a) - kindOf(b) || roomOf(a) - roomOf(b) || (a < b ? -1 : 1));
}

function toJs(path: string): string {
  return path.replace(/\.ts$/, ".js");
}
