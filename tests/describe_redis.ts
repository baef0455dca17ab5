/** Tests against a real Redis, if it is installed. */

import { describePeer, find } from "./peers.ts";

const server = find([["redis-server"]], "--version");

export function describeRedis(name: string, tests: () => void): void {
  describePeer(name, server, tests);
}
