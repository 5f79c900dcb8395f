-- A paid order is fulfilled in parts, one a service (ledger/parts.ts). A service claims a part
-- before it works on it, and reports when it is done: a claim and a cancel exclude each other.

-- The state of an order that is not paid, as the word of a report on it.
local function unpaid_word(batch, orders, i, o)
  local record = batch.seen[orders.order[i]]
  local state = o and o.state or record and string.match(record, ' (.*)$') or 'gone'
  return (orders.report[i] == 'done' and state == 'dispatched' and '=' or '-') .. state
end

local function claim_part(o, part, parts, service)
  local held = o.parts and o.parts[part]
  if held then
    if string.sub(held, 2) ~= service then return '-taken' end
    return string.byte(held) == 99 and '=claimed' or '=done'
  end
  o.of, o.parts = parts, o.parts or {}
  o.parts[part] = 'c' .. service
  return '+claimed'
end

-- later: the service could not do the part it has claimed; the ledger asks it again after a while.
local function report_part(o, part, report, service)
  local held = o.parts and o.parts[part]
  if held == 'd' .. service then return '=done' end
  if held ~= 'c' .. service then return '-unclaimed' end
  if report == 'later' then return '+late' end
  o.parts[part] = 'd' .. service
  return '+done'
end

local function all_parts_done(o)
  for part = 1, o.of do
    if string.byte(o.parts[part] or 'c') ~= 100 then return false end
  end
  return true
end

-- Takes a service's report on a part: claim, done or later. Returns a word as settle.lua's are.
local function fulfil_part(batch, orders, i)
  local field = orders.order[i]
  local o = batch.open[field]
  if not o or o.state ~= 'paid' or o.generation ~= orders.generation[i] then
    return unpaid_word(batch, orders, i, o)
  end
  local part, parts, service = orders.part[i], orders.parts[i], orders.service[i]
  if o.of and o.of ~= parts then return '-not_a_part' end
  local word
  if orders.report[i] == 'claim' then
    word = claim_part(o, part, parts, service)
  else
    word = report_part(o, part, orders.report[i], service)
  end
  if word ~= '+claimed' and word ~= '+done' then return word end
  batch.touched[field] = true
  step(batch, string.sub(word, 2), field, o, part .. ' ' .. parts .. ' ' .. service)
  if word == '+claimed' or not all_parts_done(o) then return word end
  o.state, o.parts = 'dispatched', nil
  restate(batch, field, o)
  step(batch, 'dispatched', field, o)
  close_order(batch, field)
  return '+dispatched'
end
