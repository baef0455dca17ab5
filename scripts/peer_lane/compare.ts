/** Outcomes against those that a peer's file lists. */

import type { Runtime } from "../../tests/support/needs.ts";
import { NOT_PLAYED, OK } from "./outcome.ts";
import type { CaseName, Difference, Peer, PeerRole } from "./peer.ts";

/** Outcome of one case. */
export interface Cell {
  role: PeerRole;
  case: CaseName;
  /** Our runtime. */
  runtime: Runtime;
  /** Undefined if the case did not run. */
  outcome: string | undefined;
}

/** Returns the difference that a peer's file lists for a case. */
export function listed(peer: Peer, role: PeerRole, name: CaseName): Difference | undefined {
  return peer[role]?.differs?.[name];
}

/** Tells whether a case is left out. */
export function isLeftOut(peer: Peer, role: PeerRole, name: CaseName): boolean {
  return listed(peer, role, name)?.seen === NOT_PLAYED;
}

/** Tells an outcome that the peer's file does not list. */
export function isChange(peer: Peer, { role, case: name, outcome }: Cell): boolean {
  return outcome !== (listed(peer, role, name)?.seen ?? OK);
}

/** Lists the changes of one peer, a line each; one line for both of our runtimes if they agree. */
export function changes(peer: Peer, cells: readonly Cell[]): string[] {
  const runtimes = new Map<string, Runtime[]>();
  for (const cell of cells.filter((cell) => isChange(peer, cell))) {
    const { role, case: name, outcome } = cell;
    const known = listed(peer, role, name);
    const expected = known === undefined ? '"ok"' : `"${known.seen}" (${known.because})`;
    const seen = outcome === undefined ? "it did not run" : `"${outcome}"`;
    const line = `${peer.name}, its ${role}, "${name}": ${seen} instead of ${expected}`;
    runtimes.set(line, [...runtimes.get(line) ?? [], cell.runtime]);
  }
  return [...runtimes].map(([line, on]) => `${line}, our side on ${on.join(" and ")}`);
}

/** Exit status of the whole run: 1 after changes, 2 if peers are missing, 0 otherwise. */
export function exitStatus(changes: number, missing: number, allowMissing: boolean): number {
  if (changes > 0) return 1;
  return missing > 0 && !allowMissing ? 2 : 0;
}

/**
 * Compares versions.
 *
 * @param printed Text that contains the version.
 * @returns A line if it does not contain the one of the peer's file.
 */
export function versionChange({ name, version }: Peer, printed: string): string | undefined {
  if (containsVersion(printed, version)) return undefined;
  return `${name}: version "${printed.replaceAll("\n", " ")}" instead of "${version}"`;
}

/** Finds a version as a whole: `1.2` is in `v1.2-3`, but not in `1.20` or `1.2.3`. */
export function containsVersion(text: string, version: string): boolean {
  for (let at = text.indexOf(version); at !== -1; at = text.indexOf(version, at + 1)) {
    const [before, after] = [text.slice(0, at), text.slice(at + version.length)];
    if (!/\d\.?$/.test(before) && !/^\.?\d/.test(after)) return true;
  }
  return false;
}
