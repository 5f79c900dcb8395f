-- sync_sale: brings a sale in line with the ledger after the operator opened, closed, created or
-- restocked it. It states what holds instead of what changed: totals only ever rise and windows
-- carry a version, so it may be repeated and may come in any order.
--
-- KEYS  1 meta hash of any shard (whether this Redis is open)  2 the sale's stock hash
--       3 the set of retired sales
-- ARGV  1 version of the catalogue  2 opens, ms  3 closes, ms  4 currency
--       5… sku, total, limit per user, price of each item
-- Returns {'synced'}, also for a sale that was retired meanwhile, or {'not_ready'}, {'halted'}.
local function sync_sale(keys, args)
  local state = redis.call('HGET', keys[1], 'state')
  if state ~= 'open' then return { state == 'halted' and 'halted' or 'not_ready' } end
  local sale = string.match(keys[2], '[^:]*$')
  if redis.call('SISMEMBER', keys[3], sale) == 1 then return { 'synced' } end
  local version = redis.call('HGET', keys[2], 'v')
  if not version or tonumber(args[1]) >= tonumber(version) then
    redis.call('HSET', keys[2], 'v', args[1], 'opens', args[2], 'closes', args[3], 'c', args[4])
  end
  for at = 5, #args, 4 do
    local sku, total = args[at], tonumber(args[at + 1])
    local had = redis.call('HGET', keys[2], sku .. ':t')
    if not had then
      redis.call('HSET', keys[2], sku .. ':a', total, sku .. ':r', 0, sku .. ':h', 0,
        sku .. ':s', 0, sku .. ':t', total)
    elseif total > tonumber(had) then
      redis.call('HINCRBY', keys[2], sku .. ':a', total - tonumber(had))
      redis.call('HSET', keys[2], sku .. ':t', total)
    end
    redis.call('HSET', keys[2], sku .. ':l', args[at + 2], sku .. ':p', args[at + 3])
  end
  redis.call('HDEL', keys[2], 'e') -- another edition (shared/stock.lua)
  return { 'synced' }
end
redis.register_function('sync_sale', sync_sale)
