-- Rows as the gateway writes them (core/domain/order.ts):
--   {'o', user, id, fingerprint, acceptedAtMs, sale, seq, currency, {sku, qty, …}, payment, metadata, maxTotal, traceparent?}
--   {'s', user, '', '', acceptedAtMs, sale, seq}
--   {'c', user, id, '', acceptedAtMs, '', 0}
--   {'p', user, id, '', acceptedAtMs, '', 0, generation, attempt, answer, detail}
--   {'r', user, id, fingerprint, acceptedAtMs, sale, 0, currency, {sku, qty, …}, payment, metadata, maxTotal, generation, traceparent?}
--   {'f', user, id, '', acceptedAtMs, '', 0, generation, part, of, claim | done | later, service, request?}
-- The gateway has checked them. They are checked again for what deciding relies on, before anything
-- is written: a row that came by another way must fail as a whole, not half-way.
-- core/domain/row-check.ts accepts the same rows; the limits are of core/domain/limits.ts.

-- decode_rows adds to a row that names an order (name_row):
--   row[13] 'user id', the field of its record       row[14] the bucket of its record       row[15] a redriven one's generation
--   row[16] the trace of an order's request, if it has one

local BUCKET_DIGITS = 7
local UUID = '^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+$'
local TRACE = '^%x%x%-%x+%-%x+%-%x%x$'

-- What stands in keys and in records of words between spaces.
local function is_name(text)
  return type(text) == 'string' and #text <= MAX_NAME and not string.find(text, '[^%w._@-]')
end

-- The same few names come in every row: sales, items, currencies. Looked at once each, they cost a
-- table access: 10.5 µs an order instead of 12.9, 9.5 without any of these checks (medians of one
-- run).
local MAX_KNOWN = 20000
local known_names, known_count = {}, 0

local function is_common_name(text)
  if known_names[text] then return true end
  if not is_name(text) then return false end
  if known_count >= MAX_KNOWN then known_names, known_count = {}, 0 end
  known_names[text] = true
  known_count = known_count + 1
  return true
end

-- Opaque text, for the ledger: Postgres takes no NUL.
local function is_text(text)
  return text == '' or type(text) == 'string' and #text <= MAX_TEXT_BYTES and not string.find(text, '%z')
end

local function is_whole(number, least, most)
  return type(number) == 'number' and number >= least and number <= most and number % 1 == 0
end

local function lines_are_sound(lines)
  if type(lines) ~= 'table' then return false end
  local n = #lines
  if n == 0 or n % 2 ~= 0 or n > 2 * MAX_LINES then return false end
  for i = 1, n, 2 do
    local sku, qty = lines[i], lines[i + 1]
    if sku == nil or not is_common_name(sku) or type(qty) ~= 'number' or qty < 1 or qty > MAX_QTY or qty % 1 ~= 0 then return false end
    for j = 1, i - 2, 2 do
      if lines[j] == sku then return false end
    end
  end
  return true
end

local function part_is_sound(row)
  local part, of, service = row[9], row[10], row[12]
  if not is_whole(row[8], 1, MAX_COUNT) or not is_whole(of, 1, MAX_LINES) or not is_whole(part, 1, of) then return false end
  -- It stands in a record whose words are parted by spaces and semicolons.
  if not FULFILMENTS[row[11]] or not is_name(service) or service == '' then return false end
  return row[11] ~= 'later' or is_whole(row[13], 1, MAX_COUNT)
end

local function is_trace(text)
  return type(text) == 'string' and #text == TRACE_LENGTH and string.find(text, TRACE)
end

-- Rows about an order carry nothing of it but its id, and no field behind their own.
local function is_bare(row, fields)
  return row[4] == '' and row[fields + 1] == nil
end

local function order_is_sound(row)
  return is_name(row[4]) and row[8] ~= nil and is_common_name(row[8]) and is_text(row[10]) and is_text(row[11])
    and is_whole(row[12], 0, MAX_MONEY_MINOR) and lines_are_sound(row[9])
end

local function row_is_sound(row)
  if type(row) ~= 'table' then return false end
  local kind, seq = row[1], row[7]
  if not is_name(row[2]) or row[2] == '' or not is_whole(row[5], 0, MAX_TIME_MS) or row[6] == nil or not is_common_name(row[6]) then return false end
  if type(seq) ~= 'number' or seq < 0 or seq > MAX_SEQ or seq % 1 ~= 0 then return false end
  if kind == 's' then return seq > 0 and row[3] == '' and is_bare(row, 7) end
  local id = row[3]
  if type(id) ~= 'string' or #id ~= ID_LENGTH or not string.find(id, UUID) then return false end
  if kind == 'o' then return row[14] == nil and (row[13] == nil or is_trace(row[13])) and order_is_sound(row) end
  if kind == 'c' then return is_bare(row, 7) end
  if kind == 'p' then return is_bare(row, 11) and is_whole(row[8], 1, MAX_COUNT) and is_whole(row[9], 1, MAX_COUNT) and ANSWERS[row[10]] and is_text(row[11]) end
  if kind == 'f' then return is_bare(row, row[11] == 'later' and 13 or 12) and part_is_sound(row) end
  return kind == 'r' and seq == 0 and is_whole(row[13], 2, MAX_COUNT) and row[15] == nil and (row[14] == nil or is_trace(row[14])) and order_is_sound(row)
end

-- Adds to an order's row, taken out of where it was parked, what every later step would have to
-- make again.
local function name_row(row)
  if row[13] then row[16] = row[13] end
  row[13] = row[2] .. ' ' .. row[3]
  row[14] = string.sub(row[3], 1, BUCKET_DIGITS)
end

-- What Redis's JSON takes and others do not (0x10, NaN) is refused. The setting is kept by Redis,
-- so that once is enough; there is no cjson yet while a library is loaded.
local strict = false

local function decode(body)
  if not strict then
    cjson.decode_invalid_numbers(false)
    strict = true
  end
  return pcall(cjson.decode, body)
end

-- Decodes a message's body; an error names the message and the row, both from 0.
local function decode_rows(body, index)
  if #body > MAX_MESSAGE_BYTES then error({ err = 'BADROW ' .. index .. ' -1 too large' }) end
  local ok, rows = decode(body)
  if not ok or type(rows) ~= 'table' or string.byte(body) ~= 91 or #rows == 0 then
    error({ err = 'BADROW ' .. index .. ' -1 not a JSON array of rows' })
  end
  if #rows > MAX_MESSAGE_ROWS then error({ err = 'BADROW ' .. index .. ' -1 too many rows' }) end
  for i = 1, #rows do
    local row = rows[i]
    if not row_is_sound(row) then error({ err = 'BADROW ' .. index .. ' ' .. (i - 1) .. ' not a sound row' }) end
    local kind = row[1]
    if kind ~= 's' then
      if kind == 'r' then row[15], row[16] = row[13], row[14]
      elseif row[13] then row[16] = row[13] end
      -- As name_row does; a call for each row is felt.
      row[13] = row[2] .. ' ' .. row[3]
      row[14] = string.sub(row[3], 1, BUCKET_DIGITS)
    end
  end
  return rows
end
