-- The decision on one order whose turn it is: window, items, the user's limits, then all of its
-- stock or none, and room in the user's lane. Works on the tables of a batch (stock.lua,
-- bought.lua).

local function over_limit(items, bought, user, orders, from, to)
  for l = from, to do
    local sku = orders.sku[l]
    local limit = items[sku].limit
    if limit > 0 and bought.units[user .. ' ' .. sku] + orders.qty[l] > limit then return true end
  end
  return false
end

-- Takes the order's units. What would oversell raises, before anything is written.
local function reserve(sale, bought, user, orders, from, to)
  for l = from, to do
    local sku, qty = orders.sku[l], orders.qty[l]
    local item = sale.items[sku]
    item.available, item.held = item.available - qty, item.held + qty
    if item.available < 0 then error('more units than there are') end
    sale.changed[sku] = true
    if bought and item.limit > 0 then
      local field = user .. ' ' .. sku
      bought.units[field] = bought.units[field] + qty
      bought.changed[field] = true
    end
  end
end

-- The rate of an order in another currency than its sale's prices. Returns the rate, or nil and the
-- state that the order has without one.
local function rate_for(batch, sale, orders, i)
  local rate = rate_of(batch, sale.currency .. '/' .. orders.currency[i])
  if rate then return rate end
  return nil, may_wait_for_rate(batch, orders.order[i]) and 'no_rate' or 'fx_unavailable'
end

-- Returns the order's state, or no_rate: it has to wait for one (rate_waits.lua).
local function judge(batch, orders, i)
  local sale = batch.sales[orders.sale[i]]
  if not sale then return 'unknown_item' end
  local at = orders.at[i]
  if at < sale.opens or at >= sale.closes then return 'sale_closed' end
  local items, sku, qty, enough = sale.items, orders.sku, orders.qty, true
  local from = orders.first[i]
  local to = from + orders.lines[i] - 1
  for l = from, to do
    local item = items[sku[l]]
    if not item or item.withdrawn then return 'unknown_item' end
    if item.available < qty[l] then enough = false end
  end
  local bought = sale.limited and batch.bought[orders.sale[i]]
  local user = bought and user_of(orders, i)
  if bought and over_limit(items, bought, user, orders, from, to) then return 'over_limit' end
  if not enough then return 'sold_out' end
  local rate, without
  if orders.currency[i] ~= sale.currency then
    rate, without = rate_for(batch, sale, orders, i)
    if not rate then return without end
  end
  local total, several = base_total(sale, orders, i)
  if too_dear(total, orders, i, rate) then return 'over_max_total' end
  user = user or user_of(orders, i)
  if lane_is_full(batch, user) then return 'over_limit' end
  if rate then
    batch.steps[#batch.steps + 1] = { what = 'rate', user = user, id = id_of(orders, i),
      rateId = rate.id, value = rate.value, base = sale.currency }
  end
  if several then
    batch.steps[#batch.steps + 1] =
      { what = 'price', user = user, id = id_of(orders, i), total = number_text(total) }
  end
  reserve(sale, bought, user, orders, from, to)
  return 'reserved'
end
