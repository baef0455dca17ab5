/**
 * Errors of a Redis that is a server of a cluster.
 *
 * @module
 */

import { describe } from "../base/errors.ts";

/**
 * Tells whether a command failed because its slot is being moved to another server. The connection stays: it leads to
 * the owner until the move is over.
 *
 * @param error Error of the command.
 * @returns `true` for ASK, TRYAGAIN, and a command within a script that met the same.
 */
export function isMoving(error: unknown): boolean {
  const text = describe(error);
  return text.startsWith("ASK ") || text.startsWith("TRYAGAIN") || text.includes("a non local key in a cluster");
}

/**
 * Explains an error which shows that a connection leads to the wrong server of a cluster, or that the cluster is down.
 *
 * @param error Error of a command.
 * @param isFollowed `true` if the next connection leads to the right server.
 * @returns The explanation; `undefined` for another error.
 */
export function explainElsewhere(error: unknown, isFollowed: boolean): string | undefined {
  const text = describe(error);
  if (text.startsWith("CLUSTERDOWN")) return `The cluster of Redis is down: ${text}`;
  if (!text.startsWith("MOVED ")) return undefined;
  const moved = `Another server of the cluster has the keys now (${text})`;
  return isFollowed ? moved : `${moved}. A client of one server cannot find it: give a cluster client (createCluster ` +
    `of npm:redis, Cluster of npm:ioredis), or a function that makes a client of that server`;
}

/**
 * Explains why keys of one prefix are in several slots.
 *
 * @param error Error of a script.
 * @param prefix Prefix of its keys.
 * @returns An error that names the prefix; `error` itself if it is another one.
 */
export function explainSlots(error: unknown, prefix: string): unknown {
  if (!describe(error).startsWith("CROSSSLOT")) return error;
  const message =
    `the prefix ${JSON.stringify(prefix)} has no hash tag, and Redis is a cluster, which would spread the ` +
    `keys over several servers: put the name in braces, as in "{name}:"`;
  return new Error(message, { cause: error });
}
