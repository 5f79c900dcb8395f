-- What deciding a batch works on: everything it needs from Redis, read before the first decision
-- and written after the last.

-- rows: all rows that may be judged, and the orders that may change (those at hand, the parked ones
-- of their users, open ones). open: the open orders that rows speak of.
local function load_batch(shard, stock_prefix, rows, turns, open, now, window)
  local wanted = {}
  for r = 1, #rows do
    local row = rows[r]
    local skus, lines = wanted[row[6]], row[9]
    if not skus then skus = {}; wanted[row[6]] = skus end
    for i = 1, #lines, 2 do skus[lines[i]] = true end
  end
  local sales = read_sales(stock_prefix, wanted)
  return {
    shard = shard,
    now = now,
    stock_prefix = stock_prefix,
    rates = {},
    fx = {}, -- orders that wait for a rate from now on
    give_up = {}, -- 'user id' of orders that have waited for their rate long enough
    first_bucket = first_bucket(now, window),
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
    bought = read_bought(shard, rows, sales),
    turns = turns,
    seen = {},
    fresh = {}, -- bucket → flat list of field, value
    released = {},
  }
end

-- Remembers an order's state for every later sending of it.
local function remember(batch, row, state)
  local field, bucket, value = row[13], row[14], row[4] .. ' ' .. state
  batch.seen[field] = value
  local list = batch.fresh[bucket]
  if not list then list = {}; batch.fresh[bucket] = list end
  local at = #list
  list[at + 1], list[at + 2] = field, value
end

-- The decision on an order whose turn it is, and what opens with it; no_rate when it must wait for
-- one.
local function decide_now(batch, row, gateway)
  if is_marked(batch, row) then return 'cancelled' end
  local state = judge(batch, row)
  if state == 'reserved' then open_order(batch, row, gateway) end
  return state
end

-- Decides a parked order whose number has come, or whose rate: held = {gateway, row}. False: it has
-- to wait for a rate.
local function release_one(batch)
  return function(held)
    local row = held[2]
    local state = decide_now(batch, row, held[1])
    if state == 'no_rate' then
      wait_for_rate(batch, row)
      return false
    end
    remember(batch, row, state)
    batch.released[#batch.released + 1] = { held[1], row, state }
    return true
  end
end

local function store_batch(shard, stock_prefix, batch, now, window)
  write_sales(stock_prefix, batch.sales)
  write_bought(shard, batch.bought)
  write_turns(shard, batch.turns, now)
  write_seen(shard, batch.fresh, window)
  write_open(shard, batch, now)
  write_freed(shard, batch)
  write_marks(shard, batch, now, window)
  write_redriven(shard, batch)
  call_in_chunks('RPUSH', shard.prefix .. 'fx', batch.fx)
end

local function steps_text(batch)
  return #batch.steps == 0 and '[]' or cjson.encode(batch.steps)
end

local function released_text(batch)
  if #batch.released == 0 then return '[]' end
  for _, released in ipairs(batch.released) do bare(released[2]) end
  return cjson.encode(batch.released)
end
