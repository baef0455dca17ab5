/**
 * What Redis does in one step for the journal: a few scripts, sent by their digest.
 *
 * The keys, all in one slot of a cluster:
 *
 * | key            | type   | what                                                                                     |
 * |----------------|--------|------------------------------------------------------------------------------------------|
 * | `stream`       | stream | notifications; the ID is `<seq>-0`                                                       |
 * | `meta`         | hash   | `id`, `last`, `trimmed`, `bytes`, `age`: as in the journal on SQLite                     |
 * | `digests`      | hash   | a digest, and the number of its notification                                             |
 * | `ages`         | zset   | a digest, and how long the journal had been open when it came                            |
 * | `names`        | set    | receivers that have a name                                                               |
 * | `cursor:NAME`  | hash   | by node: where the receiver began there, and how far it has come; `held`: of nodes that it has left |
 * | `node:ID`      | string | a node that lives: it expires                                                            |
 * | `gone`         | set    | consumers of a group that have left with something unfinished                            |
 * | `wanted:NAME`  | string | what the receivers that share a name want                                                |
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { RedisLink } from "./redis_client.ts";

/** A script, and its digest. */
export class RedisScript {
  #text: string;
  #digest: string;

  /**
   * Makes one.
   *
   * @param text In Lua. `K` makes a key of ours.
   * @param grows Whether it is refused, as a whole, when Redis has no memory left. The others help it out.
   */
  constructor(text: string, grows = false) {
    // All keys share one prefix, which is in KEYS[1], so that a cluster knows where they are.
    const head = `#!lua${grows ? "" : " flags=allow-oom"}\nlocal function K(name) return KEYS[1] .. name end\n`;
    this.#text = `${head}${HELPERS}${text}`;
    this.#digest = createHash("sha1").update(this.#text).digest("hex");
  }

