-- The decision on one order whose turn it is: window, items, the user's limits, then all of its
-- stock or none, and room in his lane. Works on the tables of a batch (see stock.lua, bought.lua)
-- and returns the order's state, or no_rate: it has to wait for one (rate_waits.lua).
local function over_limit(items, bought, user, lines)
  for i = 1, #lines, 2 do
    local sku = lines[i]
    local limit = items[sku].l
    if limit > 0 and bought.units[user .. ' ' .. sku] + lines[i + 1] > limit then return true end
  end
  return false
end

local function judge(batch, row)
  local sale = batch.sales[row[6]]
  if not sale then return 'unknown_item' end
  if row[5] < sale.opens or row[5] >= sale.closes then return 'sale_closed' end
  local lines, user, items, enough = row[9], row[2], sale.items, true
  for i = 1, #lines, 2 do
    local item = items[lines[i]]
    if not item then return 'unknown_item' end
    if item.a < lines[i + 1] then enough = false end
  end
  local bought = sale.limited and batch.bought[row[6]]
  if bought and over_limit(items, bought, user, lines) then return 'over_limit' end
  if not enough then return 'sold_out' end
  local rate
  if row[8] ~= sale.currency then
    rate = rate_of(batch, sale.currency .. '/' .. row[8])
    if not rate then return may_wait_for_rate(batch, row) and 'no_rate' or 'fx_unavailable' end
  end
  if too_dear(batch, row, rate) then return 'over_max_total' end
  if lane_is_full(batch, user) then return 'over_limit' end
  if rate then batch.steps[#batch.steps + 1] = { 'rate', row[2], row[3], rate.id, rate.value, sale.currency } end
  for i = 1, #lines, 2 do
    local sku, qty = lines[i], lines[i + 1]
    local item = items[sku]
    item.a, item.h = item.a - qty, item.h + qty
    sale.changed[sku] = true
    if bought and item.l > 0 then
      local field = user .. ' ' .. sku
      bought.units[field] = bought.units[field] + qty
      bought.changed[field] = true
    end
  end
  return 'reserved'
end
