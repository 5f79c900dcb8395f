-- expire: gives up reserved orders whose stock has been held too long without their charge having
-- started. An order with a charge under way may have been paid: it stays until the answer is in.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 holds that began at or before this time (Redis's clock, ms) are given up
--       7 how many are looked at  8 the bounds of the clock (shared/shard.lua)
--       9 the owner's last entry (shared/batch.lua)
-- Returns as unpark does.

-- Holds looked at while none is due, so that those which wait no more leave the list. Each look
-- reads an order, and in a rush a sweep comes between any two batches.
local IDLE_LOOK = 20

-- The oldest holds: as many as may be given up when the first is due, a few when it is not. Returns
-- a list of {since, field}.
local function holds_to_look_at(shard, cutoff, most)
  local key = shard.prefix .. 'holds'
  local first = redis.call('LINDEX', key, 0)
  if not first then return {} end
  local due = tonumber(string.match(first, '^%d+')) <= cutoff
  local holds = redis.call('LRANGE', key, 0, (due and most or IDLE_LOOK) - 1)
  for i, text in ipairs(holds) do
    local since, field = string.match(text, '^(%d+) (.*)$')
    holds[i] = { since = tonumber(since), field = field }
  end
  return holds
end

local function expire_order(batch, field, o)
  o.state = 'expired'
  release_units(batch, field, o, 'h')
  restate(batch, field, o)
  step(batch, 'expired', field, o)
  close_order(batch, field)
  leave_lane(batch, field)
end

-- Gives up the holds that are due. Returns how many of the list are done with, and whether an order
-- was given up.
local function expire_due(batch, holds, cutoff)
  local any, passed = false, 0
  for i, hold in ipairs(holds) do
    local o = batch.open[hold.field]
    if o and o.state == 'reserved' and o.attempt == 0 then
      if hold.since > cutoff then break end
      expire_order(batch, hold.field, o)
      any = true
    end
    passed = i
  end
  return passed, any
end

local function expire(keys, args)
  local shard, reply, now = open_call(keys, args, args[8], args[9])
  if not shard then return reply end
  local cutoff = tonumber(args[6])
  local holds = holds_to_look_at(shard, cutoff, tonumber(args[7]))
  if #holds == 0 then return reply end
  local fields = {}
  for i, hold in ipairs(holds) do fields[i] = hold.field end

  local open = read_open(shard, fields)
  local batch = load_batch(shard, args, {}, {}, open, now)
  local passed, any = expire_due(batch, holds, cutoff)
  if passed > 0 then redis.call('LTRIM', shard.prefix .. 'holds', passed, -1) end
  if not any then return reply end
  return commit(batch, args, 'expire', {}, reply)
end
redis.register_function('expire', expire)
