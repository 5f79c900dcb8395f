-- Rows as the gateway writes them (core/domain/order.ts):
--   {'o', user, id, fingerprint, acceptedAtMs, sale, seq, currency, {sku, qty, …}, payment, metadata, maxTotal}
--   {'s', user, '', '', acceptedAtMs, sale, seq}
-- The gateway has checked them. They are checked again for what deciding relies on, before anything is written: a row that came
-- by another way must fail as a whole, not half-way.

local MAX_LINES = 20
local MAX_QTY = 1000

local function is_whole(v, least, most)
  return type(v) == 'number' and v >= least and v <= most and v % 1 == 0
end

local function lines_are_sound(lines)
  if type(lines) ~= 'table' or #lines == 0 or #lines % 2 ~= 0 or #lines > 2 * MAX_LINES then return false end
  for i = 1, #lines, 2 do
    if type(lines[i]) ~= 'string' or not is_whole(lines[i + 1], 1, MAX_QTY) then return false end
    for j = 1, i - 2, 2 do
      if lines[j] == lines[i] then return false end
    end
  end
  return true
end

local function row_is_sound(row)
  if type(row) ~= 'table' then return false end
  if type(row[2]) ~= 'string' or type(row[5]) ~= 'number' or type(row[6]) ~= 'string' or not is_whole(row[7], 0, 1e9) then
    return false
  end
  if row[1] == 's' then return row[7] > 0 end
  if row[1] ~= 'o' or type(row[3]) ~= 'string' or #row[3] ~= 36 or type(row[4]) ~= 'string' then return false end
  return lines_are_sound(row[9])
end

-- Decodes a message's body; an error names the message and the row, both from 0.
local function decode_rows(body, index)
  local ok, rows = pcall(cjson.decode, body)
  if not ok or type(rows) ~= 'table' or string.byte(body) ~= 91 or #rows == 0 then error({ err = 'BADROW ' .. index .. ' -1 not a JSON array of rows' }) end
  for i, row in ipairs(rows) do
    if not row_is_sound(row) then error({ err = 'BADROW ' .. index .. ' ' .. (i - 1) .. ' not a sound row' }) end
  end
  return rows
end
