/**
 * Makes the package for npm, from which Bun and pages install: a tarball beside `deno.json`.
 *
 *   deno task pack                     writes tackline-websocket-VERSION.tgz
 *   deno task pack --output x.tgz      writes another file
 *   deno task pack --check-size        fails if the tarball is larger than 470 KB, as CI asks; it is written anyway
 *
 * `deno pack` makes JavaScript and types of the sources. Here the rest is done: comments and the names of local
 * variables leave the JavaScript (the comments stay in the types), the page of the live inbox is made anew, and
 * `package.json` gets the command `tackline` and the list of modules that a bundler must keep. Then everything is
 * checked: name, version, entries, the names that each of them exports, and the size. terser, tar and zopfli come from
 * npm.
 */

import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { stripTypeScriptTypes } from "node:module";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { buildPage } from "../examples/inbox/page.ts";
import { digestSources, PAGE_MODULE, writePageModule } from "./inbox_page_module.ts";
import {
  BIN,
  BROWSER_ENTRY,
  checkPackage,
  completeManifest,
  DOCUMENTS,
  hasEffect,
  type Manifest,
  orderFiles,
  type Project,
  withoutDeadLinks,
  withoutInheritedLists,
  withoutModuleDoc,
} from "./package_files.ts";

/** Bytes of a kilobyte, as `deno pack` counts them. */
const KILOBYTE = 1024;
/**
 * Largest size of the tarball, in bytes: a program installs it each time it is deployed. 2 % more than the 421 KB it
 * has: 108 are types with their documentation, 51 the JavaScript of `cloud_api/`, 46 the page of the inbox, 13 the
 * entry for programs of npm `ws`, types included. More passes of terser and zopfli save nothing.
 */
const MAX_SIZE = 470 * KILOBYTE;
/** Longest line of JavaScript, so that the places in stack traces can be found. */
const LINE = 120;
/** The time in each archive, of npm's too, so that the same files make the same archive. */
const MODIFIED = new Date("1985-10-26T08:15:00Z");

/** Parts of terser that are used. Its types are not, since they would have to be there for `deno check`. */
interface Terser {
  minify(code: string, options: Record<string, unknown>): Promise<{ code: string }>;
}
/** Parts of tar that are used. */
interface Tar {
  extract(options: Record<string, unknown>): void;
  create(options: Record<string, unknown>, files: readonly string[]): void;
}
/** Parts of zopfli that are used. */
interface Zopfli {
  gzipAsync(bytes: Uint8Array, options: { numiterations: number }): Promise<Uint8Array>;
}
const TERSER = "npm:terser@5.51.4", TAR = "npm:tar@7.5.23", ZOPFLI = "npm:@gfx/zopfli@1.0.15";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: {
    output: { type: "string", short: "o" },
    "check-size": { type: "boolean", default: false },
  },
});
const project: Project = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
const output = resolve(values.output ?? `${project.name.replace("@", "").replace("/", "-")}-${project.version}.tgz`);
const scratch = mkdtempSync(join(tmpdir(), "pack-"));
/** Folder of the package. */
const home = join(scratch, "package");

const deno = (...args: string[]): void => void execFileSync(process.execPath, args, { cwd: root, stdio: "inherit" });
const read = (path: string): string => readFileSync(join(home, path), "utf8");
const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text);
};
const list = (): string[] =>
  readdirSync(home, { recursive: true }).map((path) => String(path).replaceAll("\\", "/"))
    .filter((path) => statSync(join(home, path)).isFile());

/** Makes the package with `deno pack`, and keeps only what belongs into it. */
async function stage(): Promise<void> {
  const archive = join(scratch, "deno.tgz");
  deno("pack", "--quiet", "--allow-dirty", "--no-source-maps", "--output", archive);
  const tar = await import(TAR) as Tar;
  tar.extract({ file: archive, cwd: scratch, sync: true });
  for (const path of list()) {
    if (!/^package\.json$|\.js$|\.d\.ts$/.test(path)) rmSync(join(home, path));
  }
  rmSync(join(home, "docs"), { recursive: true, force: true });
  for (const path of DOCUMENTS) write(path, withoutDeadLinks(readFileSync(join(root, path), "utf8")));
}

/** Makes the page of this version of the library. */
async function renewPage(): Promise<void> {
  const module = writePageModule(await buildPage(), digestSources());
  write(PAGE_MODULE.replace(/ts$/, "js"), stripTypeScriptTypes(module));
}

