-- expire: gives up reserved orders whose stock has been held too long without their charge having
-- started. An order with a charge under way may have been paid: it stays until the answer is in.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 holds that began at or before this time (Redis's clock, ms) are given up  7 so many are looked at
--       8 the bounds of the clock (shared/shard.lua): {'clock'} beyond them
-- Returns as unpark does, with the steps.

-- Holds looked at while none is due, so that those which wait no more leave the list. Each look
-- reads an order, and in a rush a sweep comes between any two batches.
local IDLE_LOOK = 20

-- The oldest holds: as many as may be given up when the first is due, a few when it is not.
local function holds_to_look_at(shard, cutoff, most)
  local key = shard.prefix .. 'holds'
  local first = redis.call('LINDEX', key, 0)
  if not first then return {} end
  local due = tonumber(string.match(first, '^%d+')) <= cutoff
  return redis.call('LRANGE', key, 0, (due and most or IDLE_LOOK) - 1)
end

local function expire(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return { refusal } end
  local now = now_ms()
  if not clock_fits(now, args[8]) then return { 'clock' } end
  local reply = { 'decided', '', shard.tip, string.format('%.0f', now), '[]', '[]' }
  local holds = holds_to_look_at(shard, tonumber(args[6]), tonumber(args[7]))
  if #holds == 0 then return reply end
  local fields = {}
  for i, hold in ipairs(holds) do fields[i] = string.match(hold, ' (.*)$') end

  local open, rows = read_open(shard, fields), {}
  for field, o in pairs(open) do rows[#rows + 1] = as_row(field, o) end
  local batch = load_batch(shard, args[4], rows, {}, open, now, tonumber(args[5]))
  local any, passed = false, 0
  for i, field in ipairs(fields) do
    local o = open[field]
    if o and o.state == 'reserved' and o.attempt == 0 then
      if tonumber(string.match(holds[i], '^%d+')) > tonumber(args[6]) then break end
      local user, id = string.match(field, '^(%S+) (%S+)$')
      o.state = 'expired'
      release_units(batch, field, o, 'h')
      restate(batch, field, o)
      step(batch, 'expired', field, o)
      close_order(batch, field)
      leave_lane(batch, user, id)
      any = true
    end
    passed = i
  end
  if passed > 0 then redis.call('LTRIM', shard.prefix .. 'holds', passed, -1) end
  if not any then return reply end
  reply[6] = steps_text(batch)
  store_batch(shard, args[4], batch, now, tonumber(args[5]))
  reply[2] = append_entry(shard, args[3], 'expire', now, {}, '[]', reply[6])
  return reply
end
redis.register_function('expire', expire)
