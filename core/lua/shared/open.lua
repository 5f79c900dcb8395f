-- Open orders: those with stock held, a charge under way, or paid and not yet dispatched. They
-- stand in one hash of the shard, outside the buckets of shared/seen.lua, for as long as something
-- may still happen to them:
--
--   open         hash  <user> <id> → <state> <generation> <attempt> <accepted at, ms> <gateway> <fingerprint> <sale> <sku> <qty> …
--                      the state of a paid order of which a service has claimed parts: paid;<of>;<part><c or d><service>;…  (claimed, done)
--   holds        list  <time, ms> <user> <id> of orders that wait in their lane (no others expire), oldest first; one that waits no
--                      more is passed over when it comes to the front (a sorted set cost 3.6 µs an order)
--
-- Attempt 0 waits in its lane. Whatever happens to an open order is a step of the outbox entry (see
-- step below).

-- paid;2;1cwarehouse;2dwarehouse → 'paid', 2, {'cwarehouse', 'dwarehouse'}
local function read_parts(text)
  local state, of, rest = string.match(text, '^([^;]*);(%d+)(.*)$')
  local parts = {}
  for part, held in string.gmatch(rest, ';(%d+)([^;]+)') do parts[tonumber(part)] = held end
  return state, tonumber(of), parts
end

local function parts_text(o)
  local text = o.state .. ';' .. o.of
  for part = 1, o.of do
    if o.parts[part] then text = text .. ';' .. part .. o.parts[part] end
  end
  return text
end

local function read_open_record(text)
  local part, lines = {}, {}
  for word in string.gmatch(text, '%S+') do part[#part + 1] = word end
  for i = 8, #part, 2 do
    lines[i - 7], lines[i - 6] = part[i], tonumber(part[i + 1])
  end
  local state, of, parts = part[1], nil, nil
  if string.find(state, ';', 1, true) then state, of, parts = read_parts(state) end
  return { state = state, of = of, parts = parts, generation = tonumber(part[2]), attempt = tonumber(part[3]), accepted = tonumber(part[4]),
    gateway = part[5], fingerprint = part[6], sale = part[7], lines = lines }
end

local function open_record_text(o)
  local head = (o.parts and parts_text(o) or o.state) .. ' ' .. o.generation .. ' ' .. o.attempt .. ' ' .. string.format('%.0f', o.accepted) .. ' ' .. o.gateway
  return head .. ' ' .. o.fingerprint .. ' ' .. o.sale .. ' ' .. table.concat(o.lines, ' ')
end

-- Reads the open orders that rows of a batch speak of. fields: list of 'user id'. Returns field →
-- record.
local function read_open(shard, fields)
  local open = {}
  local values = hmget(shard.prefix .. 'open', fields)
  for i, text in ipairs(values) do
    if text then open[fields[i]] = read_open_record(text) end
  end
  return open
end

-- An open order as rows are, for what loads stock and limits by rows.
local function as_row(field, o)
  local user, id = string.match(field, '^(%S+) (%S+)$')
  return { 'o', user, id, o.fingerprint, o.accepted, o.sale, 0, '', o.lines, '', '', 0, field, string.sub(id, 1, BUCKET_DIGITS) }
end

-- Notes what happened, for the ledger: {what, user, id, generation, attempt, gateway, sale, lines,
-- detail}.
local function step(batch, what, field, o, detail)
  local user, id = string.match(field, '^(%S+) (%S+)$')
  batch.steps[#batch.steps + 1] = { what, user, id, o.generation, o.attempt, o.gateway, o.sale, o.lines, detail or '' }
end

-- A fresh order has been reserved: its charge starts at once, or waits until the user's earlier
-- ones are settled.
local function open_order(batch, row, gateway)
  -- Records are words between spaces: names that are none would be read back as others.
  assert(string.find(row[13], '^%S+ %S+$') and string.find(row[4], '^%S+$'), 'a name with a space')
  local waits = enter_lane(batch, row[2], row[3])
  local o = { state = 'reserved', generation = 1, attempt = waits and 0 or 1, accepted = row[5],
    gateway = string.find(gateway, '^%S+$') and gateway or '-', fingerprint = row[4], sale = row[6], lines = row[9] }
  batch.open[row[13]] = o
  batch.touched[row[13]] = true
  if waits then
    batch.holds[#batch.holds + 1] = row[13]
    batch.steps[#batch.steps + 1] = { 'wait', row[2], row[3] }
  end
end

-- The order leaves its lane; if it was the one being charged, the next one's charge starts.
local function leave_lane(batch, user, id)
  local next_id = exit_lane(batch, user, id)
  if not next_id then return end
  local field = user .. ' ' .. next_id
  local o = batch.open[field]
  if not o then
    local text = redis.call('HGET', batch.shard.prefix .. 'open', field)
    if not text then return end
    o = read_open_record(text)
    batch.open[field] = o
  end
  if o.attempt == 0 then
    o.attempt = 1
    batch.touched[field] = true
    step(batch, 'start', field, o)
  end
end

-- The order's units go from held or sold to where they can be sold again: first to releasing, until
-- the ledger has it (recorded.lua).
local function release_units(batch, field, o, from)
  local user = string.match(field, '^%S+')
  for i = 1, #o.lines, 2 do
    local sku, qty = o.lines[i], o.lines[i + 1]
    move_units(batch, o.sale, sku, from, 'r', qty)
    batch.freed[#batch.freed + 1] = o.sale .. ' ' .. sku .. ' ' .. qty
    local bought = batch.bought[o.sale]
    local name = user .. ' ' .. sku
    if bought and bought.units[name] then
      bought.units[name] = math.max(0, bought.units[name] - qty)
      bought.changed[name] = true
    end
  end
end

local function sell_units(batch, o)
  for i = 1, #o.lines, 2 do move_units(batch, o.sale, o.lines[i], 'h', 's', o.lines[i + 1]) end
end

-- Keeps the order's record for later sendings in step with its state.
local function restate(batch, field, o)
  local bucket = string.sub(string.match(field, ' (%S+)$'), 1, BUCKET_DIGITS)
  if bucket < batch.first_bucket then return end
  local value = o.fingerprint .. ' ' .. o.state
  batch.seen[field] = value
  local list = batch.fresh[bucket]
  if not list then list = {}; batch.fresh[bucket] = list end
  list[#list + 1] = field
  list[#list + 1] = value
end

local function close_order(batch, field)
  batch.open[field] = nil
  batch.touched[field] = true
end

local function write_open(shard, batch, now)
  local set, gone = {}, {}
  for field in pairs(batch.touched) do
    local o = batch.open[field]
    if o then
      set[#set + 1] = field
      set[#set + 1] = open_record_text(o)
    else
      gone[#gone + 1] = field
    end
  end
  local since, holds = string.format('%.0f ', now), {}
  for i, field in ipairs(batch.holds) do holds[i] = since .. field end
  call_in_chunks('HSET', shard.prefix .. 'open', set)
  call_in_chunks('HDEL', shard.prefix .. 'open', gone)
  call_in_chunks('RPUSH', shard.prefix .. 'holds', holds)
  write_lanes(batch)
end

-- Units on their way back wait for the ledger under the number of the entry that frees them.
local function write_freed(shard, batch)
  local list = {}
  for i, text in ipairs(batch.freed) do list[i] = (shard.n + 1) .. ' ' .. text end
  call_in_chunks('RPUSH', shard.prefix .. 'freed', list)
end
