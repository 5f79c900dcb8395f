-- A paid order is fulfilled in parts, one a service (ledger/parts.ts). A service claims a part
-- before it works on it, and says when it is done: a claim and a cancel exclude each other. Words
-- as in settle.lua.

-- {'f', user, id, '', at, '', 0, generation, part, of, claim | done | later, service, request?}.
-- later: the service could not do the part it has claimed; the ledger asks it again after a while.
local function fulfil_part(batch, row)
  local field, o = row[13], batch.open[row[13]]
  local part, of, service = row[9], row[10], row[12]
  if not o or o.state ~= 'paid' or o.generation ~= row[8] then
    local state = o and o.state or batch.seen[field] and string.match(batch.seen[field], ' (.*)$') or 'gone'
    return (row[11] == 'done' and state == 'dispatched' and '=' or '-') .. state
  end
  if o.of and o.of ~= of then return '-not_a_part' end
  local held = o.parts and o.parts[part]
  if row[11] == 'claim' then
    if held then return string.sub(held, 2) == service and (string.byte(held) == 99 and '=claimed' or '=done') or '-taken' end
    o.of, o.parts = of, o.parts or {}
    o.parts[part] = 'c' .. service
  else
    if held == 'd' .. service then return '=done' end
    if held ~= 'c' .. service then return '-unclaimed' end
    if row[11] == 'later' then return '+late' end
    o.parts[part] = 'd' .. service
  end
  batch.touched[field] = true
  step(batch, row[11] == 'claim' and 'claimed' or 'done', field, o, part .. ' ' .. of .. ' ' .. service)
  if row[11] == 'claim' then return '+claimed' end
  for at = 1, of do
    if string.byte(o.parts[at] or 'c') ~= 100 then return '+done' end
  end
  o.state, o.parts = 'dispatched', nil
  restate(batch, field, o)
  step(batch, 'dispatched', field, o)
  close_order(batch, field)
  return '+dispatched'
end
