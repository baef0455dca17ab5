/**
 * Pages of the API, as `deno doc --html` and JSR make them: each has all members and options of its class or interface,
 * each entry has a text with an example, and none names what is internal.
 *
 * Expected names come from the program: tables of options, and prototypes of classes.
 */

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { EventEmitter } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { CLIENT_OPTION_TABLES } from "../client/settings.ts";
import { RECONNECT_SETTINGS } from "../client/reconnect.ts";
import { API_SETTINGS } from "../cloud_api/api_settings.ts";
import { RETENTION_SETTINGS } from "../journal/retention.ts";
import { COMPRESSION_SETTINGS } from "../protocol/deflate.ts";
import { REDIS_BACKPLANE_SETTINGS } from "../redis/backplane.ts";
import { POSTGRES_JOURNAL_SETTINGS } from "../postgres/journal.ts";
import { REDIS_JOURNAL_SETTINGS } from "../redis/journal.ts";
import { ROOMS } from "../scripts/layer_rules.ts";
import { SERVER_HANDLERS } from "../server/handlers.ts";
import { SERVER_OTHER_OPTIONS, SERVER_SETTINGS } from "../server/settings.ts";
import { RECEIVER_HANDLERS, RECEIVER_SETTINGS } from "../whatsapp/receiver_settings.ts";
import { WHATSAPP_HANDLERS, WHATSAPP_SETTINGS } from "../whatsapp/settings.ts";
import { SIMULATOR_SETTINGS } from "../whatsapp/simulator_settings.ts";
import { project, root } from "./support/package.ts";
import { describePeer, runIn } from "./support/peers.ts";

const SERVER_TABLES = [SERVER_SETTINGS, SERVER_HANDLERS, SERVER_OTHER_OPTIONS];

/** Options by the page that must have them. */
const OPTIONS: Readonly<Record<string, readonly object[]>> = {
  "./~/WebSocketServerOptions": SERVER_TABLES,
  "./~/WebSocketClientOptions": CLIENT_OPTION_TABLES,
  "./~/CompressionOptions": [COMPRESSION_SETTINGS],
  "./~/ReconnectOptions": [RECONNECT_SETTINGS],
  "./~/RedisBackplaneOptions": [REDIS_BACKPLANE_SETTINGS],
  "server/~/WebSocketServerOptions": SERVER_TABLES,
  "client/~/WebSocketClientOptions": CLIENT_OPTION_TABLES,
  "browser/~/WhatsAppReceiverOptions": [RECEIVER_SETTINGS, RECEIVER_HANDLERS, ...CLIENT_OPTION_TABLES],
  "cloud-api/~/WhatsAppApiOptions": [API_SETTINGS],
  "simulate/~/SimulatorOptions": [SIMULATOR_SETTINGS],
  "whatsapp/~/JournalRetention": [RETENTION_SETTINGS],
  "whatsapp/~/PostgresJournalOptions": [POSTGRES_JOURNAL_SETTINGS, RETENTION_SETTINGS],
  "whatsapp/~/RedisJournalOptions": [REDIS_JOURNAL_SETTINGS, RETENTION_SETTINGS],
  "whatsapp/~/WhatsAppReceiverOptions": [RECEIVER_SETTINGS, RECEIVER_HANDLERS, ...CLIENT_OPTION_TABLES],
  "whatsapp/~/WhatsAppServerOptions": [WHATSAPP_SETTINGS, WHATSAPP_HANDLERS, ...SERVER_TABLES],
};

/** Options that a derived interface leaves out. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "whatsapp/~/WhatsAppServerOptions": ["useSSL", "routes"],
};

/** Members that throw, and that types do not have: the client of `./browser` has them. */
const MEMBERS_LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "./browser-client WebSocketClient":
    "ping pong sendFrame sendSimpleFrame messageWriter readable writable stats checkIncoming".split(" "),
};

/** Values of other programs in backquotes that are names of internal functions too. */
const WORDS_OF_OTHERS = ["object", "READ"];

/** Members of `Error` that subclasses set on their prototype. */
const OF_ERROR = ["name", "message"];

/** The entries, and the module of each. */
const entries = Object.entries(project.exports);

/** The folder of an entry's pages. */
function folderOf(entry: string): string {
  return entry === "." ? "." : entry.slice(2);
}

