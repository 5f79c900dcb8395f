-- Orders whose payment failed, tried again by the operator. The ledger grants each try the next
-- higher generation; a generation is taken once, however often it comes. The number of the order is
-- used up already: stock and limits are judged again.
--
--   redriven:<sale>  hash  <user> <id> → the last generation taken

-- The last generation taken of each order. redriven: list of {sale, field}. Earlier versions kept
-- all sales' generations in one hash, which the next rebuild splits.
local function read_redriven(shard, redriven)
  local taken = {}
  for _, order in ipairs(redriven) do
    local field = order.field
    local generation = redis.call('HGET', shard.prefix .. 'redriven:' .. order.sale, field)
      or redis.call('HGET', shard.prefix .. 'redriven', field)
    taken[field] = tonumber(generation or 1)
  end
  return taken
end

-- What opens with a redriven order, or what its step says when it was not reserved.
local function redriven_order(batch, orders, i, gateway)
  local state = judge(batch, orders, i)
  if state == 'reserved' then
    open_order(batch, orders, i, gateway)
    return batch.open[orders.order[i]]
  end
  local sku, qty = lines_of(orders, i)
  return { state = state, attempt = 0, gateway = gateway, fingerprint = orders.fingerprint[i],
    sale = orders.sale[i], sku = sku, qty = qty }
end

-- Returns '+state' it has now; '=state' when that generation has been taken; '-state' when it may
-- not be redriven.
local function redrive_order(batch, orders, i, gateway)
  local field, generation = orders.order[i], orders.generation[i]
  local o, record = batch.open[field], batch.seen[field]
  local state = o and o.state or record and string.match(record, ' (.*)$')
  if generation <= batch.redriven[field] then return '=' .. (state or 'gone') end
  if o or state and state ~= 'payment_failed' then return '-' .. state end
  if not state and bucket_of(orders, i) >= batch.first_bucket then return '-unknown' end
  batch.redriven[field] = generation
  batch.regranted[#batch.regranted + 1] = { sale = orders.sale[i], field = field }
  batch.give_up[field] = true -- it does not wait for a rate: it can be redriven again
  local taken = redriven_order(batch, orders, i, gateway)
  taken.generation = generation
  restate(batch, field, taken)
  step(batch, 'redriven', field, taken, taken.state)
  return '+' .. taken.state
end

local function write_redriven(shard, batch)
  for _, order in ipairs(batch.regranted) do
    local key = shard.prefix .. 'redriven:' .. order.sale
    redis.call('HSET', key, order.field, batch.redriven[order.field])
  end
end
