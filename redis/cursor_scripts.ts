/**
 * Scripts of cursors: those of single receivers, by node, and those that receivers of several nodes share, which are
 * consumer groups.
 *
 * @module
 */

import { RedisScript } from "./script.ts";

/** Reads the cursor of a receiver. Arguments: name. Returns a number; -1: the name is unknown. */
export const CURSOR: RedisScript = new RedisScript(
  `return int(least_cursor(ARGV[1]))`,
  { keys: ["cursor:$1"] },
);

/** Reads the cursors of all receivers. Returns name, number, name, … */
export const CURSORS: RedisScript = new RedisScript(`
local found = {}
for _, name in ipairs(redis.call('SMEMBERS', K('names'))) do
  found[#found + 1] = name
  found[#found + 1] = int(least_cursor(name))
end
return found
`);

/**
 * Keeps the cursor of a receiver on a node. A node where the receiver is new takes over from dead nodes, and from nodes
 * it has left. Arguments: name, node, start if the receiver is new there, cursor.
 */
export const SAVE: RedisScript = new RedisScript(
  `
local key, begun, seq = K('cursor:' .. ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local own = redis.call('HGET', key, ARGV[2])
if own then
  local start, cursor = parse_cursor(own)
  begun, seq = start, math.max(seq, cursor)
end
-- Found before the first write: is_alive fails for a key that is not there while a cluster moves the slot.
local all, over = redis.call('HGETALL', key), {}
for at = 1, #all, 2 do
  local _, cursor = parse_cursor(all[at + 1])
  local other = all[at] ~= 'group' and all[at] ~= ARGV[2]
  if other and cursor >= begun and not is_alive(all[at]) then over[#over + 1] = all[at] end
end
redis.call('HSET', key, ARGV[2], int(begun) .. ' ' .. int(seq))
redis.call('SADD', K('names'), ARGV[1])
for _, node in ipairs(over) do redis.call('HDEL', key, node) end
return 1
`,
  { keys: ["cursor:$1"] },
);

/**
 * Releases a receiver from a node: its cursor is held for the next connection, unless another node covers it.
 * Arguments: name, node.
 */
export const RELEASE: RedisScript = new RedisScript(
  `
local key = K('cursor:' .. ARGV[1])
local own = redis.call('HGET', key, ARGV[2])
if not own then return 0 end
local _, cursor = parse_cursor(own)
local all, covered = redis.call('HGETALL', key), false
for at = 1, #all, 2 do
  local start = parse_cursor(all[at + 1])
  if all[at] ~= 'group' and all[at] ~= ARGV[2] and start <= cursor and is_alive(all[at]) then covered = true end
end
if not covered then
  local held = redis.call('HGET', key, 'held')
  if held then
    local _, other = parse_cursor(held)
    cursor = math.min(cursor, other)
  end
  -- Written before the cursor of the node is deleted, so that one of them exists at any time.
  redis.call('HSET', key, 'held', int(cursor) .. ' ' .. int(cursor))
end
redis.call('HDEL', key, ARGV[2])
return 1
`,
  { keys: ["cursor:$1"] },
);

/**
 * Joins a shared cursor, which is a consumer group. Arguments: name, start if the group is new, filters of its
 * receivers, consumer. All nodes must have the same filters, since a notification left out by one node is lost for the
 * others.
 */
export const SHARE: RedisScript = new RedisScript(
  `
local stream, group, start = K('stream'), ARGV[1], tonumber(ARGV[2])
-- A group that was deleted with its stream continues at its cursor.
local before = redis.call('HGET', K('cursor:' .. group), 'group')
if before then
  local m = redis.call('HMGET', K('meta'), 'last', 'base')
  local _, cursor = parse_cursor(before)
  if cursor <= math.max(tonumber(m[1] or 0), tonumber(m[2] or 0)) then start = math.max(start, cursor) end
end
start = int(start)
local made = redis.pcall('XGROUP', 'CREATE', stream, group, start .. '-0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
local wanted = redis.call('GET', K('wanted:' .. group))
if wanted and wanted ~= ARGV[3] then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if is_active(field(consumer, 'name')) then return redis.error_reply('CONFLICT another node has other filters') end
  end
end
redis.call('SET', K('wanted:' .. group), ARGV[3])
-- A receiver that connects to another node next begins no later.
redis.call('HSETNX', K('cursor:' .. group), 'group', start .. ' ' .. start)
redis.call('SADD', K('names'), group)
-- The consumer counts as active before it takes its first notification.
redis.call('XGROUP', 'CREATECONSUMER', stream, group, ARGV[4])
return 0
`,
  { keys: ["cursor:$1", "wanted:$1"] },
);

/**
 * Takes notifications that no other consumer of the group works on: first those of consumers that are dead or gone,
 * then new ones. Arguments: name, consumer, count, maximum of bytes. Returns trimmed, last number delivered to the
 * group before, entries taken again, new entries, the number up to which no new entry exists, and news. Fails with
 * NOGROUP if the group was deleted with its stream.
 */
export const TAKE: RedisScript = new RedisScript(`
local stream, group, me, count = K('stream'), ARGV[1], ARGV[2], tonumber(ARGV[3])
local again, new, last, room = {}, {}, delivered(group), tonumber(ARGV[4])
if not last then return redis.error_reply('NOGROUP it was deleted with the stream') end
local s, ended = state(), {}
-- Found before the first entry is claimed: is_active may fail as above, and what was claimed would be delivered late.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  if field(consumer, 'name') ~= me and not is_active(field(consumer, 'name')) then ended[#ended + 1] = consumer end
end
for _, consumer in ipairs(ended) do
  local name = field(consumer, 'name')
  if field(consumer, 'pending') == 0 then
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
while #again + #new < count and room > 0 do
  local some = math.min(8, count - #again - #new)
  local read = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', some, 'STREAMS', stream, '>')
  if not read then break end
  for _, one in ipairs(read[1][2]) do
    new[#new + 1] = entry(one)
    room = room - #one[2][2]
  end
end
-- Each gap is reported once.
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

/** Acknowledges notifications. Arguments: name, numbers. */
export const ACKNOWLEDGE: RedisScript = new RedisScript(
  `
local stream, group, ids = K('stream'), ARGV[1], {}
for at = 2, #ARGV do ids[#ids + 1] = ARGV[at] .. '-0' end
redis.call('XACK', stream, group, unpack(ids))
-- A Redis that has forgotten the group has forgotten its unfinished notifications as well.
if not delivered(group) then return 0 end
local waiting = redis.call('XPENDING', stream, group)
local cursor
if waiting[1] > 0 then cursor = tonumber(string.match(waiting[2], '^(%d+)')) - 1
else cursor = delivered(group) end
redis.call('HSET', K('cursor:' .. group), 'group', int(cursor) .. ' ' .. int(cursor))
return 1
`,
  { keys: ["cursor:$1"] },
);

/** Removes a consumer; other consumers take over its unfinished notifications. Arguments: name, consumer. */
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

/** Scripts of cursors. */
export const CURSOR_SCRIPTS: readonly RedisScript[] = [
  CURSOR,
  CURSORS,
  SAVE,
  RELEASE,
  SHARE,
  TAKE,
  ACKNOWLEDGE,
  LEAVE,
];
