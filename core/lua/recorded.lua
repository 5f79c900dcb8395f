-- recorded: the ledger has committed the shard's outbox up to an entry; trims it, keeps that
-- entry's id, and makes the units that entries up to it have freed available.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 id of the last entry committed  3 its number  4 stock key prefix
-- Returns {'recorded'}; {'lost'} when Redis does not have that entry; or {'not_ready'}, {'halted'}.
-- An older id than the one kept changes nothing.
local function recorded(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], '')
  if not shard then return { refusal } end
  local n = tonumber(args[3])
  -- Redis may have come back without it meanwhile: what it never had must not be kept as the last
  -- that is confirmed.
  if n > shard.n or n == shard.n and shard.tip ~= args[2] then return { 'lost' } end
  if n > tonumber(redis.call('HGET', keys[1], 'basen')) then
    redis.call('XTRIM', shard.prefix .. 'outbox', 'MINID', '=', (n + 1) .. '-0')
    redis.call('HSET', keys[1], 'base', args[2], 'basen', args[3])
    while true do
      local freed = redis.call('LINDEX', shard.prefix .. 'freed', 0)
      local at, sale, sku, qty = string.match(freed or '', '^(%d+) (%S+) (%S+) (%d+)$')
      if not at or tonumber(at) > n then break end
      redis.call('LPOP', shard.prefix .. 'freed')
      redis.call('HINCRBY', args[4] .. sale, sku .. ':r', -qty)
      local available = redis.call('HINCRBY', args[4] .. sale, sku .. ':a', qty)
      -- It was sold out: the sale gets another edition (shared/stock.lua).
      if available <= tonumber(qty) then redis.call('HDEL', args[4] .. sale, 'e') end
    end
  end
  return { 'recorded' }
end
redis.register_function('recorded', recorded)
