-- Open orders: those with stock held, a charge under way, or paid and not yet dispatched. One hash
-- of the shard has them, apart from the buckets of seen.lua, for as long as something may happen to
-- them:
--
--   open   hash  <user> <id> → <state> <generation> <attempt> <accepted at, ms> <gateway>
--                              <fingerprint> <sale> <sku> <qty> …
--                the state of a paid order of which services have claimed parts:
--                paid;<parts>;<part>c<service>;<part>d<service>;…   (claimed, done)
--   holds  list  <time, ms> <user> <id> of orders that wait in their lane, oldest first; no others
--                expire. One that waits no more is passed over when it comes to the front.
--
-- In Lua an open order is {state, generation, attempt, accepted, gateway, fingerprint, sale, sku,
-- qty}: sku and qty are lists, of is the number of its parts, parts what became of each. Attempt 0
-- waits in its lane. Whatever happens to an open order is a step of the outbox entry (see step).

-- 'paid;2;1cwarehouse;2dwarehouse' → 'paid', 2, {'cwarehouse', 'dwarehouse'}
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

local OPEN_RECORD = '^(%S+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (.*)$'

local function read_open_record(text)
  local state, generation, attempt, accepted, gateway, fingerprint, sale, lines =
    string.match(text, OPEN_RECORD)
  local sku, qty, of, parts = {}, {}, nil, nil
  for name, units in string.gmatch(lines, '(%S+) (%d+)') do
    sku[#sku + 1], qty[#qty + 1] = name, tonumber(units)
  end
  if string.find(state, ';', 1, true) then state, of, parts = read_parts(state) end
  return { state = state, of = of, parts = parts, generation = tonumber(generation),
    attempt = tonumber(attempt), accepted = tonumber(accepted), gateway = gateway,
    fingerprint = fingerprint, sale = sale, sku = sku, qty = qty }
end

-- Lua prints a number in 0.2 µs: the texts of small ones are kept.
local SMALL_TEXTS = {}

local function number_text(n)
  local text = SMALL_TEXTS[n]
  if not text then
    text = string.format('%.0f', n)
    if n <= MAX_QTY then SMALL_TEXTS[n] = text end
  end
  return text
end

local function open_record_text(o)
  local sku, qty = o.sku, o.qty
  local head = (o.parts and parts_text(o) or o.state) .. ' ' .. number_text(o.generation) .. ' '
    .. number_text(o.attempt) .. ' ' .. number_text(o.accepted) .. ' ' .. o.gateway .. ' '
    .. o.fingerprint .. ' ' .. o.sale .. ' ' .. sku[1] .. ' ' .. number_text(qty[1])
  for l = 2, #sku do head = head .. ' ' .. sku[l] .. ' ' .. number_text(qty[l]) end
  return head
end

-- Reads the open orders that rows of a batch speak of. fields: list of 'user id'. Returns field →
-- open order.
local function read_open(shard, fields)
  local open = {}
  local values = hmget(shard.prefix .. 'open', fields)
  for i, text in ipairs(values) do
    if text then open[fields[i]] = read_open_record(text) end
  end
  return open
end

-- Notes for the ledger what happened to an open order. field: 'user id'.
local function step(batch, what, field, o, detail)
  local user, id = string.match(field, '^(%S+) (%S+)$')
  batch.steps[#batch.steps + 1] = { what = what, user = user, id = id, generation = o.generation,
    attempt = o.attempt, gateway = o.gateway, saleId = o.sale, sku = o.sku, qty = o.qty,
    detail = detail or '' }
end

-- Row i has been reserved: its charge starts at once, or waits until the user's earlier ones are
-- settled.
local function open_order(batch, orders, i, gateway)
  local field, fingerprint = orders.order[i], orders.fingerprint[i]
  local user, id = user_of(orders, i), id_of(orders, i)
  -- A record is words between spaces: an empty word would be read back as its neighbour.
  assert(fingerprint ~= '' and orders.sale[i] ~= '', 'an order without a fingerprint or a sale')
  local waits = enter_lane(batch, user, id)
  local sku, qty = lines_of(orders, i)
  batch.open[field] = { state = 'reserved', generation = 1, attempt = waits and 0 or 1,
    accepted = orders.at[i], gateway = string.find(gateway, '^%S+$') and gateway or '-',
    fingerprint = fingerprint, sale = orders.sale[i], sku = sku, qty = qty }
  batch.touched[field] = true
  if waits then
    batch.holds[#batch.holds + 1] = field
    batch.steps[#batch.steps + 1] = { what = 'wait', user = user, id = id }
  end
end

-- The order leaves its lane; if it was the one being charged, the next one's charge starts.
local function leave_lane(batch, field)
  local user, id = string.match(field, '^(%S+) (%S+)$')
  local next_id = exit_lane(batch, user, id)
  if not next_id then return end
  local next_field = user .. ' ' .. next_id
  local o = batch.open[next_field]
  if not o then
    local text = redis.call('HGET', batch.shard.prefix .. 'open', next_field)
    if not text then return end
    o = read_open_record(text)
    batch.open[next_field] = o
  end
  if o.attempt == 0 then
    o.attempt = 1
    batch.touched[next_field] = true
    step(batch, 'start', next_field, o)
  end
end

-- The order's units go from held ('h') or sold ('s') to where they can be sold again: first to
-- releasing, until the ledger has it (recorded.lua).
local function release_units(batch, field, o, from)
  local user = string.match(field, '^%S+')
  for l = 1, #o.sku do
    local sku, qty = o.sku[l], o.qty[l]
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
  for l = 1, #o.sku do move_units(batch, o.sale, o.sku[l], 'h', 's', o.qty[l]) end
end

-- Keeps the order's record for later sendings in step with its state.
local function restate(batch, field, o)
  local bucket = string.sub(field, -ID_LENGTH, BUCKET_DIGITS - ID_LENGTH - 1)
  if bucket < batch.first_bucket then return end
  remember(batch, field, bucket, o.fingerprint .. ' ' .. o.state)
end

local function close_order(batch, field)
  batch.open[field] = nil
  batch.touched[field] = true
end

local function write_open(shard, batch, now)
  local set, gone, n = {}, {}, 0
  for field in pairs(batch.touched) do
    local o = batch.open[field]
    if o then
      set[n + 1], set[n + 2] = field, open_record_text(o)
      n = n + 2
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
