-- Units each user has reserved of items with a limit. Read for a whole batch at once, as stock is.

-- rows: the rows to be judged. Returns sale → field ('user sku') → units.
local function read_bought(shard, rows, sales)
  local fields = {}
  for r = 1, #rows do
    local row = rows[r]
    local sale = sales[row[6]]
    if sale and sale.limited then
      local lines = row[9]
      for i = 1, #lines, 2 do
        local item = sale.items[lines[i]]
        if item and item.l > 0 then
          local list = fields[row[6]]
          if not list then list = {}; fields[row[6]] = list end
          list[#list + 1] = row[2] .. ' ' .. lines[i]
        end
      end
    end
  end
  local bought = {}
  for sale, list in pairs(fields) do
    local values = hmget(shard.prefix .. 'bought:' .. sale, list)
    local of = {}
    for i, value in ipairs(values) do of[list[i]] = tonumber(value or 0) end
    bought[sale] = { units = of, changed = {} }
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
