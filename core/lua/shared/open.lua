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

-- What other files use. The rest is in a block of its own: Lua allows 200 local names in one.
local read_open, step, open_order, leave_lane, release_units, sell_units, restate, close_order,
  write_open, write_freed
do

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

-- The same few lines come in record after record. Each short text is read once: text → {sku, qty,
-- json}. Nobody changes the lists. json: both as members of a JSON object.
local known_lines, known_lines_count = {}, 0
-- A text of many lines may have 4 kB, and rarely recurs.
local MAX_KNOWN_LINES_BYTES = 100

local function read_record_lines(text)
  local sku, qty = {}, {}
  for name, units in string.gmatch(text, '(%S+) (%d+)') do
    sku[#sku + 1], qty[#qty + 1] = name, tonumber(units)
  end
  local json = '"sku":["' .. table.concat(sku, '","') .. '"],"qty":[' .. table.concat(qty, ',')
    .. ']'
  local lines = { sku = sku, qty = qty, json = json }
  if #text > MAX_KNOWN_LINES_BYTES then return lines end
  if known_lines_count >= MAX_KNOWN then known_lines, known_lines_count = {}, 0 end
  known_lines[text] = lines
  known_lines_count = known_lines_count + 1
  return lines
end

-- rest: what never changes in a record.
local OPEN_RECORD = '^(%S+) (%d+) (%d+) ((%d+) (%S+) (%S+) (%S+) (.*))$'

local function read_open_record(text)
  local state, generation, attempt, rest, accepted, gateway, fingerprint, sale, lines_text =
    string.match(text, OPEN_RECORD)
  local lines = known_lines[lines_text] or read_record_lines(lines_text)
  local of, parts
  if string.find(state, ';', 1, true) then state, of, parts = read_parts(state) end
  return { state = state, of = of, parts = parts, generation = tonumber(generation),
    attempt = tonumber(attempt), accepted = tonumber(accepted), gateway = gateway,
    fingerprint = fingerprint, sale = sale, sku = lines.sku, qty = lines.qty, rest = rest,
    json = lines.json }
end

local function rest_text(o)
  local sku, qty = o.sku, o.qty
  local rest = number_text(o.accepted) .. ' ' .. o.gateway .. ' ' .. o.fingerprint .. ' '
    .. o.sale .. ' ' .. sku[1] .. ' ' .. number_text(qty[1])
  for l = 2, #sku do rest = rest .. ' ' .. sku[l] .. ' ' .. number_text(qty[l]) end
  return rest
end

local function open_record_text(o)
  return (o.parts and parts_text(o) or o.state) .. ' ' .. number_text(o.generation) .. ' '
    .. number_text(o.attempt) .. ' ' .. (o.rest or rest_text(o))
end

-- Reads the open orders that rows of a batch name. fields: list of 'user id'. Returns field → open
-- order.
function read_open(shard, fields)
  local open = {}
  local values = hmget(shard.prefix .. 'open', fields)
  for i, text in ipairs(values) do
    if text then open[fields[i]] = read_open_record(text) end
  end
  return open
end

local function user_in(field)
  return string.sub(field, 1, -ID_LENGTH - 2)
end

-- Notes for the ledger what happened to an open order, as JSON: encoding a table cost 6 µs. All
-- but gateway and detail are names and numbers, which JSON takes as they are. field: 'user id'.
function step(batch, what, field, o, detail)
  local lines = o.json
  if not lines then
    lines = '"sku":' .. cjson.encode(o.sku) .. ',"qty":' .. cjson.encode(o.qty)
  end
  batch.steps[#batch.steps + 1] = '{"what":"' .. what .. '","user":"' .. user_in(field)
    .. '","id":"' .. string.sub(field, -ID_LENGTH) .. '","generation":'
    .. number_text(o.generation) .. ',"attempt":' .. number_text(o.attempt) .. ',"gateway":'
    .. cjson.encode(o.gateway) .. ',"saleId":"' .. o.sale .. '",' .. lines .. ',"detail":'
    .. (detail and cjson.encode(detail) or '""') .. '}'
end

-- Row i has been reserved: its charge starts at once, or waits until the user's earlier ones are
-- settled.
function open_order(batch, orders, i, gateway)
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
function leave_lane(batch, field)
  local user = user_in(field)
  local next_id = exit_lane(batch, user, string.sub(field, -ID_LENGTH))
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
function release_units(batch, field, o, from)
  local user = user_in(field)
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

function sell_units(batch, o)
  for l = 1, #o.sku do move_units(batch, o.sale, o.sku[l], 'h', 's', o.qty[l]) end
end

-- Keeps the order's record for later sendings in step with its state.
function restate(batch, field, o)
  local bucket = string.sub(field, -ID_LENGTH, BUCKET_DIGITS - ID_LENGTH - 1)
  if bucket < batch.first_bucket then return end
  remember(batch, field, bucket, o.fingerprint .. ' ' .. o.state)
end

function close_order(batch, field)
  batch.open[field] = nil
  batch.touched[field] = true
end

function write_open(shard, batch, now)
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
function write_freed(shard, batch)
  local list = {}
  for i, text in ipairs(batch.freed) do list[i] = (shard.n + 1) .. ' ' .. text end
  call_in_chunks('RPUSH', shard.prefix .. 'freed', list)
end

end
