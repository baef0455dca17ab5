/** The table that tests of proxies print: programs and what was seen of them. */

import type { ProxyKind } from "./proxies.ts";

/** Cells by program and case. */
export class ProxyTable {
  #rows = new Map<string, Map<string, string>>();

  /** Notes what was seen. */
  note({ name }: Pick<ProxyKind, "name">, what: string, cell: string): void {
    const row = this.#rows.get(name) ?? new Map<string, string>();
    this.#rows.set(name, row.set(what, cell));
  }

  /** Programs side by side, a case in each line. */
  toString(): string {
    const names = [...this.#rows.keys()];
    if (names.length === 0) return "No proxy was tried.";
    const cases = [...new Set([...this.#rows.values()].flatMap((row) => [...row.keys()]))];
    const lines = [["", ...names], ...cases.map((what) => [what, ...names.map((name) => this.#cell(name, what))])];
    const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
    return lines.map((line) => line.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd()).join("\n");
  }

  #cell(name: string, what: string): string {
    return this.#rows.get(name)!.get(what) ?? "-";
  }
}