/** Folders of entries that re-export: files of the root, and `mod.ts` of a room; the others are modules themselves. */
const collections = new Set(
  entries.filter(([, path]) => /^\.\/(\w+\/mod|\w+)\.ts$/.test(path)).map(([entry]) => folderOf(entry)),
);

let made: Promise<string> | undefined;

/** Makes the pages; returns their folder, which is gone when the process ends. */
function makePages(deno: readonly string[]): Promise<string> {
  return made ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), "pages-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    const modules = entries.map(([, path]) => path);
    const args = ["doc", "--html", "--name=pages", `--output=${folder}`, ...modules];
    const { text, errors, status } = await runIn({ cwd: root }, deno, ...args);
    assertEquals(status, 0, text + errors);
    return folder;
  })();
}

/** The texts of elements that a pattern finds. */
function textsOf(html: string, pattern: RegExp): string[] {
  return [...html.matchAll(pattern)].map(([, text]) => text!.replaceAll("&quot;", '"').replaceAll("&lt;", "<"));
}

/** Names of members on a page: those with a heading, and those that its text lists as inherited. */
function membersOn(folder: string, page: string): Set<string> {
  const html = readFileSync(join(folder, `${page}.html`), "utf8");
  const heading = /id="(?:property|accessor|method)_[^"]*"[^]*?class="font-bold font-lg(?: link)?"[^>]*>([^<]*)</g;
  const own = textsOf(html, heading);
  const text = html.slice(html.indexOf('class="markdown"'), html.indexOf("</div>", html.indexOf('class="markdown"')));
  const inherited = text.split("<p>Also from ").slice(1).flatMap((part) => {
    const [head, ...items] = part.split(/<li>|<\/ul>/);
    if (items.length === 0) return textsOf(head!, /(?<!>)<code>([^<]*)<\/code>/g);
    return items.flatMap((item) =>
      /^(methods|properties|settings|handlers): /.test(item)
        ? textsOf(item, /<code>([^<]*)<\/code>/g)
        : textsOf(item, /^<code>([^<]*)<\/code>/g)
    );
  });
  return new Set([...own, ...inherited]);
}

/** Names of the members that instances of a class have from its prototypes. */
function membersOf({ prototype }: { prototype: object }): string[] {
  const names = new Set<string>();
  for (let at = prototype; at !== null && !isOfLanguage(at); at = Reflect.getPrototypeOf(at)!) {
    for (const key of Reflect.ownKeys(at)) names.add(typeof key === "symbol" ? `[${key.description}]` : key);
  }
  // An option of the constructor: the accessor refuses to be set.
  for (const name of ["constructor", "routes"]) names.delete(name);
  // Called by `node:events`.
  names.delete("[nodejs.rejection]");
  if (prototype instanceof Error) { for (const name of OF_ERROR) names.delete(name); }
  return [...names];
}

/** Returns whether it is a prototype of the language or of Node, or the guard behind those of the library. */
function isOfLanguage(prototype: object): boolean {
  if (prototype === EventEmitter.prototype) return true;
  const made: { name: string } = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value ?? Object;
  return Object.hasOwn(globalThis, made.name);
}

function isClass(value: unknown): value is { prototype: object } {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Names that a module of a room exports, and no entry. */
function internalNames(publicNames: ReadonlySet<string>): Set<string> {
  const files = Object.keys(ROOMS).flatMap((room) =>
    readdirSync(join(root, room)).filter((name) => name.endsWith(".ts")).map((name) => join(root, room, name))
  );
  const exported = /^export (?:abstract |async )*(?:class|interface|type|function\*?|const|let) (\w+)/gm;
  const names = files.flatMap((file) => textsOf(readFileSync(file, "utf8"), exported));
  return new Set(names.filter((name) => !publicNames.has(name)));
}

/** All pages of a folder, relative to it. */
function listPages(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith(".html"));
}

