/**
 * Tables of the documents, and the types that they are about: read as texts, so that a test can compare both.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A table of a document: cells of each row, by the heading of their column. */
export type Rows = Readonly<Record<string, string>>[];

/**
 * Finds all tables of a document whose first columns have these headings.
 *
 * @param document Its path from the root of the project.
 * @param headings Headings of the first columns.
 * @returns The rows of all of them.
 */
export function tableRows(document: string, ...headings: string[]): Rows {
  const rows: Record<string, string>[] = [];
  let columns: string[] | undefined;
  for (const line of readFileSync(join(root, document), "utf8").split("\n")) {
    if (!line.startsWith("|")) columns = undefined;
    else if (columns === undefined) columns = cellsOf(line);
    else if (headings.every((heading, index) => columns![index] === heading) && !/^\|[ :|-]+\|$/.test(line)) {
      const cells = cellsOf(line);
      rows.push(Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""])));
    }
  }
  return rows;
}

function cellsOf(line: string): string[] {
  return line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
}

/** Texts in backticks of a cell. */
export function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}

/** A member of an interface. */
export interface Member {
  /** Its type, as written. */
  type: string;
  /** It may be absent. */
  optional: boolean;
}

/** An interface of the sources. */
interface Interface {
  bases: string[];
  members: Map<string, Member>;
}

/** Interfaces and unions of a room. */
export class Types {
  readonly #interfaces = new Map<string, Interface>();
  readonly #unions = new Map<string, string[]>();

  /** Reads all modules of a room. */
  constructor(room: string) {
    for (const file of readdirSync(join(root, room)).filter((name) => name.endsWith(".ts"))) {
      const source = readFileSync(join(root, room, file), "utf8");
      for (
        const [, name, bases, body] of source.matchAll(/^export interface (\w+)(?: extends ([^{]+))? \{\n([^]*?)^\}/gm)
      ) {
        const found = body!.matchAll(/^ {2}(?:readonly )?(\w+)(\??): ?([^\n]*?);?$/gm);
        const members = new Map<string, Member>();
        for (const [, member, mark, type] of found) members.set(member!, { type: type!, optional: mark === "?" });
        this.#interfaces.set(name!, { bases: bases?.match(/\w+/g) ?? [], members });
      }
      for (const [, name, union] of source.matchAll(/^export type (\w+) =([^;]*);/gm)) {
        if (/^[\s\w|]+$/.test(union!)) this.#unions.set(name!, union!.match(/\w+/g) ?? []);
      }
    }
  }

  /** Returns the names of the interfaces that a union has, also those of unions in it. */
  variants(name: string): string[] {
    if (this.#interfaces.has(name)) return [name];
    const union = this.#unions.get(name);
    if (union === undefined) throw new Error(`"${name}" is neither an interface nor a union`);
    return union.flatMap((part) => this.variants(part));
  }

  /** Returns the members of an interface, with those of its bases. */
  members(name: string): Map<string, Member> {
    const found = this.#interfaces.get(name);
    if (found === undefined) throw new Error(`there is no interface "${name}"`);
    return new Map([...found.bases.flatMap((base) => [...this.members(base)]), ...found.members]);
  }
}
