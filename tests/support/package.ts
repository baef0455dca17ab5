/** The package for npm, made once for all tests of a process, and projects in which it is installed. */

import { assertEquals } from "@std/assert";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { find, type NeedName } from "./needs.ts";
import { runIn, runToEnd } from "./peers.ts";

/** Programs and packages without which no package can be made. */
export const PACK_NEEDS: readonly NeedName[] = ["Deno", "npm:terser and others", "deno bundle"];

/** The `tsconfig.json` of `bun init` (Bun 1.4). */
export const BUN_OPTIONS: Readonly<Record<string, unknown>> = {
  lib: ["ESNext"],
  target: "ESNext",
  module: "Preserve",
  moduleDetection: "force",
  jsx: "react-jsx",
  allowJs: true,
  types: ["bun"],
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  noFallthroughCasesInSwitch: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
};

/** The repository. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** `deno.json` of the library. */
export const project: { name: string; version: string; exports: Record<string, string> } = JSON.parse(
  readFileSync(join(root, "deno.json"), "utf8"),
);

let made: Promise<string> | undefined;

/** Makes the package with `deno task pack`; returns the path of the archive. */
export function makePackage(): Promise<string> {
  return made ??= pack();
}

async function pack(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "package-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const archive = join(folder, `tackline-websocket-${project.version}.tgz`);
  const command = [...find("Deno")!, "run", "-A", "--config", join(root, "deno.json"), join(root, "scripts/pack.ts")];
  const { text, errors, status } = await runToEnd(command, "--output", archive);
  assertEquals(status, 0, text + errors);
  return archive;
}

/** Unpacks the package into a folder, as an installer would. */
export async function unpackPackage(home: string): Promise<void> {
  mkdirSync(home, { recursive: true });
  const { errors, status } = await runToEnd(["tar"], "xzf", await makePackage(), "-C", home, "--strip-components=1");
  assertEquals(status, 0, errors);
}

/** A project of a user, in a folder of its own. */
export class Project {
  readonly folder: string;
  /** Folder that is removed at the end. */
  readonly #home = mkdtempSync(join(tmpdir(), "project-"));

  /** @param name Folder of the project in a new one, for projects with something beside them. */
  constructor(name = "") {
    this.folder = join(this.#home, name);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Makes a project in which `bun add` has installed the package from its archive. */
  static async create(settings: object = {}): Promise<Project> {
    const project = new Project();
    project.write("package.json", JSON.stringify({ type: "module", ...settings }));
    const archive = await makePackage();
    cpSync(archive, project.path("tackline-websocket.tgz"));
    await project.run([...find("Bun")!, "add"], "./tackline-websocket.tgz");
    return project;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** Adds packages that a need has installed, by links. */
  link(packages: string): void {
    for (const entry of readdirSync(join(packages, "node_modules"))) {
      if (!entry.startsWith(".")) {
        symlinkSync(join(packages, "node_modules", entry), this.path(`node_modules/${entry}`));
      }
    }
  }

  /** Runs a command in the folder; fails unless it ends with 0. Returns its output. */
  async run(command: readonly string[], ...args: string[]): Promise<string> {
    const { text, errors, status } = await runIn({ cwd: this.folder }, command, ...args);
    assertEquals(status, 0, `${command.join(" ")} ${args.join(" ")}: ${text}${errors}`);
    return text;
  }

  [Symbol.dispose](): void {
    rmSync(this.#home, { recursive: true, force: true });
  }
}
