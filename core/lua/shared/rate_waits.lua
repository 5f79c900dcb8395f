-- Orders that wait for a rate. They are parked: a numbered one at its own number, so that later
-- ones wait behind it, an unnumbered one by itself.
--
--   fx  list  JSON, oldest first: {"since" (ms), "pair", "gateway", "orders": a message of the
--             order}, or of a numbered order {"since", "pair", "sale", "user", "id"}
--
-- An earlier version wrote [since, pair, gateway, row] and [since, pair, sale, user, id]; both are
-- still read.

-- In one shard: what comes after is fx_unavailable at once.
local MAX_RATE_WAITS = 10000

local function may_wait_for_rate(batch, field)
  if batch.give_up[field] or batch.no_waits then return false end
  if not batch.rate_waits then
    batch.rate_waits = redis.call('LLEN', batch.shard.prefix .. 'fx')
  end
  return batch.rate_waits < MAX_RATE_WAITS
end

-- Row i waits from now on. gateway: only of an unnumbered order, which is itself in the list.
local function wait_for_rate(batch, orders, i, gateway)
  local sale = orders.sale[i]
  local pair = batch.sales[sale].currency .. '/' .. orders.currency[i]
  local user, id = user_of(orders, i), id_of(orders, i)
  batch.rate_waits = batch.rate_waits + 1
  batch.steps[#batch.steps + 1] = { what = 'rate_wait', user = user, id = id, pair = pair }
  local wait = { since = batch.now, pair = pair }
  if gateway then
    wait.gateway, wait.orders = gateway, message_of(orders, i)
  else
    wait.sale, wait.user, wait.id = sale, user, id
  end
  batch.fx[#batch.fx + 1] = cjson.encode(wait)
end

-- A text of the list as {since, pair, sale, user, id}, or {since, pair, held = {gateway, orders}}.
local function read_rate_wait(text)
  local wait = cjson.decode(text)
  if wait.since then
    if wait.orders then
      wait.held = { gateway = wait.gateway, orders = one_order(wait.orders) }
    end
    return wait
  end
  local since, pair, third, fourth, id = unpack(wait)
  if type(fourth) == 'table' then
    local held = { gateway = third, orders = one_order_of_row(fourth) }
    return { since = since, pair = pair, held = held }
  end
  return { since = since, pair = pair, sale = third, user = fourth, id = id }
end
