/**
 * Lua scripts with which the journal changes Redis in one step each, and the helpers that they share.
 *
 * The keys, all in one slot of a cluster by the hash tag of their prefix:
 *
 * | key            | type   | content                                                                               |
 * |----------------|--------|---------------------------------------------------------------------------------------|
 * | `stream`       | stream | notifications; the ID is `<seq>-0`                                                    |
 * | `meta`         | hash   | `id`, `last`, `trimmed`, `bytes`, `age`: as in the journal on SQLite; see below       |
 * | `digests`      | hash   | by digest: number of its notification                                                 |
 * | `ages`         | zset   | by digest: age of the journal when it came                                            |
 * | `names`        | set    | names of receivers                                                                    |
 * | `cursor:NAME`  | hash   | by node: "start cursor" of the receiver there; `held`: of nodes without it now        |
 * | `node:ID`      | string | lease of a node: expires when the node dies                                           |
 * | `gone`         | set    | consumers of groups that ended with unfinished notifications                          |
 * | `wanted:NAME`  | string | filters of the receivers that share a name                                            |
 * | `seen`         | zset   | by name: age of the journal at its last connection; see name_scripts.ts               |
 * | `place`        | string | name of this key, with the `keyPrefix` of the first node's client; see place.ts       |
 *
 * Further fields of `meta`:
 *
 * | field     | content                                                                                               |
 * |-----------|-------------------------------------------------------------------------------------------------------|
 * | `count`   | entries that the stream must have: fewer mean that another program deleted, trimmed or evicted them   |
 * | `deleted` | the last time that this was noticed: "after until count"                                              |
 * | `run`     | the server that gives numbers: its `run_id` and `master_replid`                                       |
 * | `base`    | numbers of this epoch are greater                                                                     |
 * | `eras`    | "base last …": each epoch, and the last number of the one before it                                   |
 * | `lost`    | "after until …": numbers that a node knows and Redis has forgotten                                    |
 *
 * A script names in `KEYS` all keys that are known before it runs. While a cluster moves the slot to another server,
 * Redis then refuses a script with ASK or TRYAGAIN before its first write if one of these keys is not there (any more).
 * A command within a script fails in the same way at a missing key, whether `KEYS` has it or not: the keys of other
 * nodes and of other names, known only inside, are therefore read before the first write.
 *
 * Redis does not roll back the writes of a script whose later command fails. The digest of a notification is therefore
 * written after its entry, and a sum after the entries it counts, so that each script can run again from any point.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { RedisLink } from "./link.ts";

/** Settings of a {@linkcode RedisScript}. */
export interface ScriptSettings {
  /** Keys that depend on an argument: `cursor:$1` ends with the first argument. */
  readonly keys?: readonly string[];
  /** `true`: Redis refuses to start the script when its memory is full; the others free memory, or need little. */
  readonly grows?: boolean;
}

/** Call of `K` with the name of a key that is always the same. */
const FIXED_KEY = /\bK\('(\w+)'\)/g;

/** A Lua script, sent by its digest. */
export class RedisScript {
  #text: string;
  #digest: string;
  /** Names of the keys in `KEYS`, in their order: those that are always the same, then those with an argument. */
  #fixed: readonly string[];
  #keys: readonly string[];
  /** The fixed keys of one prefix behind their number, since each append needs them. */
  #head: { prefix: string; words: readonly string[] } | undefined;

  /**
   * Adds the helpers that the text uses, and finds the keys that are always the same.
   *
   * @param text Lua; `K(name)` makes a key of the journal.
   * @param settings Further keys, and the use of memory.
   */
  constructor(text: string, { keys = [], grows = false }: ScriptSettings = {}) {
    const body = helpersFor(text) + text;
    const fixed = [...body.matchAll(FIXED_KEY)].map(([, name]) => name!);
    const names = this.#fixed = [...new Set(["meta", ...fixed])];
    this.#keys = keys;
    const flags = grows ? "" : " flags=allow-oom";
    const named = body.replace(FIXED_KEY, (_, name) => `KEYS[${names.indexOf(name) + 1}]`);
    this.#text = `#!lua${flags}\n${/\bK\(/.test(named) ? K : ""}${named}`;
    this.#digest = createHash("sha1").update(this.#text).digest("hex");
  }

