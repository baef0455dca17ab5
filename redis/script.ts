/**
 * What Redis does in one step for the journal: a few scripts, sent by their digest.
 *
 * The keys, all in one slot of a cluster:
 *
 * | key            | type   | what                                                                                     |
 * |----------------|--------|------------------------------------------------------------------------------------------|
 * | `stream`       | stream | notifications; the ID is `<seq>-0`                                                       |
 * | `meta`         | hash   | `id`, `last`, `trimmed`, `bytes`, `age`: as in the journal on SQLite; see below          |
 * | `digests`      | hash   | a digest, and the number of its notification                                             |
 * | `ages`         | zset   | a digest, and how long the journal had been open when it came                            |
 * | `names`        | set    | receivers that have a name                                                               |
 * | `cursor:NAME`  | hash   | by node: where the receiver began there, and how far it has come; `held`: of nodes that it has left |
 * | `node:ID`      | string | a node that lives: it expires                                                            |
 * | `gone`         | set    | consumers of a group that have left with something unfinished                            |
 * | `wanted:NAME`  | string | what the receivers that share a name want                                                |
 *
 * Further fields of `meta`:
 *
 * | field     | what                                                                                                     |
 * |-----------|----------------------------------------------------------------------------------------------------------|
 * | `count`   | entries that the stream must have: fewer mean that it was deleted, trimmed or evicted by something else  |
 * | `deleted` | the last time that this was noticed: "after until count"                                                 |
 * | `run`     | the server that gives numbers: its `run_id` and `master_replid`                                          |
 * | `base`    | numbers of this epoch are greater                                                                        |
 * | `eras`    | "base last …": each epoch, and the last number of the one before it                                      |
 * | `lost`    | "after until …": numbers that a node has been told of, and Redis has forgotten                           |
 *
 * Redis does not roll back what a script has written when a later command of it fails. So what a retry is recognised by is written
 * behind the entry, what is counted is written behind what it counts, and a script can be run again after each command.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { RedisLink } from "./client.ts";

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
    this.#text = head + helpersFor(text) + text;
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

/** The helpers that a script needs: each one that is defined costs all runs some time. */
function helpersFor(text: string): string {
  const [constants, ...helpers] = HELPERS.trimEnd().split("\n\n");
  let needed = "";
  for (const helper of helpers.reverse()) {
    const name = /^local function (\w+)/m.exec(helper)![1];
    if (`${needed}${text}`.includes(`${name}(`)) needed = `\n${helper}${needed}`;
  }
  return `${constants}${needed}\n`;
}

