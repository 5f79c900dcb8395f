-- Stock of a sale in one hash:
--
--   stock:<sale>  v (version), opens, closes, c (currency of its prices), and per sku
--                 a (available), r (releasing), h (held), s (sold), t (total = a + r + h + s),
--                 l (limit per user, 0 for none), p (first price, minor units; see rates.lua)
--                 q (terms, if there are any: `w` when the item is withdrawn, then later prices as
--                 <from, ms>:<price>, for orders accepted from then on)
--                 e (edition, see below)
--
-- A batch reads what it needs once, decides on Lua tables and writes what changed once.
--
-- Most orders of a rush are for items that are sold out. Which these are, and the terms of the
-- others, Lua remembers from one batch to the next: an order for one of them reads nothing.
-- Whatever makes an item available again, or changes a window, a limit or a price, removes the
-- edition in the same call. The next batch reads all again and gives the hash an edition that no
-- other content has.

-- What other files use. The rest is in a block of its own: Lua allows only 200 local names in one.
local read_sales, move_units, write_sales
do

-- The names of an item's fields, made once for each of the items that come again and again.
local item_fields, item_count = {}, 0

local function fields_of(sku)
  local fields = item_fields[sku]
  if not fields then
    if item_count >= MAX_KNOWN then item_fields, item_count = {}, 0 end
    fields =
      { available = sku .. ':a', held = sku .. ':h', limit = sku .. ':l', price = sku .. ':p' }
    fields.terms = sku .. ':q'
    item_fields[sku] = fields
    item_count = item_count + 1
  end
  return fields
end

-- What a retired sale looks like to its orders: closed at any time (retire.lua).
local function retired_sale()
  return { retired = true, currency = '', limited = false, opens = 0, closes = 0, items = {},
    sold_out = {}, changed = {}, added = {} }
end

-- Items sold out and without a limit: most of a rush. Nothing is ever written to it.
local SOLD_OUT = { available = 0, limit = 0 }

-- What is known of a sale: key of its hash → {edition, since, opens, closes, currency, limits (sku
-- → limit), prices, later (sku → list of {from, price}), withdrawn (a set), sold_out (sku →
-- SOLD_OUT)}. Read again after a second in any case: an earlier
-- version of the library, which may run beside this one during an upgrade, leaves the edition.
local KNOWN_MS = 1000
local known_sales, known_items = {}, 0

local function known_sale(key, now)
  local known = known_sales[key]
  if known and now >= known.since and now - known.since < KNOWN_MS then return known end
end

local function new_known_sale(key, now, values)
  if known_items >= MAX_KNOWN then known_sales, known_items = {}, 0 end
  local known = { edition = values[1], since = now, opens = tonumber(values[2]),
    closes = tonumber(values[3]), currency = values[4], limits = {}, prices = {}, later = {},
    withdrawn = {}, sold_out = {} }
  known.index = { __index = known.sold_out }
  known_sales[key] = known
  return known
end

-- What a batch needs of a sale: {key, known, skus (a set), n, 1… n: the same skus}. Items that are
-- known to be sold out are left out.
local function want_sale(wanted, prefix, sale, now)
  local want = wanted[sale]
  if not want then
    local key = prefix .. sale
    local known = known_sale(key, now)
    want = { key = key, known = known, sold_out = known and known.sold_out or {}, skus = {}, n = 0 }
    wanted[sale] = want
  end
  return want
end

local function want_item(want, sku)
  if want.sold_out[sku] or want.skus[sku] then return end
  want.skus[sku] = true
  want.n = want.n + 1
  want[want.n] = sku
end

-- Adds the items of a message. As want_item: a call for each order would be noticeable.
local function want_message(wanted, prefix, orders, now)
  local sale, first, lines, sku = orders.sale, orders.first, orders.lines, orders.sku
  local last, want, sold_out, skus
  for i = 1, orders.count do
    if lines[i] > 0 then
      if sale[i] ~= last then
        last, want = sale[i], want_sale(wanted, prefix, sale[i], now)
        sold_out, skus = want.sold_out, want.skus
      end
      for l = first[i], first[i] + lines[i] - 1 do
        local name = sku[l]
        if not sold_out[name] and not skus[name] then want_item(want, name) end
      end
    end
  end
end

-- The items that a batch may need. messages, open: as load_batch takes them. Returns sale → want.
local function wanted_items(prefix, messages, open, now)
  local wanted = {}
  for _, orders in ipairs(messages) do want_message(wanted, prefix, orders, now) end
  for _, o in pairs(open) do
    local want = want_sale(wanted, prefix, o.sale, now)
    for _, sku in ipairs(o.sku) do want_item(want, sku) end
  end
  return wanted
end

