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

/**
 * Key: the mark, as the client names it. Arguments: the mark as the journal names it, and the hash "meta" likewise.
 * Returns the mark of the journal that is there already, or an empty text. A user without the right to the key, and a
 * cluster where another slot has it, find nothing.
 */
const MARK = `#!lua flags=allow-oom
local held = redis.pcall('GET', ARGV[1])
if type(held) == 'table' then return '' end
if held then return held ~= KEYS[1] and held or '' end
-- A journal of a version that left no mark.
if KEYS[1] ~= ARGV[1] and redis.pcall('EXISTS', ARGV[2]) == 1 then return ARGV[1] end
redis.pcall('SET', ARGV[1], KEYS[1])
return ''
`;

/**
 * Marks the place of a journal.
 *
 * @param link Connection to Redis.
 * @param prefix Prefix of all keys.
 * @throws {Error} If nodes with this prefix have their journal under other keys.
 */
export async function markPlace(link: RedisLink, prefix: string): Promise<void> {
  const name = `${prefix}place`;
  const other = String(await link.send(["EVAL", MARK, "1", name, name, `${prefix}meta`]));
  if (other === "") return;
  throw new Error(
    `other nodes with the prefix "${prefix}" have the journal under "${other.slice(0, -"place".length)}", and this ` +
      `node would make another one: give the client of each node the same "keyPrefix", better none; to keep two ` +
      `journals, put what "keyPrefix" says into "prefix"`,
  );
}
