/** The table of the fail-over test. */

import type { Clients } from "./engine.ts";
import { inSeconds, type Outcome } from "./judge.ts";

/** One case with one pair of clients. */
export interface Row {
  engine: string;
  name: string;
  clients: Clients;
  outcome: Outcome;
}

const HEAD = ["engine", "case", "clients", "200s", "delivered", "lost", "twice", "longest gap, s", "errors"];

/** Makes the table of all engines and cases, as Markdown. */
export function toTable(rows: readonly Row[]): string {
  const lines = rows.map(({ engine, name, clients, outcome }) => {
    const { accepted, delivered, lost, told, twice, gap, errors, faults } = outcome;
    const codes = [...errors].sort().map(([code, count]) => `${code} ${count}`).join(", ");
    return [
      engine,
      faults.length > 0 ? `${name} FAILED` : name,
      `${clients.Deno}, ${clients.Bun}`,
      String(accepted),
      String(delivered),
      told > 0 ? `${lost}, ${told} told` : String(lost),
      String(twice),
      inSeconds(gap),
      codes,
    ];
  });
  const widths = HEAD.map((title, at) =>
    Math.max(...[title, ...lines.map((line) => line[at]!)].map((text) => text.length))
  );
  const show = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`;
  return [show(HEAD), show(widths.map((width) => "-".repeat(width))), ...lines.map(show)].join("\n");
}
