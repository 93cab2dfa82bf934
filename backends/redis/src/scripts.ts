/**
 * What the server runs: every write is one script, so that an entry, its place in the order of keys
 * and the note of its end change in one step.
 *
 * All inputs are KEYS and ARGV, no text is pasted in. Loops are bounded by the batch or the page.
 * The one clock is the server's. A script looks at everything that could fail before it changes
 * anything, because Redis takes nothing back.
 *
 * Scripts that add something have the first line `#!lua`: a server whose memory is full
 * (`maxmemory`, `noeviction`) then refuses them before they begin. Without it Redis only looks at
 * the first write of a script, and ours may be one that needs no memory. The others run on a full
 * server too: who deletes makes room.
 */

import { createHash } from "node:crypto";

/** One script: what is sent once, and the digest that calls it from then on. */
export interface RedisScript {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

export interface RedisScripts {
  /** One entry, with or without a condition. Answers 1, or 0 for a conflict. */
  readonly set: RedisScript;
  /** One entry, with or without a condition. Answers how many were deleted, or -1. */
  readonly delete: RedisScript;
  /** Entries of one store, without condition, end and revision. Answers 1. */
  readonly sets: RedisScript;
  /** Entries of one store, without condition. Answers of each how many were deleted. */
  readonly deletes: RedisScript;
  /** Checks, then changes, of several stores. Answers how many were deleted, or -1. */
  readonly commit: RedisScript;
  /** The same, where every change is a delete. */
  readonly erase: RedisScript;
  /** A page: where to go on, or nothing; then key, text, key, text … */
  readonly scan: RedisScript;
  /** Forgets entries that are over. Answers how many notes it looked at. */
  readonly sweep: RedisScript;
  /** How many entries live. */
  readonly count: RedisScript;
}

/** Milliseconds of the server's clock, as an expression of Lua. */
const serverTime = `(function()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end)()`;

/** Of an entry's text: what comes before the value is shorter than this. */
const HEAD_BYTES = 160;
/** The first line of a script that a server without memory refuses. */
const adds = "#!lua\n";
/** Entries that are over, dropped by one write that adds another of their kind. */
const SWEPT_BY_WRITE = 8;
/** Keys one page may look at in vain before it answers with what it has. */
const DEAD_SEEN_MAX = 2000;

// The key of an entry is that of its index with "e:" for "i": what is left is the entry's name.
const shared = (now: string): string => `
local call = redis.call
local function now() return ${now} end
local function whole(number) return string.format('%.0f', number) end
local function headOf(entry)
  local head = redis.pcall('GETRANGE', entry, 0, ${HEAD_BYTES - 1})
  return type(head) == 'string' and head or ''
end
local function holds(entry, condition)
  local head = headOf(entry)
  if condition == '-' then return head == '' end
  return string.match(head, '^(%S+) ') == string.sub(condition, 2)
end
local function sweep(index, expiring, at, most)
  local due = call('ZRANGEBYSCORE', expiring, '-inf', whole(at), 'LIMIT', 0, most)
  local base = string.sub(index, 1, -2) .. 'e:'
  for _, member in ipairs(due) do
    local lives = redis.pcall('EXISTS', base .. member)
    -- A slot that is moving has its dead elsewhere: swept when it is there.
    if type(lives) == 'table' then return 0 end
    if lives == 0 then
      call('ZREM', expiring, member)
      call('ZREM', index, member)
    else
      local over = call('PEXPIRETIME', base .. member)
      if over < 0 then call('ZREM', expiring, member)
      else call('ZADD', expiring, whole(over + 1), member) end
    end
  end
  return #due
end
local function put(entry, index, expiring, expiry, text, json)
  if json then
    local at, revision, created = whole(now()), 1, nil
    local head = headOf(entry)
    if head ~= '' then
      local r, c = string.match(head, '^%S+ %d+ (%d+) (%d+)')
      revision, created = (r or 1) + 1, c or '0'
    end
    text = text .. ' ' .. whole(revision) .. ' ' .. (created or at) .. ' ' .. at .. '\\n' .. json
  end
  local member = string.sub(entry, #index + 2)
  if expiry == 'none' then
    call('ZREM', expiring, member)
    call('ZADD', index, 0, member)
    call('SET', entry, text)
  elseif expiry == 'keep' then
    if call('PTTL', entry) < 0 then call('ZREM', expiring, member) end
    call('ZADD', index, 0, member)
    call('SET', entry, text, 'KEEPTTL')
  else
    local at = now()
    call('ZADD', expiring, whole(at + expiry), member)
    call('ZADD', index, 0, member)
    call('SET', entry, text, 'PXAT', whole(at + expiry - 1))
    sweep(index, expiring, at, ${SWEPT_BY_WRITE})
  end
end
local function drop(entry, index, expiring)
  local member = string.sub(entry, #index + 2)
  call('ZREM', expiring, member)
  call('ZREM', index, member)
  return call('DEL', entry)
end
`;

// KEYS: entry, index, expiring. ARGV: condition, expiry, text, and the value where revisions count.
const setBody = `
if ARGV[1] ~= '' and not holds(KEYS[1], ARGV[1]) then return 0 end
call('ZCARD', KEYS[2])
put(KEYS[1], KEYS[2], KEYS[3], ARGV[2], ARGV[3], ARGV[4])
return 1
`;

// KEYS: entry, index, expiring. ARGV: condition.
const deleteBody = `
if ARGV[1] ~= '' and not holds(KEYS[1], ARGV[1]) then return -1 end
call('ZCARD', KEYS[2])
return drop(KEYS[1], KEYS[2], KEYS[3])
`;

// KEYS: index, expiring, entries. ARGV: their texts.
const setsBody = `
local call, named = redis.call, #KEYS[1] + 2
local scored, members, written = {}, {}, {}
for at = 3, #KEYS do
  local member, pair = string.sub(KEYS[at], named), at * 2 - 5
  members[at - 2] = member
  scored[pair], scored[pair + 1] = 0, member
  written[pair], written[pair + 1] = KEYS[at], ARGV[at - 2]
end
call('ZCARD', KEYS[2])
call('ZADD', KEYS[1], unpack(scored))
call('ZREM', KEYS[2], unpack(members))
call('MSET', unpack(written))
return 1
`;

// KEYS: index, expiring, entries.
const deletesBody = `
local call, named = redis.call, #KEYS[1] + 2
local members, deleted = {}, {}
for at = 3, #KEYS do members[at - 2] = string.sub(KEYS[at], named) end
call('ZCARD', KEYS[2])
call('ZREM', KEYS[1], unpack(members))
call('ZREM', KEYS[2], unpack(members))
for at = 3, #KEYS do deleted[at - 2] = call('DEL', KEYS[at]) end
return deleted
`;

// KEYS: index and expiring of each store, then an entry for each check and each change.
// ARGV: stores, checks, a condition for each check; then of each change: its kind (d: delete,
// s: set, r: set and count revisions), its store, expiry, text, value.
const commitBody = `
local stores, checks = tonumber(ARGV[1]), tonumber(ARGV[2])
local entryAt, argAt = stores * 2, 2
for _ = 1, checks do
  entryAt, argAt = entryAt + 1, argAt + 1
  if not holds(KEYS[entryAt], ARGV[argAt]) then return -1 end
end
for at = 1, stores * 2 do call('ZCARD', KEYS[at]) end
local deleted = 0
while entryAt < #KEYS do
  entryAt = entryAt + 1
  local kind, store = ARGV[argAt + 1], tonumber(ARGV[argAt + 2])
  local index, expiring = KEYS[store * 2 - 1], KEYS[store * 2]
  if kind == 'd' then
    deleted = deleted + drop(KEYS[entryAt], index, expiring)
    argAt = argAt + 2
  else
    local json = nil
    if kind == 'r' then json = ARGV[argAt + 5] end
    put(KEYS[entryAt], index, expiring, ARGV[argAt + 3], ARGV[argAt + 4], json)
    argAt = argAt + (json and 5 or 4)
  end
end
return deleted
`;

// KEYS: index, expiring. ARGV: from, to, limit. The keys of entries come from the index. What is no
// text where an entry should be is an empty one: nobody can read it.
const scanBody = `
local from, limit = ARGV[1], tonumber(ARGV[3])
local base = string.sub(KEYS[1], 1, -2) .. 'e:'
local page, found, dead = {''}, 0, 0
repeat
  local wanted = limit - found
  local members = call('ZRANGEBYLEX', KEYS[1], from, ARGV[2], 'LIMIT', 0, wanted)
  for _, member in ipairs(members) do
    local text = redis.pcall('GET', base .. member)
    if type(text) == 'table' then text = '' end
    if text then
      found = found + 1
      page[#page + 1] = member
      page[#page + 1] = text
    else
      dead = dead + 1
      call('ZREM', KEYS[1], member)
      call('ZREM', KEYS[2], member)
    end
    from = '(' .. member
  end
  if #members < wanted then return page end
until found == limit or dead > ${DEAD_SEEN_MAX}
if found < limit then page[1] = from end
return page
`;

const sweepBody = `return sweep(KEYS[1], KEYS[2], now(), tonumber(ARGV[1]))`;

const countBody = `
return call('ZCARD', KEYS[1]) - call('ZCOUNT', KEYS[2], '-inf', whole(now()))
`;

/** The scripts; a test may hand in another clock, as an expression of Lua. */
export function createScripts(now: string = serverTime): RedisScripts {
  const script = (name: string, ...parts: readonly string[]): RedisScript => {
    const text = parts.join("");
    return { name, text, sha: createHash("sha1").update(text).digest("hex") };
  };
  const helpers = shared(now);
  return Object.freeze({
    set: script("set", adds, helpers, setBody),
    delete: script("delete", helpers, deleteBody),
    sets: script("sets", adds, setsBody),
    deletes: script("deletes", deletesBody),
    commit: script("commit", adds, helpers, commitBody),
    erase: script("erase", helpers, commitBody),
    scan: script("scan", helpers, scanBody),
    sweep: script("sweep", helpers, sweepBody),
    count: script("count", helpers, countBody),
  });
}