const HELPERS = `
local LEAP = 1048576
local MAX_ERAS = 16
local MAX_LOST = 32

local function int(n) return string.format('%.0f', n) end

local function field(values, name)
  for at = 1, #values, 2 do if values[at] == name then return values[at + 1] end end
end

local function numbers(text)
  local found = {}
  for one in string.gmatch(text or '', '%d+') do found[#found + 1] = tonumber(one) end
  return found
end

local function number(one) return tonumber(string.match(one[1], '^(%d+)')) end

local function size(one) return tonumber(field(one[2], 'n') or 0) end

-- "start cursor"
local function place(text)
  local start, cursor = string.match(text, '^(%d+) (%d+)$')
  return tonumber(start), tonumber(cursor)
end

local function lives(node) return redis.call('EXISTS', K('node:' .. node)) == 1 end

-- The last one that a group has been given; nil: there is no such group.
local function delivered(group)
  if redis.call('EXISTS', K('stream')) == 0 then return nil end
  for _, one in ipairs(redis.call('XINFO', 'GROUPS', K('stream'))) do
    if field(one, 'name') == group then return tonumber(string.match(field(one, 'last-delivered-id'), '^(%d+)')) end
  end
end

-- How far a receiver has come: of those who share, if nobody has the name for himself; -1: nobody ever came. If its place was
-- evicted, everything is new to it.
local function least(name)
  local all, found, group = redis.call('HGETALL', K('cursor:' .. name)), -1, -1
  for at = 1, #all, 2 do
    local _, cursor = place(all[at + 1])
    if all[at] == 'group' then group = cursor
    elseif found < 0 or cursor < found then found = cursor end
  end
  if found < 0 then found = group end
  if found < 0 and redis.call('SISMEMBER', K('names'), name) == 1 then
    return tonumber(redis.call('HGET', K('meta'), 'trimmed') or 0)
  end
  return found
end

-- The server that runs this, and its history of replication; nil: it is forbidden to ask.
local function identity()
  local info = redis.pcall('INFO', 'server', 'replication')
  if type(info) ~= 'string' then return nil end
  return (string.match(info, 'run_id:(%x+)') or '') .. ':' .. (string.match(info, 'master_replid:(%x+)') or '')
end

-- Counts what is in the stream.
local function recount(s)
  s.bytes = 0
  if s.count == 0 then s.trimmed = s.last end
  local from = '-'
  while true do
    local some = redis.call('XRANGE', K('stream'), from, '+', 'COUNT', 16)
    if #some == 0 then break end
    if from == '-' then s.trimmed = math.max(s.trimmed, number(some[1]) - 1) end
    for _, one in ipairs(some) do s.bytes = s.bytes + size(one) end
    s.last = math.max(s.last, number(some[#some]))
    from = '(' .. some[#some][1]
  end
end

-- What the journal holds. If something else has taken entries from the stream, they count as trimmed, and the sums are made anew.
local function state()
  local m = redis.call('HMGET', K('meta'), 'last', 'trimmed', 'bytes', 'age', 'count', 'base', 'id', 'run')
  local s = { id = m[7], run = m[8], last = tonumber(m[1] or 0), trimmed = tonumber(m[2] or 0), bytes = tonumber(m[3] or 0) }
  s.age, s.base = tonumber(m[4] or 0), tonumber(m[6] or 0)
  s.count = redis.call('XLEN', K('stream'))
  if s.count > 0 and not m[3] then
    -- The hash was evicted, and the stream was not.
    recount(s)
    redis.call('HSET', K('meta'), 'last', int(s.last), 'trimmed', int(s.trimmed), 'bytes', int(s.bytes), 'count', int(s.count))
    return s
  end
  -- Earlier versions did not count.
  local kept = tonumber(m[5] or (s.bytes > 0 and math.max(s.count, 1) or s.count))
  if s.count >= kept then return s end
  local before = s.trimmed
  recount(s)
  local deleted = int(before) .. ' ' .. int(s.trimmed) .. ' ' .. int(kept - s.count)
  redis.call('HSET', K('meta'), 'trimmed', int(s.trimmed), 'bytes', int(s.bytes), 'count', int(s.count), 'deleted', deleted)
  s.found = true
  return s
end

-- What all nodes are to know: "deleted|lost".
local function news()
  local m = redis.call('HMGET', K('meta'), 'deleted', 'lost')
  return (m[1] or '') .. '|' .. (m[2] or '')
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
 * Makes a journal, or finds it. Arguments: an ID, whether the node knows that it is the journal's, whether the connection is new, and what
 * numbers the node knows, as pairs of after and until. Returns ID, last, trimmed, age, base, epochs, news, and whether entries
 * were found to be missing just now.
 *
 * A number is never given twice, not even by a Redis that has forgotten some. So an epoch begins whenever another server gives the numbers,
 * or one with another history: after a restart, or a fail-over, perhaps to a replica that was behind. Where Redis does not tell who it
 * is, each new connection begins one. The numbers of an epoch begin at the time of day, in 1/2048 ms: above all that were given before,
 * also by a server whose history is not known here, and within 2^53 until the year 2109.
 */
export const OPEN: RedisScript = new RedisScript(`
local found = redis.call('HMGET', K('meta'), 'id', 'run', 'eras', 'lost')
local id, most, eras = found[1], 0, numbers(found[3])
if id and id ~= ARGV[1] and ARGV[2] == '1' then return { id } end
for at = 5, #ARGV, 2 do most = math.max(most, tonumber(ARGV[at])) end
local s, run = state(), identity()
local begins
if id then
  if run then begins = found[2] ~= run else begins = ARGV[3] == '1' end