  /**
   * Loads the script into Redis, for commands sent later on the same connection.
   *
   * @param link Connection to Redis.
   */
  async load(link: RedisLink): Promise<void> {
    await link.send(["SCRIPT", "LOAD", this.#text]);
  }

  /**
   * Runs the script.
   *
   * @param link Connection to Redis.
   * @param prefix Prefix of all keys.
   * @param args Arguments of the script.
   * @returns The answer of the script.
   */
  async run(link: RedisLink, prefix: string, args: readonly (string | number)[]): Promise<unknown> {
    const texts = args.map(String);
    const keys = this.#keys.map((name) => prefix + name.replace(/\$(\d)$/, (_, at) => texts[Number(at) - 1]!));
    const rest = [...this.#headOf(prefix), ...keys, ...texts];
    try {
      return await link.send(["EVALSHA", this.#digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes("NOSCRIPT")) throw error;
      return await link.send(["EVAL", this.#text, ...rest]);
    }
  }

  /** Returns the number of all keys, and the fixed ones. */
  #headOf(prefix: string): readonly string[] {
    if (this.#head?.prefix !== prefix) {
      const count = this.#fixed.length + this.#keys.length;
      this.#head = { prefix, words: [`${count}`, ...this.#fixed.map((name) => prefix + name)] };
    }
    return this.#head.words;
  }
}

/** The first key is always `meta`, of which the prefix is known. */
const K = "local function K(name) return string.sub(KEYS[1], 1, -5) .. name end\n";

/** Helpers that a script uses; the others are left out, since each definition costs time in every run. */
function helpersFor(text: string): string {
  const [constants = "", ...helpers] = HELPERS.trimEnd().split("\n\n");
  let needed = "";
  for (const helper of helpers.reverse()) {
    const name = /^local function (\w+)/m.exec(helper)![1]!;
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

-- Reads "start cursor".
local function parse_cursor(text)
  local start, cursor = string.match(text, '^(%d+) (%d+)$')
  return tonumber(start), tonumber(cursor)
end

local function is_alive(node) return redis.call('EXISTS', K('node:' .. node)) == 1 end

-- Last number delivered to a group; nil: the group does not exist.
local function delivered(group)
  if redis.call('EXISTS', K('stream')) == 0 then return nil end
  for _, one in ipairs(redis.call('XINFO', 'GROUPS', K('stream'))) do
    if field(one, 'name') == group then return tonumber(string.match(field(one, 'last-delivered-id'), '^(%d+)')) end
  end
end

-- Cursor of a receiver: the lowest of its nodes, or of its group if it has none; -1: the name is unknown. If its cursor
-- was evicted, it gets all notifications again.
local function least_cursor(name)
  local all, found, group = redis.call('HGETALL', K('cursor:' .. name)), -1, -1
  for at = 1, #all, 2 do
    local _, cursor = parse_cursor(all[at + 1])
    if all[at] == 'group' then group = cursor
    elseif found < 0 or cursor < found then found = cursor end
  end
  if found < 0 then found = group end
  if found < 0 and redis.call('SISMEMBER', K('names'), name) == 1 then
    return tonumber(redis.call('HGET', K('meta'), 'trimmed') or 0)
  end
  return found
end

-- run_id and replication history of this server; nil: the user may not ask.
local function identity()
  local info = redis.pcall('INFO', 'server', 'replication')
  if type(info) ~= 'string' then return nil end
  return (string.match(info, 'run_id:(%x+)') or '') .. ':' .. (string.match(info, 'master_replid:(%x+)') or '')
end

-- Sums up the entries of the stream.
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

-- State of the journal. Entries deleted by another program count as trimmed, and the sums are made anew.
local function state()
  local m = redis.call('HMGET', K('meta'), 'last', 'trimmed', 'bytes', 'age', 'count', 'base', 'id', 'run')
  local s = { id = m[7], run = m[8], last = tonumber(m[1] or 0), trimmed = tonumber(m[2] or 0), bytes = tonumber(m[3] or 0) }
  s.age, s.base = tonumber(m[4] or 0), tonumber(m[6] or 0)
  s.count = redis.call('XLEN', K('stream'))
  if s.count > 0 and not m[3] then
    -- The hash was evicted, the stream was not.
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

-- News for all nodes: "deleted|lost".
local function news()
  local m = redis.call('HMGET', K('meta'), 'deleted', 'lost')
  return (m[1] or '') .. '|' .. (m[2] or '')
end

-- Tells whether a consumer, named "node.number", still works.
local function is_active(consumer)
  return is_alive(string.match(consumer, '^(.*)%.%d+$')) and redis.call('SISMEMBER', K('gone'), consumer) == 0
end

-- The fields of an entry in their order: kind, body, signature, time.
local function entry(one)
  local seq = string.match(one[1], '^(%d+)')
  local f = one[2]
  return { seq, f[1], f[2], f[4], f[6] }
end
`;
