-- Stock of a sale in one hash: v (version), opens, closes, c (currency of its prices), and per sku
-- a (available), r (releasing), h (held), s (sold), t (total = a + r + h + s), l (limit per user, 0
-- for none), p (price, minor units; see rates.lua). A batch reads what it needs once, decides on
-- Lua tables and writes what changed once.

-- What a retired sale looks like to whoever judges its orders: closed at any time (retire.lua).
local function retired_sale()
  return { retired = true, currency = '', limited = false, opens = 0, closes = 0, items = {}, changed = {} }
end

-- Loads sales for a set of skus each. wanted: sale → set of skus. Returns sale → {currency, opens,
-- closes, limited, items = sku → {a, h, l, price}}.
local function read_sales(prefix, wanted)
  local sales = {}
  for sale, skus in pairs(wanted) do
    local fields, order = { 'opens', 'closes', 'c' }, {}
    for sku in pairs(skus) do
      order[#order + 1] = sku
      local at = #fields
      fields[at + 1], fields[at + 2] = sku .. ':a', sku .. ':h'
      fields[at + 3], fields[at + 4] = sku .. ':l', sku .. ':p'
    end
    local values = hmget(prefix .. sale, fields)
    if values[1] then
      local items = {}
      for i, sku in ipairs(order) do
        local at = 4 * i
        if values[at] then
          items[sku] = { a = tonumber(values[at]), h = tonumber(values[at + 1]), l = tonumber(values[at + 2]),
            price = tonumber(values[at + 3] or 0) }
        end
      end
      local limited = false
      for _, item in pairs(items) do limited = limited or item.l > 0 end
      sales[sale] = { currency = values[3], limited = limited, opens = tonumber(values[1]), closes = tonumber(values[2]), items = items, changed = {} }
    elseif redis.call('SISMEMBER', prefix .. '~retired', sale) == 1 then
      sales[sale] = retired_sale()
    end
  end
  return sales
end

-- Moves units of an item between two of its counters. Those but a and h are only ever added to, so
-- they need not be read.
local function move_units(batch, sale, sku, from, to, qty)
  local s = batch.sales[sale]
  local item = s and s.items[sku]
  if not item then return end
  s.added = s.added or {}
  for counter, units in pairs({ [from] = -qty, [to] = qty }) do
    if item[counter] then
      item[counter] = item[counter] + units
    else
      local name = sku .. ':' .. counter
      s.added[name] = (s.added[name] or 0) + units
    end
  end
  s.changed[sku] = true
end

-- Writes the counters that changed.
local function write_sales(prefix, sales)
  for sale, s in pairs(sales) do
    local fields = {}
    for name, units in pairs(s.added or {}) do redis.call('HINCRBY', prefix .. sale, name, units) end
    for sku in pairs(s.changed) do
      local item, at = s.items[sku], #fields
      fields[at + 1], fields[at + 2], fields[at + 3], fields[at + 4] = sku .. ':a', item.a, sku .. ':h', item.h
    end
    call_in_chunks('HSET', prefix .. sale, fields)
  end
end