/** Names that have a page of their own. */
function namesOf(pages: readonly string[]): Set<string> {
  const ofNames = pages.filter((page) => /(^|\/)~\//.test(page)).map((page) => basename(page, ".html"));
  return new Set(ofNames.filter((name) => !name.includes(".")));
}

describePeer("the pages of deno doc", "Deno", (deno) => {
  it("have all options of each options object", async () => {
    const folder = await makePages(deno);
    for (const [page, tables] of Object.entries(OPTIONS)) {
      const names = tables.flatMap(Object.keys).filter((name) => !LEFT_OUT[page]?.includes(name));
      const shown = membersOn(folder, page);
      assertEquals(names.filter((name) => !shown.has(name)), [], page);
      for (const name of LEFT_OUT[page] ?? []) assert(!shown.has(name), `${page} shows "${name}"`);
    }
  });

  it("have all members of each class, in each entry", async () => {
    const folder = await makePages(deno);
    let classes = 0;
    for (const [entry, path] of entries) {
      const values: Record<string, unknown> = await import(new URL(`../${path}`, import.meta.url).href);
      for (const [name, value] of Object.entries(values)) {
        if (!isClass(value)) continue;
        classes++;
        const shown = membersOn(folder, `${folderOf(entry)}/~/${name}`);
        const leftOut = MEMBERS_LEFT_OUT[`${entry} ${name}`] ?? [];
        const hidden = membersOf(value).filter((member) => !shown.has(member) && !leftOut.includes(member));
        assertEquals(hidden, [], `${entry} ${name}`);
        for (const member of leftOut) assert(!shown.has(member), `${entry} ${name} shows "${member}"`);
      }
    }
    assert(classes > 60, `${classes} classes`);
  });

  it("have a text with an example for each entry; that of the main one is within 40 lines", async () => {
    const folder = await makePages(deno);
    for (const [entry, path] of entries) {
      const html = readFileSync(join(folder, folderOf(entry), "index.html"), "utf8");
      const [text] = textsOf(html, /id="module_doc"\s*><div class="markdown"><p>([^]*?)<\/p>/g);
      assert(text !== undefined && text.length > 30, `${entry} has no text`);
      const examples = html.slice(html.indexOf('id="example_0"')).split('<section class="section"')[0]!;
      assert(html.includes('id="example_0"'), `${entry} has no example`);
      assert(examples.includes(join(project.name, entry)), `the example of ${entry} does not import it`);
      if (entry !== ".") continue;
      const source = readFileSync(join(root, path), "utf8");
      assert(source.slice(0, source.indexOf("*/")).split("\n").length <= 40);
      assert(examples.includes(`${project.name}/whatsapp`), "the main entry does not show the WhatsApp pair");
    }
  });

  it("link to each base, and to each type that a signature names: the entry exports it", async () => {
    const folder = await makePages(deno);
    const publicNames = namesOf(listPages(folder));
    let inheriting = 0;
    const unlinked = new Set<string>();
    for (const page of listPages(folder)) {
      const html = readFileSync(join(folder, page), "utf8");
      if (html.includes("<p>Also from <a ")) inheriting++;
      const bases = textsOf(html, /<p>Also from <code>([^<]*)/g);
      // Pages of modules have summaries without links.
      const isOfName = /(^|\/)~\//.test(page) && collections.has(page.split("/~/")[0]!.replace(/^~\/.*/, "."));
      const types = isOfName ? textsOf(html, /<span(?: class="td-ref">(?=\w+<)|>(?=\w+<\/span><span>&lt;))(\w+)/g) : [];
      for (const name of [...bases, ...types.filter((name) => publicNames.has(name))]) {
        unlinked.add(`${name} on ${page}`);
      }
    }
    assertEquals([...unlinked], []);
    assert(inheriting > 100, `${inheriting} pages`);
  });

  it("name nothing that is internal: no type in a signature, no function in a text", async () => {
    const folder = await makePages(deno);
    const pages = listPages(folder);
    const publicNames = namesOf(pages);
    const members = new Set(pages.map((page) => basename(page, ".html").split(".").at(-1)));
    const internal = internalNames(publicNames);
    for (const name of ["ServerExtension", "extendServer", "Transport", "StepResult"]) assert(internal.has(name), name);
    const found = new Set<string>();
    for (const page of pages) {
      const html = readFileSync(join(folder, page), "utf8");
      const types = textsOf(html, /td-ref"[^>]*>([^<]*)</g).filter((name) => internal.has(name));
      const words = textsOf(html, /<code>(\w+)[^<]*<\/code>/g)
        .filter((name) => internal.has(name) && !members.has(name) && !WORDS_OF_OTHERS.includes(name));
      for (const name of [...types, ...words]) found.add(`${name} on ${page}`);
    }
    assertEquals([...found], []);
  });
});
