/**
 * Scripts of the log: opening, lease of a node, appending, retention, reading.
 *
 * @module
 */

import { RedisScript } from "./script.ts";

/**
 * Opens the journal, or creates it. Arguments: an ID, 1 if the node knows that this is the ID of the journal, 1 if the
 * connection is new, and the numbers that the node knows, as pairs of after and until. Returns ID, last, trimmed, age,
 * base, epochs, news, and 1 if missing entries were found just now.
 *
 * A number is never given twice, not even by a Redis that has forgotten some. Therefore an epoch begins whenever
 * another server gives the numbers, or a server with another history: after a restart, or a fail-over, perhaps to a
 * replica that was behind. Where Redis does not tell its identity, each new connection begins an epoch. Its numbers
 * begin at the time of day, in 1/2048 ms: above all that were given before, also by a server of unknown history, and
 * below 2^53 until the year 2109.
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
  -- Numbers were given already if only the key "meta" was evicted.
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
-- Numbers that the node knows and Redis does not.
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

/** Renews the lease of a node. Arguments: node, duration of the lease in ms. Returns base, trimmed and news. */
export const SIGN: RedisScript = new RedisScript(
  `
redis.call('SET', K('node:' .. ARGV[1]), '1', 'PX', ARGV[2])
local s = state()
return { int(s.base), int(s.trimmed), news() }
`,
  { keys: ["node:$1"] },
);

/**
 * Keeps a notification. Arguments: ID of the journal, base, greatest number this node knows, age, digest, 1 to forward
 * it, kind, body, length of the body, signature, time, maximum of bytes. Returns number, 1 for a duplicate, trimmed
 * before and now, age. Fails with EPOCH if the node must open the journal again first.
 */
export const APPEND: RedisScript = new RedisScript(
  `
local meta, stream = K('meta'), K('stream')
local s = state()
if s.id and s.id ~= ARGV[1] then return redis.error_reply('REPLACED the journal is ' .. s.id) end
-- A server that was a replica for a while may have forgotten entries, and its connections survive that.
local history = s.run and string.match(s.run, ':(%x+)$')
local info = history and redis.pcall('INFO', 'replication')
local same = not history or type(info) == 'string' and string.find(info, 'master_replid:' .. history, 1, true)
if not s.id or not same or int(s.base) ~= ARGV[2] or math.max(s.last, s.base) < tonumber(ARGV[3]) then
  return redis.error_reply('EPOCH another epoch has begun')
end
s.age = math.max(s.age, tonumber(ARGV[4]))
local first = redis.call('HGET', K('digests'), ARGV[5])
if first then return { first, 1, int(s.trimmed), int(s.trimmed), int(s.age) } end
local seq, before, forward = math.max(s.last, s.base) + 1, s.trimmed, ARGV[6] == '1'
-- Finds the entries above the size limit, before the first write.
local most, room = tonumber(ARGV[12]), forward and tonumber(ARGV[9]) or 0
local from = '-'
while most > 0 and s.bytes + room > most do
  local oldest = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
  if not oldest then break end
  s.trimmed, s.bytes, s.count = number(oldest), s.bytes - size(oldest), s.count - 1
  from = '(' .. oldest[1]
end
-- A number left unused does no harm. If this write succeeds, Redis accepts the sums too.
redis.call('HSET', meta, 'last', int(seq), 'age', int(s.age))
if s.trimmed > before then
  redis.call('XTRIM', stream, 'MINID', int(s.trimmed + 1))
  redis.call('HSET', meta, 'trimmed', int(s.trimmed), 'bytes', int(s.bytes), 'count', int(s.count))
end
-- An age without its digest does no harm.
redis.call('ZADD', K('ages'), int(s.age), ARGV[5])
local id = int(seq) .. '-0'
if forward then
  redis.call('XADD', stream, id, ARGV[7], ARGV[8], 's', ARGV[10], 'r', ARGV[11], 'a', int(s.age), 'n', ARGV[9])
end
local written = redis.pcall('HSET', K('digests'), ARGV[5], int(seq))
if type(written) == 'table' and written.err then
  -- Without its digest a retry would be kept again: the entry is deleted. If that fails too, it stays, and the sums
  -- include it.
  local undone = forward and redis.pcall('XDEL', stream, id) or 1
  if undone ~= 1 then redis.call('HSET', meta, 'bytes', int(s.bytes + room), 'count', int(s.count + 1)) end
  return written
end
if forward then redis.call('HSET', meta, 'bytes', int(s.bytes + room), 'count', int(s.count + 1)) end
return { int(seq), 0, int(before), int(s.trimmed), int(s.age) }
`,
  { grows: true },
);

/**
 * Removes old entries and digests. Arguments: age, maximum age, maximum age of digests. Returns trimmed before and now,
 * age.
 */
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
  -- The keys are gone with their last digest, and while a cluster moves the slot a missing key is an error.
  if #old < 500 then break end
end
return { int(before), int(s.trimmed), int(age) }
`);

/** Reads entries. Arguments: after, count, maximum of bytes. Returns trimmed, last, entries, and news. */
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

/** Scripts of the log. */
export const LOG_SCRIPTS: readonly RedisScript[] = [OPEN, SIGN, APPEND, TRIM, READ];
