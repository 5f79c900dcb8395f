-- Orders that wait for a rate. They are parked: a numbered one at its own number, so that later
-- ones wait behind it, an unnumbered one by itself.
--
--   fx  list  [<since, ms>, <pair>, <gateway>, <row>], or [<since, ms>, <pair>, <sale>, <user>, <id>] for a numbered one; JSON, oldest first

-- In one shard: what comes after is fx_unavailable at once.
local MAX_RATE_WAITS = 10000

local function may_wait_for_rate(batch, row)
  if batch.give_up[row[13]] or batch.no_waits then return false end
  if not batch.rate_waits then batch.rate_waits = redis.call('LLEN', batch.shard.prefix .. 'fx') end
  return batch.rate_waits < MAX_RATE_WAITS
end

-- gateway: of an unnumbered order, which stands in the list itself.
local function wait_for_rate(batch, row, gateway)
  local pair = batch.sales[row[6]].currency .. '/' .. row[8]
  batch.rate_waits = batch.rate_waits + 1
  batch.steps[#batch.steps + 1] = { 'rate_wait', row[2], row[3], pair }
  local text = gateway and cjson.encode({ batch.now, pair, gateway, bare_copy(row) }) or cjson.encode({ batch.now, pair, row[6], row[2], row[3] })
  batch.fx[#batch.fx + 1] = text
end
