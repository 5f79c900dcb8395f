-- Reads messages by columns (docs/messages.md). The i-th value of each column belongs to row i:
-- `orders.sale[i]`. A row's lines are a stretch of two further columns:
--
--   for l = orders.first[i], orders.first[i] + orders.lines[i] - 1 do orders.sku[l], orders.qty[l]
--
-- decode_orders adds to the columns of a message:
--   count   how many rows
--   kinds   the byte of each row's letter (KIND); nil: all are orders
--   first   where each row's lines begin
--   single  whether every row has one line
--   one_bucket  the bucket of all orders' records (seen.lua), when they share one; else
--   bucket      that of each
--
--   1. Everything is checked before anything is written: a row that did not come through a gateway
--      fails as a whole, never half-way.
--   2. This file and core/domain/row-check.ts accept the same rows.

-- While a library is loaded, Lua has neither `pairs` nor `string`.
local COUNTED = {}
for i = 1, MAX_MESSAGE_ROWS do ZEROS[i], BLANKS[i], COUNTED[i] = 0, '', i end
local WITH_DEFAULTS = { __index = ABSENT }

-- Columns that no field stands for.
local OTHERS = { v = true, kind = true, sku = true, qty = true }

-- What every order has (is_placed), so that a message of orders alone lacks none of it anywhere.
local OF_ORDERS = { sale = true, fingerprint = true, currency = true, lines = true }

local function user_of(orders, i)
  return string.sub(orders.order[i], 1, -ID_LENGTH - 2)
end

local function id_of(orders, i)
  return string.sub(orders.order[i], -ID_LENGTH)
end

-- Whether rows have their default in a column that is not for their kind.
local function fits_kinds(kinds, column, field)
  local of, default = field.of, field.default
  if not kinds and of[KIND.order] then return true end
  for i = 1, #column do
    if column[i] ~= default and not (kinds and of[kinds[i]]) then return false end
  end
  return true
end

local function bucket_of(orders, i)
  return orders.one_bucket or orders.bucket[i]
end

-- An empty name would be lost in a key, or in a record of words between spaces.
local function is_placed(orders, i)
  return orders.lines[i] > 0 and orders.sale[i] ~= '' and orders.fingerprint[i] ~= ''
    and orders.currency[i] ~= ''
end

-- What a row must have, by its kind.
local NEEDS = {
  [KIND.order] = is_placed,
  [KIND.redrive] = function(orders, i) return is_placed(orders, i) and orders.generation[i] > 1 end,
  [KIND.skip] = function(orders, i)
    return orders.seq[i] > 0 and orders.sale[i] ~= '' and id_of(orders, i) == NIL_ID
  end,
  [KIND.cancel] = function() return true end,
  [KIND.answer] = function(orders, i)
    return orders.generation[i] > 0 and orders.attempt[i] > 0 and orders.answer[i] ~= ''
  end,
  [KIND.part] = function(orders, i)
    local part, later = orders.part[i], orders.report[i] == 'later'
    return orders.generation[i] > 0 and part > 0 and part <= orders.parts[i]
      and orders.report[i] ~= '' and orders.service[i] ~= '' and later == (orders.request[i] > 0)
  end,
}

-- Returns whether the letters are sound, and their bytes; nil when all rows are orders.
local function read_kinds(letters, count)
  if letters == nil or letters == '' then return true end
  if type(letters) ~= 'string' or #letters ~= count then return false end
  local kinds = { string.byte(letters, 1, -1) }
  for i = 1, count do
    if not KIND_BYTES[kinds[i]] then return false end
  end
  return true, kinds
end

-- Checks the columns that a message has. Returns what is wrong, or nil.
local function check_columns(orders, count, kinds)
  for name, column in pairs(orders) do
    local field = FIELDS[name]
    if field then
      if #column ~= count then return 'not sound: ' .. name end
      if name ~= 'order' then
        local check = CHECKS[name] or CHECKS[field.type]
        local filled = not kinds and OF_ORDERS[name]
        if not check(column, field, filled) or not fits_kinds(kinds, column, field) then
          return 'not sound: ' .. name
        end
      end
    elseif not OTHERS[name] then return 'no such column' end
  end
end

-- An order must not name an item twice: both lines would be judged by the same units.
local function names_twice(sku, from, to)
  for l = from + 1, to do
    for before = from, l - 1 do
      if sku[before] == sku[l] then return true end
    end
  end
  return false
end

-- Whether every row has one line.
local function are_single(lines, count)
  for i = 1, count do
    if lines[i] ~= 1 then return false end
  end
  return true
end

-- Where each row's lines begin, and where those of a further row would. nil when a row names an
-- item twice.
local function place_lines(orders)
  local lines, sku, first, at = orders.lines, orders.sku, {}, 1
  for i = 1, orders.count do
    local own = lines[i]
    first[i] = at
    if own > 1 and sku and names_twice(sku, at, at + own - 1) then return nil end
    at = at + own
  end
  return first, at
