-- sync_sale: brings a sale in line with the ledger after an operator changed its window, its items
-- or their stock. It states what holds instead of what changed, and everything carries a version,
-- so it may be repeated and may come in any order.
--
-- KEYS  1 meta hash of any shard (whether this Redis is open)  2 the sale's stock hash
--       3 the set of retired sales
-- ARGV  1 version of the catalogue  2 opens, ms  3 closes, ms  4 currency
--       5… sku, total, limit per user, first price, terms (shared/stock.lua) of each item
-- Returns {'synced', …} with the items of which fewer units are free than a lower total would take
-- away: their units stay. {'synced'} also for a sale that was retired meanwhile; {'older'} when it
-- has a later version; or {'not_ready'}, {'halted'}.

-- Moves an item's total by changing its free units. Returns whether there were enough.
local function sync_total(key, sku, total)
  local had = redis.call('HGET', key, sku .. ':t')
  if not had then
    redis.call('HSET', key, sku .. ':a', total, sku .. ':r', 0, sku .. ':h', 0, sku .. ':s', 0,
      sku .. ':t', total)
    return true
  end
  local more = tonumber(total) - tonumber(had)
  if more == 0 then return true end
  if tonumber(redis.call('HGET', key, sku .. ':a')) + more < 0 then return false end
  redis.call('HINCRBY', key, sku .. ':a', more)
  redis.call('HSET', key, sku .. ':t', total)
  return true
end

local function sync_sale(keys, args)
  local state = redis.call('HGET', keys[1], 'state')
  if state ~= 'open' then return { state == 'halted' and 'halted' or 'not_ready' } end
  local key = keys[2]
  local sale = string.match(key, '[^:]*$')
  if redis.call('SISMEMBER', keys[3], sale) == 1 then return { 'synced' } end
  local version = redis.call('HGET', key, 'v')
  if version and tonumber(args[1]) < tonumber(version) then return { 'older' } end
  redis.call('HSET', key, 'v', args[1], 'opens', args[2], 'closes', args[3], 'c', args[4])
  local reply = { 'synced' }
  for at = 5, #args, 5 do
    local sku, terms = args[at], args[at + 4]
    if not sync_total(key, sku, args[at + 1]) then reply[#reply + 1] = sku end
    redis.call('HSET', key, sku .. ':l', args[at + 2], sku .. ':p', args[at + 3])
    if terms == '' then
      redis.call('HDEL', key, sku .. ':q')
    else
      redis.call('HSET', key, sku .. ':q', terms)
    end
  end
  redis.call('HDEL', key, 'e') -- another edition (shared/stock.lua)
  return reply
end
redis.register_function('sync_sale', sync_sale)
