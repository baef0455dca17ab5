/** Tests against a real PostgreSQL, with the clients of programs. */

import { find, type NeedName } from "./needs.ts";
import { describePeer } from "./peers.ts";
import { POSTGRES_CLIENTS, type PostgresMaker } from "./postgres_clients.ts";

/** Servers of tests that all versions must pass: Debian's, the oldest one that the journal takes, and the newest. */
export const POSTGRES_VERSIONS = ["PostgreSQL", "PostgreSQL 14", "PostgreSQL 18"] as const;

/** Clients for the tests of a version: all with Debian's, and one with the others. */
export function clientsFor(version: (typeof POSTGRES_VERSIONS)[number]): [name: string, make: PostgresMaker][] {
  return [...POSTGRES_CLIENTS].filter(([name]) => version === "PostgreSQL" || name === "npm:postgres");
}

/**
 * Groups tests that need PostgreSQL.
 *
 * @param tests Gets the folder of the server's programs.
 * @param needs What they need: a version, by default Debian's, and other programs.
 */
export function describePostgres(name: string, tests: (binaries: string) => void, ...needs: NeedName[]): void {
  const version = needs.find((need) => need.startsWith("PostgreSQL")) ?? "PostgreSQL";
  const all: NeedName[] = [...new Set<NeedName>([version, ...needs, "npm:pg@8.23.1", "npm:postgres@3.4.9"])];
  describePeer(name, all, () => tests(find(version)?.[0] ?? ""));
}
