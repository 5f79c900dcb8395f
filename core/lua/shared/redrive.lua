-- Orders whose payment failed, tried again by the operator. The ledger grants each try a
-- generation, the next higher one; a generation is taken once, however often it comes. The number
-- the order had is used up already: stock and limits are judged anew.
--
--   redriven:<sale>  hash  <user> <id> → the last generation taken

-- rows: those of redriven orders. Older versions kept all sales' in one hash, which the next
-- rebuild splits.
local function read_redriven(shard, rows)
  local redriven = {}
  for _, row in ipairs(rows) do
    local field = row[13]
    local generation = redis.call('HGET', shard.prefix .. 'redriven:' .. row[6], field) or redis.call('HGET', shard.prefix .. 'redriven', field)
    redriven[field] = tonumber(generation or 1)
  end
  return redriven
end

-- {'r', …, generation}. Words: '+state' it has now; '=state' when that generation has been taken;
-- '-state' when it is not to be redriven.
local function redrive_order(batch, row, gateway)
  local field, o, generation = row[13], batch.open[row[13]], row[15]
  local state = o and o.state or batch.seen[field] and string.match(batch.seen[field], ' (.*)$')
  if generation <= batch.redriven[field] then return '=' .. (state or 'gone') end
  if o or state and state ~= 'payment_failed' then return '-' .. state end
  if not state and row[14] >= batch.first_bucket then return '-unknown' end
  batch.redriven[field] = generation
  batch.regranted[#batch.regranted + 1] = { row[6], field }
  batch.give_up[field] = true -- it does not wait for a rate: it can be redriven again
  local taken = { state = judge(batch, row), generation = generation, attempt = 0, gateway = gateway, fingerprint = row[4], sale = row[6], lines = row[9] }
  if taken.state == 'reserved' then
    open_order(batch, row, gateway)
    taken = batch.open[field]
    taken.generation = generation
  end
  restate(batch, field, taken)
  step(batch, 'redriven', field, taken, taken.state)
  return '+' .. taken.state
end

local function write_redriven(shard, batch)
  for _, granted in ipairs(batch.regranted) do
    redis.call('HSET', shard.prefix .. 'redriven:' .. granted[1], granted[2], batch.redriven[granted[2]])
  end
end