  /**
   * Makes it known, so that what is sent after it finds it, in order.
   *
   * @param link The connection.
   */
  async load(link: RedisLink): Promise<void> {
    await link.send(["SCRIPT", "LOAD", this.#text]);
  }

  /**
   * Runs it.
   *
   * @param link The connection.
   * @param prefix What all keys begin with.
   * @param args Arguments.
   * @returns The answer.
   */
  async run(link: RedisLink, prefix: string, args: readonly (string | number)[]): Promise<unknown> {
    const rest = ["1", prefix, ...args.map(String)];
    try {
      return await link.send(["EVALSHA", this.#digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes("NOSCRIPT")) throw error;
      return await link.send(["EVAL", this.#text, ...rest]);
    }
  }
}

const HELPERS = `
local LEAP = 1048576
local function int(n) return string.format('%.0f', n) end
local function field(values, name)
  for at = 1, #values, 2 do if values[at] == name then return values[at + 1] end end
end
-- "start cursor"
local function place(text)
  local start, cursor = string.match(text, '^(%d+) (%d+)$')
  return tonumber(start), tonumber(cursor)
end
local function lives(node) return redis.call('EXISTS', K('node:' .. node)) == 1 end
-- The last one that a group has been given.
local function delivered(group)
  local groups = redis.pcall('XINFO', 'GROUPS', K('stream'))
  if groups.err then return nil end
  for _, one in ipairs(groups) do
    if field(one, 'name') == group then return tonumber(string.match(field(one, 'last-delivered-id'), '^(%d+)')) end
  end
end
-- How far a receiver has come: of those who share, if nobody has the name for himself; -1: nobody ever came.
local function least(name)
  local all, found, group = redis.call('HGETALL', K('cursor:' .. name)), -1, -1
  for at = 1, #all, 2 do
    local _, cursor = place(all[at + 1])
    if all[at] == 'group' then group = cursor
    elseif found < 0 or cursor < found then found = cursor end
  end
  return found >= 0 and found or group
end
-- A consumer that is still there: "node.number".
local function works(consumer)
  return lives(string.match(consumer, '^(.*)%.%d+$')) and redis.call('SISMEMBER', K('gone'), consumer) == 0
end
-- The fields of an entry in their order: kind, body, signature, time.
local function entry(one)
  local seq = string.match(one[1], '^(%d+)')
  local f = one[2]
  return { seq, f[1], f[2], f[4], f[6] }
end
`;

/**
 * Makes a journal, or finds it. Arguments: an ID, the last number this node knows. Returns ID, last, trimmed, age. A number is never given
 * twice, not even by a Redis that has forgotten some; since other nodes may have known more, a few are left out.
 */
export const OPEN: RedisScript = new RedisScript(`
redis.call('HSETNX', K('meta'), 'id', ARGV[1])
local m = redis.call('HMGET', K('meta'), 'id', 'last', 'trimmed', 'age')
if m[1] == ARGV[1] and tonumber(m[2] or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', K('meta'), 'last', int(tonumber(ARGV[2]) + LEAP))
end
return { m[1], m[2] or '0', m[3] or '0', m[4] or '0' }
`);

/**
 * Keeps a notification. Arguments: journal's ID, the last number this node knows, age, digest, whether to forward it, kind, body,
 * its length, signature, time, most bytes. Returns number, whether it is a duplicate, trimmed before and now, age, and the last number
 * that Redis knew.
 */
export const APPEND: RedisScript = new RedisScript(
  `
local id = redis.call('HGET', K('meta'), 'id')
if not id then redis.call('HSET', K('meta'), 'id', ARGV[1])
elseif id ~= ARGV[1] then return redis.error_reply('REPLACED it is the journal ' .. id) end
local m = redis.call('HMGET', K('meta'), 'last', 'trimmed', 'bytes', 'age')
local last, trimmed, bytes = tonumber(m[1] or 0), tonumber(m[2] or 0), tonumber(m[3] or 0)
local known = last
if last < tonumber(ARGV[2]) then last = tonumber(ARGV[2]) + LEAP end
local age = math.max(tonumber(m[4] or 0), tonumber(ARGV[3]))
local first = redis.call('HGET', K('digests'), ARGV[4])
if first then return { first, 1, int(trimmed), int(trimmed), int(age), int(known) } end
local seq = last + 1
redis.call('HSET', K('digests'), ARGV[4], int(seq))
redis.call('ZADD', K('ages'), int(age), ARGV[4])
local before = trimmed
if ARGV[5] == '1' then
  redis.call('XADD', K('stream'), int(seq) .. '-0', ARGV[6], ARGV[7], 's', ARGV[9], 'r', ARGV[10], 'a', int(age), 'n', ARGV[8])
  bytes = bytes + tonumber(ARGV[8])
  local most = tonumber(ARGV[11])
  while most > 0 and bytes > most do
    local oldest = redis.call('XRANGE', K('stream'), '-', '+', 'COUNT', 1)[1]
    if not oldest then break end
    trimmed = tonumber(string.match(oldest[1], '^(%d+)'))
    bytes = bytes - tonumber(field(oldest[2], 'n'))
    redis.call('XTRIM', K('stream'), 'MINID', int(trimmed + 1))
  end
end
redis.call('HSET', K('meta'), 'last', int(seq), 'trimmed', int(trimmed), 'bytes', int(bytes), 'age', int(age))
return { int(seq), 0, int(before), int(trimmed), int(age), int(known) }
`,
  true,
);

/** Takes away what is too old. Arguments: age, greatest age, greatest age of digests. Returns trimmed before and now, age. */
export const TRIM: RedisScript = new RedisScript(`
local m = redis.call('HMGET', K('meta'), 'trimmed', 'bytes', 'age')
local trimmed, bytes = tonumber(m[1] or 0), tonumber(m[2] or 0)
local age = math.max(tonumber(m[3] or 0), tonumber(ARGV[1]))
local before = trimmed
local limit = age - tonumber(ARGV[2])
local going = tonumber(ARGV[2]) > 0
while going do
  local old = redis.call('XRANGE', K('stream'), '-', '+', 'COUNT', 100)
  going = #old > 0
  for _, one in ipairs(old) do
    if tonumber(field(one[2], 'a')) >= limit then going = false break end
    trimmed = tonumber(string.match(one[1], '^(%d+)'))
    bytes = bytes - tonumber(field(one[2], 'n'))
  end
  if trimmed > before then redis.call('XTRIM', K('stream'), 'MINID', int(trimmed + 1)) end
end
while tonumber(ARGV[3]) > 0 do
  local old = redis.call('ZRANGEBYSCORE', K('ages'), '-inf', '(' .. int(age - tonumber(ARGV[3])), 'LIMIT', 0, 500)
  if #old == 0 then break end
  redis.call('HDEL', K('digests'), unpack(old))
  redis.call('ZREM', K('ages'), unpack(old))
end
redis.call('HSET', K('meta'), 'trimmed', int(trimmed), 'bytes', int(bytes), 'age', int(age))
return { int(before), int(trimmed), int(age) }
`);

/** Reads. Arguments: after, count, most bytes. Returns trimmed, last, and entries. */
export const READ: RedisScript = new RedisScript(`
local m = redis.call('HMGET', K('meta'), 'trimmed', 'last')
local at, count, room = tonumber(ARGV[1]) + 1, tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {}
while #found < count and room > 0 do
  local some = redis.call('XRANGE', K('stream'), int(at) .. '-0', '+', 'COUNT', math.min(16, count - #found))
  if #some == 0 then break end
  for _, one in ipairs(some) do
    if room <= 0 then break end
    found[#found + 1] = entry(one)
    room = room - #one[2][2]
    at = tonumber(found[#found][1]) + 1
  end
end
return { m[1] or '0', m[2] or '0', found }
`);

/** How far a receiver has come. Arguments: name. Returns a number, or -1. */
export const CURSOR: RedisScript = new RedisScript(`return int(least(ARGV[1]))`);

/** How far all receivers have come. Returns name, number, name, … */
export const CURSORS: RedisScript = new RedisScript(`
local found = {}
for _, name in ipairs(redis.call('SMEMBERS', K('names'))) do
  found[#found + 1] = name
  found[#found + 1] = int(least(name))
end
return found
`);

/**
 * Keeps how far a receiver has come on a node. A node that is new to it takes over from those that are dead, or that it has left.
 * Arguments: name, node, where it began if it is new there, and how far it has come.
 */
export const SAVE: RedisScript = new RedisScript(`
local key, begun, seq = K('cursor:' .. ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('SADD', K('names'), ARGV[1])
local own = redis.call('HGET', key, ARGV[2])
if own then
  local start, cursor = place(own)
  begun, seq = start, math.max(seq, cursor)
end
redis.call('HSET', key, ARGV[2], int(begun) .. ' ' .. int(seq))
local all = redis.call('HGETALL', key)
for at = 1, #all, 2 do
  local _, cursor = place(all[at + 1])
  if all[at] ~= 'group' and cursor >= begun and not lives(all[at]) then redis.call('HDEL', key, all[at]) end
end
return 1
`);

/** A receiver has left a node: the next one goes on there, unless another node covers it. Arguments: name, node. */
export const RELEASE: RedisScript = new RedisScript(`
local key = K('cursor:' .. ARGV[1])
local own = redis.call('HGET', key, ARGV[2])
if not own then return 0 end
redis.call('HDEL', key, ARGV[2])
local _, cursor = place(own)
local all = redis.call('HGETALL', key)
for at = 1, #all, 2 do
  local start = place(all[at + 1])
  if all[at] ~= 'group' and start <= cursor and lives(all[at]) then return 0 end
end
local held = redis.call('HGET', key, 'held')
if held then
  local _, other = place(held)
  cursor = math.min(cursor, other)
end
redis.call('HSET', key, 'held', int(cursor) .. ' ' .. int(cursor))
return 1
`);

/**
 * Begins to share a place in the journal, as a consumer group. Arguments: name, where it begins if it is new, and what its receivers want:
 * those of all nodes must want the same, or what one does not want is lost for the others.
 */
export const SHARE: RedisScript = new RedisScript(`
local stream, group = K('stream'), ARGV[1]
local made = redis.pcall('XGROUP', 'CREATE', stream, group, ARGV[2] .. '-0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
local wanted = redis.call('GET', K('wanted:' .. group))
if wanted and wanted ~= ARGV[3] then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if works(field(consumer, 'name')) then return redis.error_reply('CONFLICT others want something else') end
  end
end
redis.call('SET', K('wanted:' .. group), ARGV[3])
-- Who comes next to another node begins no later.
redis.call('SADD', K('names'), group)
redis.call('HSETNX', K('cursor:' .. group), 'group', ARGV[2] .. ' ' .. ARGV[2])
-- It counts from now on, before it takes something.
redis.call('XGROUP', 'CREATECONSUMER', stream, group, ARGV[4])
return 0
`);

/**
 * Takes notifications that nobody else of the group has: first what consumers had that are dead or gone, then new ones. Arguments: name,
 * consumer, count, most bytes. Returns trimmed, the last one that the group had been given, entries that somebody had, and new ones.
 */
export const TAKE: RedisScript = new RedisScript(`
local stream, group, me, count = K('stream'), ARGV[1], ARGV[2], tonumber(ARGV[3])
local again, new, last, room = {}, {}, delivered(group), tonumber(ARGV[4])
local trimmed = redis.call('HGET', K('meta'), 'trimmed') or '0'
-- What retention has taken is told once.
if last < tonumber(trimmed) then redis.call('XGROUP', 'SETID', stream, group, trimmed .. '-0') end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local name, pending = field(consumer, 'name'), field(consumer, 'pending')
  if name ~= me and not works(name) then
    if pending == 0 then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
      redis.call('SREM', K('gone'), name)
    elseif #again < count and room > 0 then
      local ids = {}
      for _, one in ipairs(redis.call('XPENDING', stream, group, '-', '+', math.min(16, count - #again), name)) do
        ids[#ids + 1] = one[1]
      end
      for _, one in ipairs(redis.call('XCLAIM', stream, group, me, 0, unpack(ids))) do
        if one and one[2] then
          again[#again + 1] = entry(one)
          room = room - #one[2][2]
        end
      end
    end
  end
end
while #again + #new < count and room > 0 do
  local some = math.min(8, count - #again - #new)
  local read = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', some, 'STREAMS', stream, '>')
  if not read then break end
  for _, one in ipairs(read[1][2]) do
    new[#new + 1] = entry(one)
    room = room - #one[2][2]
  end
end
return { trimmed, int(last), again, new }
`);

/** Some are done. Arguments: name, numbers. */
export const ACKNOWLEDGE: RedisScript = new RedisScript(`
local stream, group, ids = K('stream'), ARGV[1], {}
for at = 2, #ARGV do ids[#ids + 1] = ARGV[at] .. '-0' end
-- A Redis that has forgotten the group has forgotten what was to be done.
redis.pcall('XACK', stream, group, unpack(ids))
if not delivered(group) then return 0 end
local waiting = redis.call('XPENDING', stream, group)
local cursor
if waiting[1] > 0 then cursor = tonumber(string.match(waiting[2], '^(%d+)')) - 1
else cursor = delivered(group) end
redis.call('HSET', K('cursor:' .. group), 'group', int(cursor) .. ' ' .. int(cursor))
return 1
`);

/** A consumer leaves; what it has not done is for the others. Arguments: name, consumer. */
export const LEAVE: RedisScript = new RedisScript(`
local consumers = redis.pcall('XINFO', 'CONSUMERS', K('stream'), ARGV[1])
if consumers.err then return 0 end
for _, consumer in ipairs(consumers) do
  if field(consumer, 'name') == ARGV[2] then
    if field(consumer, 'pending') == 0 then redis.call('XGROUP', 'DELCONSUMER', K('stream'), ARGV[1], ARGV[2])
    else redis.call('SADD', K('gone'), ARGV[2]) end
  end
end
return 1
`);

/** All of them. */
export const SCRIPTS: readonly RedisScript[] = [
  OPEN,
  APPEND,
  TRIM,
  READ,
  CURSOR,
  CURSORS,
  SAVE,
  RELEASE,
  SHARE,
  TAKE,
  ACKNOWLEDGE,
  LEAVE,
];
