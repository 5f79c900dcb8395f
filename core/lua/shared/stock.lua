-- Stock of a sale in one hash:
--
--   stock:<sale>  v (version), opens, closes, c (currency of its prices), and per sku
--                 a (available), r (releasing), h (held), s (sold), t (total = a + r + h + s),
--                 l (limit per user, 0 for none), p (price, minor units; see rates.lua)
--
-- A batch reads what it needs once, decides on Lua tables and writes what changed once.

-- The names of an item's fields, made once for each of the items that come again and again.
local item_fields, item_count = {}, 0

local function fields_of(sku)
  local fields = item_fields[sku]
  if not fields then
    if item_count >= MAX_KNOWN then item_fields, item_count = {}, 0 end
    fields =
      { available = sku .. ':a', held = sku .. ':h', limit = sku .. ':l', price = sku .. ':p' }
    item_fields[sku] = fields
    item_count = item_count + 1
  end
  return fields
end

-- What a retired sale looks like to its orders: closed at any time (retire.lua).
local function retired_sale()
  return { retired = true, currency = '', limited = false, opens = 0, closes = 0, items = {},
    changed = {}, added = {} }
end

local function set_of(sets, name)
  local set = sets[name]
  if not set then set = {}; sets[name] = set end
  return set
end

-- The items that a batch may need. messages, open: as load_batch takes them. Returns sale → set of
-- skus.
local function wanted_items(messages, open)
  local wanted = {}
  local last, skus
  for _, orders in ipairs(messages) do
    local sale, first, lines, sku = orders.sale, orders.first, orders.lines, orders.sku
    for i = 1, orders.count do
      if lines[i] > 0 then
        if sale[i] ~= last then last, skus = sale[i], set_of(wanted, sale[i]) end
        for l = first[i], first[i] + lines[i] - 1 do skus[sku[l]] = true end
      end
    end
  end
  for _, o in pairs(open) do
    local set = set_of(wanted, o.sale)
    for _, sku in ipairs(o.sku) do set[sku] = true end
  end
  return wanted
end

-- Adds held units and price to the items that can be reserved. Most of a rush finds its items sold
-- out, and needs neither.
local function read_sellable(key, items)
  local fields, sellable, n = {}, {}, 0
  for sku, item in pairs(items) do
    if item.available > 0 then
      local names = fields_of(sku)
      fields[2 * n + 1], fields[2 * n + 2] = names.held, names.price
      n = n + 1
      sellable[n] = item
    end
  end
  local values = hmget(key, fields)
  for i = 1, n do
    sellable[i].held, sellable[i].price = tonumber(values[2 * i - 1]), tonumber(values[2 * i] or 0)
  end
end

-- Items sold out and without a limit: most of a rush. Nothing is ever written to it.
local SOLD_OUT = { available = 0, limit = 0 }

-- Reads a sale with some of its items; nil when Redis has no such sale.
local function read_sale(key, skus)
  local fields, order, n = { 'opens', 'closes', 'c' }, {}, 0
  for sku in pairs(skus) do
    local names = item_fields[sku] or fields_of(sku)
    n = n + 1
    order[n] = sku
    fields[2 * n + 2], fields[2 * n + 3] = names.available, names.limit
  end
  local values = hmget(key, fields)
  local opens, closes, currency = values[1], values[2], values[3]
  if not opens then return nil end
  local items, limited = {}, false
  for i = 1, n do
    local available, limit = values[2 * i + 2], values[2 * i + 3]
    if available == '0' and limit == '0' then
      items[order[i]] = SOLD_OUT
    elseif available then
      limit = tonumber(limit)
      items[order[i]] = { available = tonumber(available), limit = limit }
      limited = limited or limit > 0
    end
  end
  read_sellable(key, items)
  return { currency = currency, limited = limited, opens = tonumber(opens),
    closes = tonumber(closes), items = items, changed = {}, added = {} }
end

-- Reads the sales that wanted_items names. Returns sale → {currency, opens, closes, limited, items,
-- changed, added}: items is sku → {available, limit, held, price}, where held and price are only
-- there for an item with units available; changed is a set of skus, added field → units.
local function read_sales(prefix, wanted)
  local sales = {}
  for sale, skus in pairs(wanted) do
    sales[sale] = read_sale(prefix .. sale, skus)
    if not sales[sale] and redis.call('SISMEMBER', prefix .. RETIRED_NAME, sale) == 1 then
      sales[sale] = retired_sale()
    end
  end
  return sales
end

-- Adds units to a counter of an item: h, r or s. Those that were not read are only ever added to.
local function add_units(s, sku, counter, units)
  local item = s.items[sku]
  if counter == 'h' and item.held then
    item.held = item.held + units
    s.changed[sku] = true
  else
    local name = sku .. ':' .. counter
    s.added[name] = (s.added[name] or 0) + units
  end
end

-- Moves units of an item between two of its counters.
local function move_units(batch, sale, sku, from, to, qty)
  local s = batch.sales[sale]
  if not s or not s.items[sku] then return end
  add_units(s, sku, from, -qty)
  add_units(s, sku, to, qty)
end

-- Writes the counters that changed.
local function write_sales(prefix, sales)
  for sale, s in pairs(sales) do
    for name, units in pairs(s.added) do redis.call('HINCRBY', prefix .. sale, name, units) end
    local fields, n = {}, 0
    for sku in pairs(s.changed) do
      local item, names = s.items[sku], fields_of(sku)
      fields[n + 1], fields[n + 2] = names.available, item.available
      fields[n + 3], fields[n + 4] = names.held, item.held
      n = n + 4
    end
    call_in_chunks('HSET', prefix .. sale, fields)
  end
end
