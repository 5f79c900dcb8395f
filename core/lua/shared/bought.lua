-- Units each user has reserved of items with a limit. Read for a whole batch at once, as stock is.

-- Adds 'user sku' of a line to what is read of its sale, if its item has a limit.
local function want_bought(fields, sales, sale_id, user, sku)
  local item = sales[sale_id].items[sku]
  if not item or item.limit == 0 then return end
  local list = fields[sale_id]
  if not list then list = {}; fields[sale_id] = list end
  list[#list + 1] = user .. ' ' .. sku
end

-- The 'user sku' to read of each sale.
local function bought_fields(messages, open, sales)
  local fields = {}
  for _, orders in ipairs(messages) do
    for i = 1, orders.count do
      local sale = sales[orders.sale[i]]
      if sale and sale.limited then
        local user = user_of(orders, i)
        for l = orders.first[i], orders.first[i] + orders.lines[i] - 1 do
          want_bought(fields, sales, orders.sale[i], user, orders.sku[l])
        end
      end
    end
  end
  for field, o in pairs(open) do
    if sales[o.sale] and sales[o.sale].limited then
      local user = string.match(field, '^%S+')
      for _, sku in ipairs(o.sku) do want_bought(fields, sales, o.sale, user, sku) end
    end
  end
  return fields
end

-- Returns sale → {units = 'user sku' → units, changed = set of 'user sku'}. messages and open: as
-- load_batch takes them.
local function read_bought(shard, messages, open, sales)
  local any = false
  for _, sale in pairs(sales) do any = any or sale.limited end
  if not any then return {} end
  local bought = {}
  for sale, list in pairs(bought_fields(messages, open, sales)) do
    local values = hmget(shard.prefix .. 'bought:' .. sale, list)
    local units = {}
    for i, value in ipairs(values) do units[list[i]] = tonumber(value or 0) end
    bought[sale] = { units = units, changed = {} }
  end
  return bought
end

local function write_bought(shard, bought)
  for sale, b in pairs(bought) do
    local fields = {}
    for field in pairs(b.changed) do
      fields[#fields + 1] = field
      fields[#fields + 1] = b.units[field]
    end
    call_in_chunks('HSET', shard.prefix .. 'bought:' .. sale, fields)
  end
end
