-- reset: begins a rebuild of one shard. From here until `ready`, every function answers not_ready.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 store id  2 new incarnation  3 epoch  4 id the ledger recorded last  5 its number
-- Returns {'loading'}; {'went_back'} when Redis was told of a later commit than the ledger knows,
-- which only this content can tell;
--         {'overtaken'} when a later rebuild has begun; {'halted'}; {'foreign'} (this Redis belongs to another ledger).
local function reset(keys, args)
  local m = redis.call('HMGET', keys[1], 'store', 'inc', 'state', 'base', 'basen')
  if m[3] == 'halted' then return { 'halted' } end
  if m[1] and m[1] ~= args[1] then return { 'foreign' } end
  if m[2] then
    local inc = tonumber(m[2])
    if inc > tonumber(args[2]) or (inc == tonumber(args[2]) and m[3] == 'open') then return { 'overtaken' } end
  end
  if m[5] then
    local base_n, last_n = tonumber(m[5]), tonumber(args[5])
    if base_n > last_n or base_n == last_n and m[4] ~= args[4] then return { 'went_back' } end
  end
  redis.call('HSET', keys[1], 'store', args[1], 'inc', args[2], 'state', 'loading', 'epoch', args[3],
    'tip', args[4], 'n', args[5], 'base', args[4], 'basen', args[5],
    'loaded', 0, 'loaded_stock', 0)
  return { 'loading' }
end
redis.register_function('reset', reset)