end

-- Reads the lines: returns whether they are sound, and adds where each row's begin.
local function read_lines(orders)
  local sku, qty, at = orders.sku, orders.qty, orders.count + 1
  orders.single = are_single(orders.lines, orders.count)
  orders.first = COUNTED
  if not orders.single then
    orders.first, at = place_lines(orders)
    if not at then return false end
  end
  if sku == nil and qty == nil then return at == 1 end
  return at > 1 and #sku == at - 1 and #qty == at - 1 and are_common_names(sku)
    and are_whole(qty, 1, MAX_QTY)
end

-- Whether every row has what its kind must have.
local function rows_are_whole(orders)
  local kinds = orders.kinds
  if kinds then
    for i = 1, orders.count do
      if not NEEDS[kinds[i]](orders, i) then return false end
    end
    return true
  end
  for name in pairs(OF_ORDERS) do
    if not rawget(orders, name) then return false end
  end
  return true
end

-- Checks the columns of a decoded message and adds what decode_orders promises. Returns what is
-- wrong, or nil; raises for values of a wrong type.
local function read_columns(orders)
  if orders.v ~= MESSAGE_VERSION then return 'not a format of this version' end
  local count = type(orders.order) == 'table' and #orders.order or 0
  if count == 0 then return 'no rows' end
  if count > MAX_MESSAGE_ROWS then return 'too many rows' end
  local known, kinds = read_kinds(orders.kind, count)
  if not known then return 'not sound: kind' end
  local problem = check_columns(orders, count, kinds)
  if problem then return problem end
  orders.count, orders.kinds = count, kinds
  setmetatable(orders, WITH_DEFAULTS)
  if not read_names(orders) then return 'not sound: order' end
  if not read_lines(orders) then return 'not sound: lines' end
  return not rows_are_whole(orders) and 'not sound: a row lacks what its kind needs' or nil
end

-- What Redis's JSON takes and others do not (0x10, NaN) is refused. Redis keeps the setting, so
-- that once is enough; there is no cjson yet while a library is loaded.
local strict = false

local function decode(body)
  if not strict then
    cjson.decode_invalid_numbers(false)
    strict = true
  end
  return pcall(cjson.decode, body)
end

local function refuse(index, problem)
  error({ err = 'BADROW ' .. index .. ' -1 ' .. problem })
end

-- Decodes a message's body. An error names the message (from 0), not the row: the worker finds the
-- row.
local function decode_orders(body, index)
  if #body > MAX_MESSAGE_BYTES then refuse(index, 'too large') end
  local ok, orders = decode(body)
  if not ok or type(orders) ~= 'table' or string.byte(body) ~= 123 then
    refuse(index, 'not a JSON object of columns')
  end
  local sound, problem = pcall(read_columns, orders)
  if not sound then refuse(index, 'not sound: a value of a wrong type') end
  if problem then refuse(index, problem) end
  return orders
end

-- The lines of row i, as two lists.
local function lines_of(orders, i)
  local sku, qty = {}, {}
  local before = orders.first[i] - 1
  for l = 1, orders.lines[i] do sku[l], qty[l] = orders.sku[before + l], orders.qty[before + l] end
  return sku, qty
end

-- A message of row i alone, as JSON takes it.
local function message_of(orders, i)
  local sku, qty = lines_of(orders, i)
  local message = { v = MESSAGE_VERSION, sku = sku, qty = qty }
  for name, field in pairs(FIELDS) do
    local value = orders[name][i]
    if value ~= field.default then message[name] = { value } end
  end
  return message
end

-- The columns of a decoded message of one order that was checked before Redis held it.
local function one_order(message)
  local orders = setmetatable(message, WITH_DEFAULTS)
  orders.count, orders.first, orders.single = 1, COUNTED, orders.lines[1] == 1
  orders.one_bucket = string.sub(orders.order[1], -ID_LENGTH, BUCKET_DIGITS - ID_LENGTH - 1)
  return orders
end

-- The same of an order's row of format 0, which was read by position. An earlier version has put it
-- where it waits.
local function one_order_of_row(row)
  local _, user, id, fingerprint, at, sale, seq, currency, lines, payment, metadata, most, trace =
    unpack(row)
  local sku, qty = {}, {}
  for i = 1, #lines, 2 do sku[#sku + 1], qty[#qty + 1] = lines[i], lines[i + 1] end
  return one_order({
    order = { user .. ' ' .. id }, fingerprint = { fingerprint }, at = { at }, sale = { sale },
    seq = { seq }, currency = { currency }, lines = { #sku }, sku = sku, qty = qty,
    payment = { payment }, metadata = { metadata }, maxTotal = { most }, trace = { trace or '' },
  })
end
