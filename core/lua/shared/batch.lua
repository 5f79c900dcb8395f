-- What deciding a batch works on: everything it needs from Redis, read before the first decision
-- and written after the last.

-- Loads a batch. args: 3 id for the entry  4 stock key prefix  5 window of the records, ms
--   messages   list of messages by columns: those that came, and one for each parked order of their
--              users. Their orders may be judged.
--   turns      'sale user' → numbers and parked orders (parking.lua)
--   open       'user id' → the open orders that rows name (open.lua)
local function load_batch(shard, args, messages, turns, open, now)
  local stock_prefix = args[4]
  local sales = read_sales(stock_prefix, messages, open, args[3], now)
  return {
    shard = shard,
    now = now,
    stock_prefix = stock_prefix,
    rates = {},
    fx = {}, -- orders that wait for a rate from now on
    give_up = {}, -- 'user id' of orders that have waited for their rate long enough
    first_bucket = first_bucket(now, tonumber(args[5])),
    -- Whether a cancel may have come before its order.
    any_marks = redis.call('EXISTS', shard.prefix .. 'marks') == 1,
    open = open,
    touched = {}, -- 'user id' of open orders that changed, or closed
    lanes = {},
    holds = {}, -- 'user id' of orders that wait in their lane from now on
    steps = {},
    freed = {},
    redriven = {},
    regranted = {},
    marks = {}, -- new ones, {key, id}
    marked = {},
    mark_counts = {},
    sales = sales,
    bought = read_bought(shard, messages, open, sales),
    turns = turns,
    seen = {},
    fresh = {}, -- bucket → flat list of field, value; `n`: its length
    released = {},
  }
end

-- Decides an order whose turn it is, and opens it when it is reserved. Returns its state; no_rate
-- when it must wait for a rate.
local function decide_now(batch, orders, i, gateway)
  if batch.any_marks and is_marked(batch, orders.order[i]) then return 'cancelled' end
  local state = judge(batch, orders, i)
  if state == 'reserved' then open_order(batch, orders, i, gateway) end
  return state
end

-- Returns a function that decides a parked order whose number or rate has come. held: {gateway,
-- orders}, a message of this order alone. It returns false when the order has to wait for a rate.
local function release_one(batch)
  return function(held)
    local orders = held.orders
    local state = decide_now(batch, orders, 1, held.gateway)
    if state == 'no_rate' then
      wait_for_rate(batch, orders, 1)
      return false
    end
    remember(batch, orders.order[1], orders.one_bucket, orders.fingerprint[1] .. ' ' .. state)
    batch.released[#batch.released + 1] =
      { gateway = held.gateway, state = state, orders = message_of(orders, 1) }
    return true
  end
end

local function store_batch(batch, window)
  local shard, now = batch.shard, batch.now
  write_sales(batch.stock_prefix, batch.sales)
  write_bought(shard, batch.bought)
  write_turns(shard, batch.turns, now)
  write_seen(batch, window)
  if next(batch.touched) then write_open(shard, batch, now) end
  if #batch.freed > 0 then write_freed(shard, batch) end
  if #batch.marks > 0 then write_marks(shard, batch, now, window) end
  write_redriven(shard, batch)
  if #batch.fx > 0 then call_in_chunks('RPUSH', shard.prefix .. 'fx', batch.fx) end
end

-- A list as JSON; Lua cannot tell an empty one from an empty object.
local function list_text(list)
  return #list == 0 and '[]' or cjson.encode(list)
end

-- The same of steps. Those of open orders are JSON already (open.lua).
local function steps_text(steps)
  local texts = {}
  for i, step in ipairs(steps) do
    texts[i] = type(step) == 'string' and step or cjson.encode(step)
  end
  return '[' .. table.concat(texts, ',') .. ']'
end

-- decide, unpark, expire and reprice begin alike. ARGV 1 incarnation  2 epoch; bounds: of the clock
-- (shard.lua); tip: the last entry that the owner has seen, '' for any. A Redis that has lost its
-- tail would decide later messages without earlier ones. Returns the shard, the reply for when
-- nothing changes, and the time; or nil and the reply of a refusal.
local function open_call(keys, args, bounds, tip)
  pace_collector()
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return nil, { refusal } end
  if tip and tip ~= '' and tip ~= shard.tip then return nil, { 'lost' } end
  local now = now_ms()
  if not clock_fits(now, bounds) then return nil, { 'clock' } end
  return shard, { 'decided', '', shard.tip, number_text(now), '[]', '[]' }, now
end

-- They also end alike: writes the batch and its entry. ARGV 3 id for the entry  5 window of the
-- records, ms. messages: as append_entry takes them. Returns the reply.
local function commit(batch, args, kind, messages, reply)
  reply[5], reply[6] = list_text(batch.released), steps_text(batch.steps)
  store_batch(batch, tonumber(args[5]))
  reply[2] = append_entry(batch.shard, args[3], kind, batch.now, messages, reply[5], reply[6])
  return reply
end
