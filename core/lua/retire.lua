-- retire_stock: a sale that has ended leaves Redis: its counters go, and its name stays in one set,
-- so that an order that still arrives is sale_closed and not unknown_item. May be repeated.
--
-- KEYS  1 meta hash of any shard (whether this Redis is open)  2 the sale's stock hash
--       3 the set of retired sales
-- ARGV  1 sale
-- Returns {'synced'}, or {'not_ready'}, {'halted'}.
local function retire_stock(keys, args)
  local state = redis.call('HGET', keys[1], 'state')
  if state ~= 'open' then return { state == 'halted' and 'halted' or 'not_ready' } end
  redis.call('SADD', keys[3], args[1])
  redis.call('UNLINK', keys[2])
  return { 'synced' }
end
redis.register_function('retire_stock', retire_stock)

-- retire: removes what a shard knows of a retired sale's users: next numbers, units bought,
-- generations taken. Only once the sale's stock is gone: none of it can be reserved any more.
--
-- KEYS  1 the shard's meta hash  2 the set of retired sales
-- ARGV  1 incarnation  2 epoch  3 sale
-- Returns {'retired'}; {'not_yet'} while Redis still has the sale's stock; or {'not_ready'},
-- {'halted'}, {'fenced'}.
local function retire(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return { refusal } end
  if redis.call('SISMEMBER', keys[2], args[3]) == 0 then return { 'not_yet' } end
  for _, name in ipairs({ 'next:', 'bought:', 'redriven:' }) do
    redis.call('UNLINK', shard.prefix .. name .. args[3])
  end
  return { 'retired' }
end
redis.register_function('retire', retire)
