/** The matrix of all peers: for the terminal, and as Markdown. */

import type { Runtime } from "../../tests/support/needs.ts";
import { type Cell, isChange, listed } from "./compare.ts";
import { OK } from "./outcome.ts";
import { type CaseName, CASES, type Peer, type PeerRole, ROLES } from "./peer.ts";

/** Results of one peer. */
export interface PeerResults {
  peer: Peer;
  cells: readonly Cell[];
  /** Reason why nothing ran. */
  missing?: string | undefined;
}

/** A row: one peer in one role; both of our runtimes if they agree. */
export interface Row {
  peer: Peer;
  role: PeerRole;
  runtimes: readonly Runtime[];
  /** Cells by case. */
  cells: ReadonlyMap<CaseName, Cell>;
}

/** A matrix ready to print. */
export interface Matrix {
  rows: readonly Row[];
  /** Texts of each row: the side, and the cells in the order of `CASES`. */
  texts: readonly { side: string; cells: readonly string[] }[];
  /** Explanations of the numbers in the cells, from 1 on. */
  notes: readonly string[];
  /** A line for each peer that is missing. */
  missing: readonly string[];
}

/** Short names of the cases, for the terminal. */
const SHORT: Readonly<Record<CaseName, string>> = {
  "text": "text",
  "binary": "bin",
  "1 MiB": "1M",
  "20 MiB": "20M",
  "fragments": "frag",
  "ping": "ping",
  "close 1000": "1000",
  "close 1001": "1001",
  "close 3000": "3000",
  "close 4999": "4999",
  "close empty": "none",
  "its close 1000": "i1000",
  "its close 4999": "i4999",
  "its close empty": "inone",
  "deflate": "defl",
  "deflate no takeover": "noto",
  "deflate 9 bits": "9bit",
  "TLS": "TLS",
};

/** Arranges the results. */
export function arrange(results: readonly PeerResults[]): Matrix {
  const rows = results.flatMap(rowsOf);
  const notes: string[] = [];
  const texts = rows.map((row) => ({
    side: sideText(row, notes),
    cells: CASES.map((name) => cellText(row, name, notes)),
  }));
  const missing = results.filter(({ missing }) => missing !== undefined)
    .map(({ peer, missing }) => `${peer.name} ${peer.version} (${peer.language}): ${missing}`);
  return { rows, texts, notes, missing };
}

function rowsOf({ peer, cells }: PeerResults): Row[] {
  return ROLES.flatMap((role) => {
    const rows: { runtimes: Runtime[]; cells: Map<CaseName, Cell> }[] = [];
    for (const runtime of ["Deno", "Bun"] as const) {
      const own = new Map(
        cells.filter((cell) => cell.role === role && cell.runtime === runtime).map((cell) => [cell.case, cell]),
      );
      if (own.size === 0) continue;
      const same = rows.find(({ cells }) => CASES.every((name) => cells.get(name)?.outcome === own.get(name)?.outcome));
      if (same === undefined) rows.push({ runtimes: [runtime], cells: own });
      else same.runtimes.push(runtime);
    }
    return rows.map((row) => ({ ...row, peer, role }));
  });
}

/** Text of a cell; "!" marks a change. An outcome that is not "ok" is the number of a note. */
function cellText({ peer, role, cells }: Row, name: CaseName, notes: string[]): string {
  const cell = cells.get(name);
  if (cell === undefined) return "";
  const mark = isChange(peer, cell) ? "!" : "";
  if (cell.outcome === OK) return OK + mark;
  const known = listed(peer, role, name);
  const because = mark !== "" || known === undefined ? "not listed" : known.because;
  const finding = mark === "" && known?.finding !== undefined ? `, findings/${known.finding}` : "";
  return `${numberOf(`${peer.name}: ${cell.outcome ?? "did not run"}: ${because}${finding}`, notes)}${mark}`;
}

/** Returns the number of a note, which is added if it is new. */
function numberOf(note: string, notes: string[]): number {
  if (!notes.includes(note)) notes.push(note);
  return notes.indexOf(note) + 1;
}

/** Names the peer's side, with the number of a note if our side waits for it. */
function sideText({ peer, role }: Row, notes: string[]): string {
  const waits = peer[role]?.waitsFor;
  if (waits === undefined) return `its ${role}`;
  const finding = waits.finding === undefined ? "" : `, findings/${waits.finding}`;
  return `its ${role} (${
    numberOf(`${peer.name}: our side sends when it is ready: ${waits.because}${finding}`, notes)
  })`;
}

/** Lays the matrix out in columns. */
export function toTerminal(matrix: Matrix): string {
  const head = ["peer", "version", "side", "ours on", ...CASES.map((name) => SHORT[name])];
  const lines = matrix.rows.map(({ peer, runtimes }, index) => [
    peer.name,
    peer.version,
    matrix.texts[index]!.side,
    runtimes.join(", "),
    ...matrix.texts[index]!.cells,
  ]);
  const widths = head.map((text, column) => Math.max(text.length, ...lines.map((line) => line[column]!.length)));
  const table = [head, ...lines].map((line) => line.map((text, column) => text.padEnd(widths[column]!)).join(" "));
  const parts = [
    table.map((line) => line.trimEnd()),
    numbered(matrix.notes),
    matrix.missing.map((one) => `missing: ${one}`),
  ];
  return parts.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n");
}

/** Writes the matrix as Markdown. */
export function toMarkdown(matrix: Matrix): string {
  const head = ["peer", "language", "side", "ours on", ...CASES];
  const lines = matrix.rows.map(({ peer, runtimes }, index) => [
    `${peer.name} ${peer.version}`,
    peer.language,
    matrix.texts[index]!.side,
    runtimes.join(", "),
    ...matrix.texts[index]!.cells,
  ]);
  const table = [head, head.map(() => "---"), ...lines]
    .map((line) => `| ${line.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`);
  const parts = [table, numbered(matrix.notes), matrix.missing.map((one) => `- missing: ${one}`)];
  return parts.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

function numbered(notes: readonly string[]): string[] {
  return notes.map((note, index) => `${index + 1}. ${note}`);
}
