/** Tests against a real PostgreSQL, with the clients of programs. */

import type { NeedName } from "./needs.ts";
import { describePeer } from "./peers.ts";

export function describePostgres(name: string, tests: () => void, more: readonly NeedName[] = []): void {
  describePeer(name, ["PostgreSQL", "npm:pg@8.23.1", "npm:postgres@3.4.9", ...more], tests);
}
