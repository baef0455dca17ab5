/**
 * The place of a journal in Redis, marked there, so that nodes of one service cannot have two journals unnoticed.
 *
 * `npm:ioredis` puts its option `keyPrefix` before each key that it finds in a command, `npm:redis` does so in some
 * commands only, and Bun's client has no such option. Nodes with the same `prefix` then have different keys. A script
 * sees both names: that of `KEYS` is the real one, while no client changes `ARGV`.
 *
 * @module
 */

import type { RedisLink } from "./link.ts";
import { RedisScript } from "./script.ts";
import type { ScriptRunner } from "./script_runner.ts";

/**
 * Marks the place. Arguments: the mark as the journal names it, and the hash "meta" likewise. Returns the mark of the
 * journal that is there already, or an empty text. A user without the right to the key, and a cluster where another
 * slot has it, find nothing.
 */
const MARK = new RedisScript(`
local held = redis.pcall('GET', ARGV[1])
if type(held) == 'table' then return '' end
if held then return held ~= K('place') and held or '' end
-- A journal of a version that left no mark.
if K('place') ~= ARGV[1] and redis.pcall('EXISTS', ARGV[2]) == 1 then return ARGV[1] end
redis.pcall('SET', ARGV[1], K('place'))
return ''
`);

/**
 * Marks the place of a journal.
 *
 * @param runner Runs scripts.
 * @param link Connection to Redis.
 * @throws {Error} If nodes with this prefix have their journal under other keys.
 */
export async function markPlace(runner: ScriptRunner, link: RedisLink): Promise<void> {
  const { prefix } = runner;
  // Sent at once, for one round trip.
  const answers = [MARK.load(link), runner.run(MARK, [`${prefix}place`, `${prefix}meta`], link)];
  const other = String((await Promise.all(answers))[1]);
  if (other === "") return;
  throw new Error(
    `other nodes with the prefix "${prefix}" have the journal under "${other.slice(0, -"place".length)}", and this ` +
      `node would make another one: give the client of each node the same "keyPrefix", better none; to keep two ` +
      `journals, put what "keyPrefix" says into "prefix"; to give up the other one, delete its keys and the key ` +
      `"${prefix}place"`,
  );
}