/** Adds the module to which the entries with sockets lead in a page: no entry imports it. */
function addBrowserEntry(): void {
  const text = stripTypeScriptTypes(readFileSync(join(root, BROWSER_ENTRY), "utf8"));
  write(BROWSER_ENTRY.replace(/ts$/, "js"), text.replaceAll(/(from "[^"]*)\.ts"/g, '$1.js"'));
}

/**
 * Takes out comments, and shortens names of local variables. Those of classes, methods and exports stay. Types keep
 * their comments, but for lists of inherited members.
 */
async function shorten(): Promise<void> {
  const { minify } = await import(TERSER) as Terser;
  // Bundlers of pages need the annotations "@__PURE__" to leave out what a page does not use.
  // Bun shows the lines around an error: one line that is the whole module would hide its message.
  const format = { comments: false, preserve_annotations: true, max_line_len: 2 * LINE };
  const options = { module: true, ecma: 2022, compress: { passes: 2, ecma: 2022 }, format };
  for (const path of list().filter((path) => path.endsWith(".js"))) {
    write(path, (await minify(read(path), options)).code);
  }
  const types = list().filter((path) => path.endsWith(".d.ts"));
  for (const path of types) write(path, withoutModuleDoc(withoutInheritedLists(read(path))));
  const settings = join(scratch, "deno.json");
  writeFileSync(settings, JSON.stringify({ fmt: { useTabs: true, lineWidth: LINE } }));
  deno(
    "fmt",
    "--quiet",
    "--config",
    settings,
    ...types.map((path) => join(home, path)),
  );
}

/** Writes `package.json`, and the command. */
function complete(): void {
  copyFileSync(join(root, "scripts/package_bin.js"), join(mkdirs(BIN.path), "tackline.js"));
  const sources = list().filter((path) => path.endsWith(".js") && path !== BIN.path).map((path) =>
    path.replace(/js$/, "ts")
  );
  const effects = sources.filter((path) => hasEffect(readFileSync(join(root, path), "utf8")));
  const manifest = completeManifest(JSON.parse(read("package.json")) as Manifest, project, effects.sort());
  write("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
}

function mkdirs(path: string): string {
  const folder = dirname(join(home, path));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Checks the files against the project, and what the entries export against the sources. */
async function check(): Promise<string[]> {
  const files = new Map(list().filter((path) => /\.(js|d\.ts)$/.test(path)).map((path) => [path, read(path)]));
  const manifest = JSON.parse(read("package.json")) as Manifest;
  const problems = checkPackage(manifest, project, files);
  if (problems.length > 0) return problems;
  for (const [entry, source] of Object.entries(project.exports)) {
    const namesOf = async (file: string): Promise<string> =>
      Object.keys(await import(pathToFileURL(file).href)).sort().join(", ");
    const [here, there] = [await namesOf(join(root, source)), await namesOf(join(home, source.replace(/ts$/, "js")))];
    if (here !== there) {
      problems.push(`the entry "${entry}" exports ${there} in the package, and ${here} in the sources`);
    }
  }
  const help = spawnSync(process.execPath, ["run", "-A", join(home, BIN.path), "--help"], { encoding: "utf8" });
  if (help.status !== 0) problems.push(`${BIN.name} --help ended with ${help.status}: ${help.stderr}`);
  return problems;
}

/** Writes the archive; returns its size. zopfli makes it smaller by 10 KB than gzip does at its best. */
async function archive(): Promise<number> {
  const tar = await import(TAR) as Tar;
  const plain = join(scratch, "package.tar");
  const options = { file: plain, cwd: home, prefix: "package", sync: true, portable: true, mtime: MODIFIED };
  tar.create(options, orderFiles(list()));
  const { default: { gzipAsync } } = await import(ZOPFLI) as { default: Zopfli };
  // The same format as gzip's, 3.6 % smaller.
  writeFileSync(output, await gzipAsync(readFileSync(plain), { numiterations: 5 }));
  return statSync(output).size;
}

function printSizes(size: number): void {
  const kinds: [kind: string, belongs: RegExp][] = [
    ["types, with all documentation", /\.d\.ts$/],
    ["page of the live inbox", /inbox_page_text\.js$/],
    ["JavaScript", /\.js$/],
    ["README, LICENSE, package.json", /./],
  ];
  let left = list();
  for (const [kind, belongs] of kinds) {
    const paths = left.filter((path) => belongs.test(path));
    left = left.filter((path) => !belongs.test(path));
    const bytes = gzipSync(paths.map(read).join(""), { level: 9 }).length;
    console.log(`${String(paths.length).padStart(4)} files  ${kilobytes(bytes)}  ${kind}`);
  }
  console.log(
    `${String(list().length).padStart(4)} files  ${kilobytes(size)}  in the archive; ${
      kilobytes(MAX_SIZE).trim()
    } at most`,
  );
}

function kilobytes(bytes: number): string {
  return `${(bytes / KILOBYTE).toFixed(1)} KB`.padStart(9);
}

try {
  await stage();
  await renewPage();
  addBrowserEntry();
  await shorten();
  complete();
  const problems = await check();
  const size = await archive();
  printSizes(size);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  if (problems.length > 0) {
    rmSync(output, { force: true });
    process.exitCode = 1;
  } else {
    // A large package is a fault of the project, and works: a program that installs a clone gets it.
    if (values["check-size"] && size > MAX_SIZE) {
      console.error(`FAILED: the archive has ${size} bytes, more than ${MAX_SIZE}`);
      process.exitCode = 1;
    }
    console.log(output);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
