/** Tests against a real Redis, with the clients of programs. */

import { describePeer } from "./peers.ts";

export function describeRedis(name: string, tests: () => void): void {
  describePeer(name, ["Redis", "npm:redis@6.3.1", "npm:ioredis@6.0.0"], tests);
}
