-- halt: stops a shard until an operator decides: the ledger has gone back behind what it had
-- confirmed.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 reason, in words
-- Returns {'halted'}.
local function halt(keys, args)
  redis.call('HSET', keys[1], 'state', 'halted', 'reason', args[1])
  return { 'halted' }
end
redis.register_function('halt', halt)
