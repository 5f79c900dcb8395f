-- Checks of a message's columns (message.lua). A check is a loop over one column without calls, or
-- one search in the joined text of a column: a call for each value costs more than deciding does
-- (docs/decisions/0018-redis-cost.md). A loop passes over a value that repeats the one before.
-- Values of a wrong type may raise.

local MAX_KNOWN = 20000
-- What other files use.
local CHECKS, are_common_names, are_whole, read_names
do

-- A user, one space, a UUID; captures the bucket.
local ORDER = '^[%w._@-]+ (%x%x%x%x%x%x%x)%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-'
  .. '%x%x%x%x%x%x%x%x%x%x%x%x$'
local MAX_ORDER = MAX_NAME + 1 + ID_LENGTH
local TRACE = '^%x%x%-%x+%-%x+%-%x%x$'

-- What may stand in keys, and in records of words between spaces.
local function is_name(text)
  return type(text) == 'string' and #text <= MAX_NAME and not string.find(text, '[^%w._@-]')
end

-- The same few names come in every row: sales, items, currencies. Each is looked at once.
local known_names, known_count = {}, 0

local function is_common_name(text)
  if not is_name(text) then return false end
  if known_count >= MAX_KNOWN then known_names, known_count = {}, 0 end
  known_names[text] = true
  known_count = known_count + 1
  return true
end

-- Before the first value: no value equals it.
local NOTHING = {}

-- filled: whether every row must have a value.
function are_common_names(column, _, filled)
  local last = NOTHING
  for i = 1, #column do
    local text = column[i]
    if text ~= last then
      if not known_names[text] and not is_common_name(text) then return false end
      if filled and text == '' then return false end
      last = text
    end
  end
  return true
end

-- Fingerprints: one is never seen twice. `#` raises for a number, concat for any other value that
-- is no text.
local function are_names(column, _, filled)
  local least = filled and 1 or 0
  for i = 1, #column do
    local length = #column[i]
    if length > MAX_NAME or length < least then return false end
  end
  local text = table.concat(column)
  return string.find(text, '^%w*$') or string.find(text, '^[%w._@-]*$')
end

-- Opaque text, for the ledger: Postgres takes no NUL.
local function are_texts(column)
  for i = 1, #column do
    if #column[i] > MAX_TEXT_BYTES then return false end
  end
  return not string.find(table.concat(column), '\0', 1, true)
end

-- A comparison raises for what is no number.
function are_whole(column, least, most)
  local last = NOTHING
  for i = 1, #column do
    local number = column[i]
    if number ~= last then
      if number < least or number > most or number % 1 ~= 0 then return false end
      last = number
    end
  end
  return true
end

local function are_traces(column)
  for i = 1, #column do
    local trace = column[i]
    local sound = trace == '' or #trace == TRACE_LENGTH and string.find(trace, TRACE)
    if not sound then return false end
  end
  return true
end

local function are_in(column, words)
  for i = 1, #column do
    if column[i] ~= '' and not words[column[i]] then return false end
  end
  return true
end

-- How the values of a column are checked, by its name or the type of its field.
CHECKS = {
  fingerprint = are_names,
  name = are_common_names,
  text = are_texts,
  trace = are_traces,
  whole = function(column, field, filled)
    return are_whole(column, filled and 1 or 0, field.most)
  end,
  answer = function(column) return are_in(column, ANSWERS) end,
  report = function(column) return are_in(column, PART_WORDS) end,
}

-- The buckets of names that were found sound.
local function buckets_of(column)
  local buckets = {}
  for i = 1, #column do
    buckets[i] = string.sub(column[i], -ID_LENGTH, BUCKET_DIGITS - ID_LENGTH - 1)
  end
  return buckets
end

-- Reads the order column: returns whether it is sound, and adds one_bucket when all rows have the
-- same, or else bucket, a list.
function read_names(orders)
  local column, one, apart = orders.order, nil, false
  for i = 1, #column do
    local name = column[i]
    local digits = #name <= MAX_ORDER and string.match(name, ORDER)
    if not digits then return false end
    if digits ~= one then one, apart = digits, i > 1 end
  end
  if apart then orders.bucket = buckets_of(column) else orders.one_bucket = one end
  return true
end

end
