-- A shard's meta hash: who may write (store, incarnation, epoch), whether anybody may (state), and
-- where its outbox stands.
--
--   store   the ledger this Redis belongs to
--   inc     incarnation of this content; a rebuild raises it
--   state   loading | open | halted
--   epoch   the owner's fence, issued by the ledger
--   tip, n  id and number of the last entry
--   base, basen           id and number of the last entry that the ledger has confirmed
--   loaded, loaded_stock  how many values the last rebuild has loaded (restore.lua)

-- Opens the shard for a caller that names an incarnation and, if it must be the owner, an epoch (''
-- for any). Returns the shard, or nil and the word to answer with: not_ready, halted, fenced.
local function open_shard(meta_key, inc, epoch)
  local its_inc, state, its_epoch, tip, n =
    unpack(redis.call('HMGET', meta_key, 'inc', 'state', 'epoch', 'tip', 'n'))
  if state == 'halted' then return nil, 'halted' end
  if its_inc ~= inc or state ~= 'open' then return nil, 'not_ready' end
  if epoch ~= '' and its_epoch ~= epoch then return nil, 'fenced' end
  return { meta = meta_key, prefix = string.sub(meta_key, 1, -5), tip = tip, n = tonumber(n) }
end

-- A whole number as text. Redis and Lua print fractions too, which takes 0.5 µs: what is given to
-- Redis by the hundred is printed here, and the texts of small numbers are kept.
local SMALL_TEXTS = {}

local function number_text(n)
  local text = SMALL_TEXTS[n]
  if not text then
    text = string.format('%d', n)
    if n >= 0 and n <= MAX_QTY then SMALL_TEXTS[n] = text end
  end
  return text
end

local function now_ms()
  local seconds, micros = unpack(redis.call('TIME'))
  return tonumber(seconds) * 1000 + math.floor(tonumber(micros) / 1000)
end

-- Whether this clock is where the caller expects it: bounds 'earliest latest' in ms, '' for any. A
-- clock that has jumped must not decide what is stale, or over.
local function clock_fits(now, bounds)
  if not bounds or bounds == '' then return true end
  local earliest, latest = string.match(bounds, '^(%d+) (%d+)$')
  return now >= tonumber(earliest) and now <= tonumber(latest)
end

-- Redis has Lua's collector take a step every 50 calls, and a step begins a cycle: with few orders
-- in a call, marking what stays costs a fifth of it. So the collector rests until there is enough
-- to collect. If more than GC_REST_KIB stays, it paces itself, as without this.
local GC_START_KIB, GC_REST_KIB = 16384, 8192
local gc_runs = false

local function pace_collector()
  local kib = collectgarbage('count')
  if kib > GC_START_KIB then gc_runs = true elseif kib < GC_REST_KIB then gc_runs = false end
  collectgarbage(gc_runs and 'restart' or 'stop')
end

-- Calls a command with a long list of arguments in pieces: Lua's C stack bounds unpack.
local CHUNK = 1000
local function call_in_chunks(command, key, args)
  local total = #args
  if total <= CHUNK then
    if total > 0 then redis.call(command, key, unpack(args)) end
    return
  end
  for from = 1, total, CHUNK do
    redis.call(command, key, unpack(args, from, math.min(from + CHUNK - 1, total)))
  end
end

-- HMGET of any length, into one table of values (false where there is none).
local function hmget(key, fields)
  local total = #fields
  if total == 0 then return {} end
  if total <= CHUNK then return redis.call('HMGET', key, unpack(fields)) end
  local values = {}
  for from = 1, total, CHUNK do
    local part = redis.call('HMGET', key, unpack(fields, from, math.min(from + CHUNK - 1, total)))
    for i = 1, #part do values[from + i - 1] = part[i] end
  end
  return values
end