else
  id = ARGV[1]
  -- Where only the key of the journal itself was evicted, numbers were given.
  begins = redis.call('EXISTS', K('stream'), K('digests'), K('ages'), K('names')) > 0
end
if begins or most > math.max(s.last, s.base) then
  local time = redis.pcall('TIME')
  local now = time.err and 0 or tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  s.base = math.max(math.max(s.base, s.last, most) + LEAP, now * 2048)
  eras[#eras + 1] = s.base
  eras[#eras + 1] = s.last
  while #eras > MAX_ERAS * 2 do table.remove(eras, 1) end
end
-- What the node knows, and Redis does not.
local lost = {}
local function lose(after, ending)
  if ending <= math.max(after, s.trimmed) then return end
  local others = {}
  for at = 1, #lost, 2 do
    if lost[at] <= ending and lost[at + 1] >= after then
      after, ending = math.min(after, lost[at]), math.max(ending, lost[at + 1])
    else
      others[#others + 1] = lost[at]
      others[#others + 1] = lost[at + 1]
    end
  end
  lost = others
  lost[#lost + 1] = after
  lost[#lost + 1] = ending
  while #lost > MAX_LOST * 2 do table.remove(lost, 1) end
end
local before = numbers(found[4])
for at = 1, #before, 2 do lose(before[at], before[at + 1]) end
for at = 4, #ARGV, 2 do
  local after, ending = tonumber(ARGV[at]), s.last
  for era = 1, #eras, 2 do
    if after < eras[era] then
      ending = eras[era + 1]
      break
    end
  end
  lose(math.max(after, ending), tonumber(ARGV[at + 1]))
end
local function joined(list)
  local texts = {}
  for at = 1, #list do texts[at] = int(list[at]) end
  return table.concat(texts, ' ')
end
redis.call('HSET', K('meta'), 'id', id, 'last', int(s.last), 'count', int(s.count), 'base', int(s.base), 'eras', joined(eras),
  'lost', joined(lost), 'run', run or '')
return { id, int(s.last), int(s.trimmed), int(s.age), int(s.base), joined(eras), news(), s.found and 1 or 0 }
`);

/** A node lives. Arguments: node, for how long that counts, in ms. Returns base, trimmed and news. */
export const SIGN: RedisScript = new RedisScript(`
redis.call('SET', K('node:' .. ARGV[1]), '1', 'PX', ARGV[2])
local s = state()
return { int(s.base), int(s.trimmed), news() }
`);

/**
 * Keeps a notification. Arguments: journal's ID, base, the last number this node knows, age, digest, whether to forward it, kind, body,
 * its length, signature, time, most bytes. Returns number, whether it is a duplicate, trimmed before and now, age. Fails with EPOCH if
 * the node must open the journal anew before.
 */
export const APPEND: RedisScript = new RedisScript(
  `
local meta, stream = K('meta'), K('stream')
local s = state()
if s.id and s.id ~= ARGV[1] then return redis.error_reply('REPLACED it is the journal ' .. s.id) end
-- A server that was a replica meanwhile may have forgotten some, and its connections live on.
local history = s.run and string.match(s.run, ':(%x+)$')
local info = history and redis.pcall('INFO', 'replication')
local same = not history or type(info) == 'string' and string.find(info, 'master_replid:' .. history, 1, true)
if not s.id or not same or int(s.base) ~= ARGV[2] or math.max(s.last, s.base) < tonumber(ARGV[3]) then
  return redis.error_reply('EPOCH another one has begun')
end
s.age = math.max(s.age, tonumber(ARGV[4]))
local first = redis.call('HGET', K('digests'), ARGV[5])
if first then return { first, 1, int(s.trimmed), int(s.trimmed), int(s.age) } end
local seq, before, forward = math.max(s.last, s.base) + 1, s.trimmed, ARGV[6] == '1'
-- What is too much, before something is written.
local most, room = tonumber(ARGV[12]), forward and tonumber(ARGV[9]) or 0
local from = '-'
while most > 0 and s.bytes + room > most do
  local oldest = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
  if not oldest then break end
  s.trimmed, s.bytes, s.count = number(oldest), s.bytes - size(oldest), s.count - 1
  from = '(' .. oldest[1]
end
-- A number that is not used in the end does no harm. From here on it is known that the sums can be written.
redis.call('HSET', meta, 'last', int(seq), 'age', int(s.age))
if s.trimmed > before then
  redis.call('XTRIM', stream, 'MINID', int(s.trimmed + 1))
  redis.call('HSET', meta, 'trimmed', int(s.trimmed), 'bytes', int(s.bytes), 'count', int(s.count))
end
-- It says only when the digest goes, if that is there.
redis.call('ZADD', K('ages'), int(s.age), ARGV[5])
local id = int(seq) .. '-0'
if forward then
  redis.call('XADD', stream, id, ARGV[7], ARGV[8], 's', ARGV[10], 'r', ARGV[11], 'a', int(s.age), 'n', ARGV[9])
end
local written = redis.pcall('HSET', K('digests'), ARGV[5], int(seq))
if type(written) == 'table' and written.err then
  -- Without it a retry would be kept once more. Where even that is forbidden, it is, and the sums tell.
  local undone = forward and redis.pcall('XDEL', stream, id) or 1
  if undone ~= 1 then redis.call('HSET', meta, 'bytes', int(s.bytes + room), 'count', int(s.count + 1)) end
  return written
end
if forward then redis.call('HSET', meta, 'bytes', int(s.bytes + room), 'count', int(s.count + 1)) end
return { int(seq), 0, int(before), int(s.trimmed), int(s.age) }
`,
  true,
);

/** Takes away what is too old. Arguments: age, greatest age, greatest age of digests. Returns trimmed before and now, age. */
export const TRIM: RedisScript = new RedisScript(`
local s = state()
local before, age = s.trimmed, math.max(s.age, tonumber(ARGV[1]))
redis.call('HSET', K('meta'), 'age', int(age))
local limit = age - tonumber(ARGV[2])
local going = tonumber(ARGV[2]) > 0
while going do
  local old, some = redis.call('XRANGE', K('stream'), '-', '+', 'COUNT', 100), 0
  going = #old > 0
  for _, one in ipairs(old) do
    if tonumber(field(one[2], 'a') or 0) >= limit then going = false break end
    s.trimmed, s.bytes, s.count, some = number(one), s.bytes - size(one), s.count - 1, some + 1
  end
  if some > 0 then
    redis.call('XTRIM', K('stream'), 'MINID', int(s.trimmed + 1))
    redis.call('HSET', K('meta'), 'trimmed', int(s.trimmed), 'bytes', int(s.bytes), 'count', int(s.count))
  end
end
while tonumber(ARGV[3]) > 0 do
  local old = redis.call('ZRANGEBYSCORE', K('ages'), '-inf', '(' .. int(age - tonumber(ARGV[3])), 'LIMIT', 0, 500)
  if #old == 0 then break end
  redis.call('HDEL', K('digests'), unpack(old))
  redis.call('ZREM', K('ages'), unpack(old))
end
return { int(before), int(s.trimmed), int(age) }
`);

/** Reads. Arguments: after, count, most bytes. Returns trimmed, last, entries, and news. */
export const READ: RedisScript = new RedisScript(`
local s = state()
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
return { int(s.trimmed), int(s.last), found, news() }
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
local own = redis.call('HGET', key, ARGV[2])
if own then
  local start, cursor = place(own)
  begun, seq = start, math.max(seq, cursor)
end
redis.call('HSET', key, ARGV[2], int(begun) .. ' ' .. int(seq))
redis.call('SADD', K('names'), ARGV[1])
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
local _, cursor = place(own)
local all, covered = redis.call('HGETALL', key), false
for at = 1, #all, 2 do
  local start = place(all[at + 1])
  if all[at] ~= 'group' and all[at] ~= ARGV[2] and start <= cursor and lives(all[at]) then covered = true end
end
if not covered then
  local held = redis.call('HGET', key, 'held')
  if held then
    local _, other = place(held)
    cursor = math.min(cursor, other)
  end
  -- Before the other one goes, so that one of them is there in any case.
  redis.call('HSET', key, 'held', int(cursor) .. ' ' .. int(cursor))
end
redis.call('HDEL', key, ARGV[2])
return 1
`);

/**
 * Begins to share a place in the journal, as a consumer group. Arguments: name, where it begins if it is new, and what its receivers want:
 * those of all nodes must want the same, or what one does not want is lost for the others.
 */
export const SHARE: RedisScript = new RedisScript(`
local stream, group, start = K('stream'), ARGV[1], tonumber(ARGV[2])
-- A group that went with its stream goes on where it was.
local before = redis.call('HGET', K('cursor:' .. group), 'group')
if before then
  local m = redis.call('HMGET', K('meta'), 'last', 'base')
  local _, cursor = place(before)
  if cursor <= math.max(tonumber(m[1] or 0), tonumber(m[2] or 0)) then start = math.max(start, cursor) end
end
start = int(start)
local made = redis.pcall('XGROUP', 'CREATE', stream, group, start .. '-0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
local wanted = redis.call('GET', K('wanted:' .. group))
if wanted and wanted ~= ARGV[3] then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if works(field(consumer, 'name')) then return redis.error_reply('CONFLICT others want something else') end
  end
end
redis.call('SET', K('wanted:' .. group), ARGV[3])
-- Who comes next to another node begins no later.
redis.call('HSETNX', K('cursor:' .. group), 'group', start .. ' ' .. start)
redis.call('SADD', K('names'), group)
-- It counts from now on, before it takes something.
redis.call('XGROUP', 'CREATECONSUMER', stream, group, ARGV[4])
return 0
`);

/**
 * Takes notifications that nobody else of the group has: first what consumers had that are dead or gone, then new ones. Arguments: name,
 * consumer, count, most bytes. Returns trimmed, the last one that the group had been given, entries that somebody had, new ones, up to
 * where there is nothing before the first new one, and news. Fails with NOGROUP if the group has gone with its stream.
 */
export const TAKE: RedisScript = new RedisScript(`
local stream, group, me, count = K('stream'), ARGV[1], ARGV[2], tonumber(ARGV[3])
local again, new, last, room = {}, {}, delivered(group), tonumber(ARGV[4])
if not last then return redis.error_reply('NOGROUP it has gone with the stream') end
local s = state()
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
-- What is gone is told once.
local until_ = math.max(last, s.trimmed)
if #new > 0 then
  until_ = tonumber(new[1][1]) - 1
else
  local lost = numbers(redis.call('HGET', K('meta'), 'lost'))
  for at = 1, #lost, 2 do
    if lost[at] <= until_ and until_ < lost[at + 1] then until_ = lost[at + 1] end
  end
  if until_ > last then redis.call('XGROUP', 'SETID', stream, group, int(until_) .. '-0') end
end
return { int(s.trimmed), int(last), again, new, int(until_), news() }
`);

/** Some are done. Arguments: name, numbers. */
export const ACKNOWLEDGE: RedisScript = new RedisScript(`
local stream, group, ids = K('stream'), ARGV[1], {}
for at = 2, #ARGV do ids[#ids + 1] = ARGV[at] .. '-0' end
redis.call('XACK', stream, group, unpack(ids))
-- A Redis that has forgotten the group has forgotten what was to be done.
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
if not delivered(ARGV[1]) then return 0 end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', K('stream'), ARGV[1])) do
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
  SIGN,
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
