-- The decision on one order whose turn it is: window, items, the user's limits, then all of its stock or none.
-- Works on the tables of a batch (see stock.lua, bought.lua) and returns the order's state.
local function judge(batch, row)
  local sale = batch.sales[row[6]]
  if not sale then return 'unknown_item' end
  if row[5] < sale.opens or row[5] >= sale.closes then return 'sale_closed' end
  local lines, user, items = row[9], row[2], sale.items
  local bought = batch.bought[row[6]]
  local limited = false
  for i = 1, #lines, 2 do
    local item = items[lines[i]]
    if not item then return 'unknown_item' end
    limited = limited or item.l > 0
  end
  for i = 1, limited and #lines or 0, 2 do
    local item = items[lines[i]]
    if item.l > 0 then
      if bought.units[user .. ' ' .. lines[i]] + lines[i + 1] > item.l then return 'over_limit' end
    end
  end
  for i = 1, #lines, 2 do
    if items[lines[i]].a < lines[i + 1] then return 'sold_out' end
  end
  for i = 1, #lines, 2 do
    local sku, qty = lines[i], lines[i + 1]
    local item = items[sku]
    item.a, item.h = item.a - qty, item.h + qty
    sale.changed[sku] = true
    if limited and item.l > 0 then
      local field = user .. ' ' .. sku
      bought.units[field] = bought.units[field] + qty
      bought.changed[field] = true
    end
  end
  return 'reserved'
end
