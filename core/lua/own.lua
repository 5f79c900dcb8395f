-- own: acquires a shard for the epoch that the ledger has just issued. An older epoch is rejected
-- from then on.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 store id of the ledger
-- Returns {'owned'}, {'fenced'}, {'not_ready'}, {'halted'} or {'foreign'} (this Redis belongs to
-- another ledger).
local function own(keys, args)
  local store, epoch = unpack(redis.call('HMGET', keys[1], 'store', 'epoch'))
  if store and store ~= args[3] then return { 'foreign' } end
  local shard, refusal = open_shard(keys[1], args[1], '')
  if not shard then return { refusal } end
  if tonumber(epoch) > tonumber(args[2]) then return { 'fenced' } end
  redis.call('HSET', keys[1], 'epoch', args[2])
  return { 'owned' }
end
redis.register_function('own', own)
