-- reset: begins a rebuild of one shard. From here until `ready`, every function answers not_ready.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 store id  2 new incarnation  3 epoch  4 id the ledger recorded last  5 its number
-- Returns {'loading'}; {'went_back'} when Redis received a later commit than the ledger has, which
--         only this content can show; {'overtaken'} when a later rebuild has begun; {'halted'};
--         {'foreign'} (this Redis belongs to another ledger).
local function reset(keys, args)
  local store, inc, state, base, base_n =
    unpack(redis.call('HMGET', keys[1], 'store', 'inc', 'state', 'base', 'basen'))
  if state == 'halted' then return { 'halted' } end
  if store and store ~= args[1] then return { 'foreign' } end
  if inc then
    local its, new = tonumber(inc), tonumber(args[2])
    if its > new or its == new and state == 'open' then return { 'overtaken' } end
  end
  if base_n then
    local its, last_n = tonumber(base_n), tonumber(args[5])
    if its > last_n or its == last_n and base ~= args[4] then return { 'went_back' } end
  end
  redis.call('HSET', keys[1], 'store', args[1], 'inc', args[2], 'state', 'loading',
    'epoch', args[3], 'tip', args[4], 'n', args[5], 'base', args[4], 'basen', args[5],
    'loaded', 0, 'loaded_stock', 0)
  return { 'loading' }
end
redis.register_function('reset', reset)
