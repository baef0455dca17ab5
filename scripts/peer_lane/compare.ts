/** Outcomes against those that a peer's file lists. */

import type { Runtime } from "../../tests/support/needs.ts";
import { OK } from "./outcome.ts";
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

/** Tells an outcome that the peer's file does not list. */
export function isChange(peer: Peer, { role, case: name, outcome }: Cell): boolean {
  return outcome !== (listed(peer, role, name)?.seen ?? OK);
}

/** Lists the changes of one peer, a line each. */
export function changes(peer: Peer, cells: readonly Cell[]): string[] {
  return cells.filter((cell) => isChange(peer, cell)).map((cell) => {
    const { role, case: name, runtime, outcome } = cell;
    const known = listed(peer, role, name);
    const expected = known === undefined ? '"ok"' : `"${known.seen}" (${known.because})`;
    const seen = outcome === undefined ? "it did not run" : `it is "${outcome}"`;
    return `${peer.name}, its ${role}, our side on ${runtime}, case "${name}": ${seen} instead of ${expected}`;
  });
}

/**
 * Compares versions.
 *
 * @param printed Text that contains the version.
 * @returns A line if it does not contain the one of the peer's file.
 */
export function versionChange({ name, version }: Peer, printed: string): string | undefined {
  return containsVersion(printed, version) ? undefined : `${name}: version "${printed}" instead of "${version}"`;
}

/** Finds a version as a whole: `1.2` is in `v1.2-3`, but not in `1.20` or `1.2.3`. */
export function containsVersion(text: string, version: string): boolean {
  for (let at = text.indexOf(version); at !== -1; at = text.indexOf(version, at + 1)) {
    const [before, after] = [text.slice(0, at), text.slice(at + version.length)];
    if (!/\d\.?$/.test(before) && !/^\.?\d/.test(after)) return true;
  }
  return false;
}