-- Reads the counters of the wanted items, and limit, price and terms of those that are not known.
-- Returns the values as HMGET does, and the skus of those.
local function read_wanted(want)
  local fields, limits, unknown = { 'e', 'opens', 'closes', 'c' }, {}, {}
  if want.known then limits = want.known.limits end
  local n = 4
  for i = 1, want.n do
    local sku = want[i]
    local names = item_fields[sku] or fields_of(sku)
    fields[n + 1], fields[n + 2] = names.available, names.held
    n = n + 2
    if not limits[sku] then unknown[#unknown + 1] = sku end
  end
  for _, sku in ipairs(unknown) do
    local names = fields_of(sku)
    fields[n + 1], fields[n + 2], fields[n + 3] = names.limit, names.price, names.terms
    n = n + 3
  end
  return hmget(want.key, fields), unknown
end

-- The wanted items, out of their values; adds to what is known which are sold out.
local function items_of(want, known, values)
  local items, limited = setmetatable({}, known.index), false
  for i = 1, want.n do
    local sku, available = want[i], values[3 + 2 * i]
    local limit = known.limits[sku]
    if available == '0' and limit == 0 and not known.withdrawn[sku] then
      known.sold_out[sku] = SOLD_OUT
    elseif available then
      items[sku] = { available = tonumber(available), held = tonumber(values[4 + 2 * i]),
        limit = limit, price = known.prices[sku], later = known.later[sku],
        withdrawn = known.withdrawn[sku] }
      limited = limited or limit > 0
    end
  end
  return items, limited
end

local function learn_later(known, sku, terms)
  if string.sub(terms, 1, 1) == 'w' then known.withdrawn[sku] = true end
  local later = {}
  for from, price in string.gmatch(terms, '(%d+):(%d+)') do
    later[#later + 1] = { from = tonumber(from), price = tonumber(price) }
  end
  if later[1] then known.later[sku] = later end
end

-- Adds limits, prices and terms to what is known. They stand behind the `before` first values.
local function learn_terms(known, unknown, values, before)
  for i, sku in ipairs(unknown) do
    local at = before + 3 * i - 2
    local limit, terms = values[at], values[at + 2]
    if limit then
      known.limits[sku], known.prices[sku] = tonumber(limit), tonumber(values[at + 1] or 0)
    end
    if terms then learn_later(known, sku, terms) end
  end
  known_items = known_items + #unknown
end

-- Reads a sale with the wanted items; nil when Redis has no such sale, false when what was known of
-- it holds no more. id: of this call's entry.
local function read_sale(want, id, now)
  local values, unknown = read_wanted(want)
  local known, edition = want.known, values[1]
  if known and edition ~= known.edition then return false end
  if not values[2] then return nil end
  if not edition then
    edition = id .. string.format(' %.0f', now)
    redis.call('HSET', want.key, 'e', edition)
    values[1] = edition
  end
  known = known or new_known_sale(want.key, now, values)
  learn_terms(known, unknown, values, 4 + 2 * want.n)
  local items, limited = items_of(want, known, values)
  return { currency = known.currency, limited = limited, opens = known.opens,
    closes = known.closes, items = items, sold_out = known.sold_out, changed = {}, added = {} }
end

-- Reads the sales that are wanted; nil when what was known of one is outdated.
local function read_wants(prefix, wanted, id, now)
  local sales = {}
  for sale, want in pairs(wanted) do
    local read = read_sale(want, id, now)
    if read == false then return nil end
    if not read and redis.call('SISMEMBER', prefix .. RETIRED_NAME, sale) == 1 then
      read = retired_sale()
    end
    sales[sale] = read
  end
  return sales
end

-- Reads the sales of a batch. messages, open: as load_batch takes them; id: of this call's entry.
-- Returns sale → {currency, opens, closes, limited, items, sold_out, changed, added}: items is sku
-- → {available, held, limit, price}, where held and price are missing for an item that is sold out;
-- changed is a set of skus, added field → units.
function read_sales(prefix, messages, open, id, now)
  local sales = read_wants(prefix, wanted_items(prefix, messages, open, now), id, now)
  if sales then return sales end
  -- Nothing is known any more, so nothing can turn out to be outdated.
  known_sales, known_items = {}, 0
  return read_wants(prefix, wanted_items(prefix, messages, open, now), id, now)
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
function move_units(batch, sale, sku, from, to, qty)
  local s = batch.sales[sale]
  if not s or not s.items[sku] then return end
  add_units(s, sku, from, -qty)
  add_units(s, sku, to, qty)
end

-- Writes the counters that changed.
function write_sales(prefix, sales)
  for sale, s in pairs(sales) do
    for name, units in pairs(s.added) do redis.call('HINCRBY', prefix .. sale, name, units) end
    local fields, n = {}, 0
    for sku in pairs(s.changed) do
      local item, names = s.items[sku], fields_of(sku)
      fields[n + 1], fields[n + 2] = names.available, number_text(item.available)
      fields[n + 3], fields[n + 4] = names.held, number_text(item.held)
      n = n + 4
    end
    call_in_chunks('HSET', prefix .. sale, fields)
  end
end

end
