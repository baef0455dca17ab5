/**
 * Scripts of the names of receivers: a bounded number of names, each kept for a limited time without a connection.
 *
 * The age -1 of a name in the key `seen` says that replicas have not confirmed the name yet, and its receiver is not
 * admitted.
 *
 * @module
 */

import { RedisScript } from "./script.ts";

const HELPERS = `
local function now(age) return math.max(tonumber(age), tonumber(redis.call('HGET', K('meta'), 'age') or 0)) end
local function connected(name)
  local all = redis.call('HGETALL', K('cursor:' .. name))
  for at = 1, #all, 2 do if all[at] ~= 'group' and is_alive(all[at]) then return true end end
  local consumers = redis.pcall('XINFO', 'CONSUMERS', K('stream'), name)
  if consumers.err then return false end
  for _, consumer in ipairs(consumers) do if is_active(field(consumer, 'name')) then return true end end
  return false
end
local function expire(age, most)
  local gone = {}
  if most == 0 then return gone end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', K('seen'), 0, '(' .. int(age - most))) do
    if connected(name) then redis.call('ZADD', K('seen'), int(age), name)
    else
      -- In a slot that is being moved a missing key fails here, before the first write.
      redis.call('EXISTS', K('cursor:' .. name), K('wanted:' .. name))
      gone[#gone + 1] = name
      redis.call('ZREM', K('seen'), name)
      redis.call('SREM', K('names'), name)
      redis.call('DEL', K('cursor:' .. name), K('wanted:' .. name))
      local consumers = redis.pcall('XINFO', 'CONSUMERS', K('stream'), name)
      if not consumers.err then
        for _, consumer in ipairs(consumers) do redis.call('SREM', K('gone'), field(consumer, 'name')) end
        redis.call('XGROUP', 'DESTROY', K('stream'), name)
      end
    end
  end
  return gone
end
`;

/**
 * Admits a receiver. Arguments: name, start if the name is new, 1 if its cursor is shared, age, maximum of names,
 * maximum age of a name, 1 if replicas must confirm a new name. Returns its cursor, or -1 for too many names; 1 if the
 * name is new or not confirmed; and the names that expired to make room.
 */
export const ADMIT: RedisScript = new RedisScript(
  `${HELPERS}
local name, age, most, gone = ARGV[1], now(ARGV[4]), tonumber(ARGV[5]), {}
local cursor = least_cursor(name)
local new = cursor < 0
if new then
  if most > 0 and redis.call('SCARD', K('names')) >= most then gone = expire(age, tonumber(ARGV[6])) end
  if most > 0 and redis.call('SCARD', K('names')) >= most then return { '-1', 0, gone } end
  cursor = tonumber(ARGV[2])
  local at = int(cursor) .. ' ' .. int(cursor)
  redis.call('HSET', K('cursor:' .. name), ARGV[3] == '1' and 'group' or 'held', at)
  redis.call('SADD', K('names'), name)
end
local seen = tonumber(redis.call('ZSCORE', K('seen'), name) or age)
new = new or seen < 0
redis.call('ZADD', K('seen'), (new and ARGV[7] == '1') and '-1' or int(age), name)
return { int(cursor), new and 1 or 0, gone }
`,
  { keys: ["cursor:$1"], grows: true },
);

/** Notes that a name is connected, or was until now, and that replicas have it. Arguments: name, age. */
export const TOUCH: RedisScript = new RedisScript(
  `return redis.call('ZADD', K('seen'), 'XX', 'GT', int(tonumber(ARGV[2])), ARGV[1])`,
);

/**
 * Forgets the names without a connection for too long. Arguments: age, maximum age of a name, and the names connected
 * to this node. Returns the forgotten names.
 */
export const EXPIRE: RedisScript = new RedisScript(`${HELPERS}
local age = now(ARGV[1])
-- Names of a version that kept no times.
for _, name in ipairs(redis.call('SMEMBERS', K('names'))) do redis.call('ZADD', K('seen'), 'NX', int(age), name) end
for at = 3, #ARGV do redis.call('ZADD', K('seen'), 'XX', 'GT', int(age), ARGV[at]) end
return expire(age, tonumber(ARGV[2]))
`);

/** Scripts of names. */
export const NAME_SCRIPTS: readonly RedisScript[] = [ADMIT, TOUCH, EXPIRE];
