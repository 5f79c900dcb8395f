-- restore: one step of a rebuild, refused unless the shard is loading under that incarnation: a
-- rebuilder that was overtaken does no harm. Each step adds the values it was given to a counter in
-- the same call. A Redis that loses its tail while it is loaded loses both together, so `ready` can
-- tell by the counters.
--
-- KEYS  1 the shard's meta hash  2… the keys to write
-- ARGV  1 incarnation  2 the counter: loaded, or loaded_stock (in the meta hash of the shard that
--         guards the stock)
--       3 what: clear (deletes KEYS 2…), hash (fields into KEYS 2), zset (scores into KEYS 2), text
--         (KEYS 2 is ARGV 5), list (appended to KEYS 2), set (added to KEYS 2), lists (for each key
--         how many values, then the values)
--       4 when KEYS 2 expires, Unix ms, 0 for never  5… field, value … or score, member …
-- Returns {'restored'}; {'overtaken'} when a later rebuild has begun or the shard was halted;
--         {'lost'} when Redis has forgotten that this rebuild had begun.
local WRITES = { zset = 'ZADD', hash = 'HSET', list = 'RPUSH', set = 'SADD' }

-- nil while the shard is being loaded under this incarnation, or the word to answer with.
local function load_refusal(meta_key, inc)
  local its_inc, state = unpack(redis.call('HMGET', meta_key, 'inc', 'state'))
  if state == 'halted' then return 'overtaken' end
  if its_inc == inc then return state ~= 'loading' and 'overtaken' or nil end
  return tonumber(its_inc or 0) > tonumber(inc) and 'overtaken' or 'lost'
end

local function restore_lists(keys, args)
  local at = 5
  for k = 2, #keys do
    local values = {}
    for i = 1, tonumber(args[at]) do values[i] = args[at + i] end
    call_in_chunks('RPUSH', keys[k], values)
    at = at + 1 + #values
  end
end

local function restore(keys, args)
  local refusal = load_refusal(keys[1], args[1])
  if refusal then return { refusal } end
  local what, count = args[3], #args - 4
  if what == 'clear' then
    count = #keys - 1
    redis.call('UNLINK', unpack(keys, 2))
  elseif what == 'lists' then restore_lists(keys, args)
  elseif what == 'text' then redis.call('SET', keys[2], args[5])
  else
    local rest = {}
    for at = 5, #args do rest[at - 4] = args[at] end
    call_in_chunks(WRITES[what], keys[2], rest)
  end
  if args[4] ~= '0' then redis.call('PEXPIREAT', keys[2], args[4]) end
  redis.call('HINCRBY', keys[1], args[2], count)
  return { 'restored' }
end
redis.register_function('restore', restore)

-- ready: ends the rebuild, for all shards or for none, once every counter has what the rebuilder
-- sent.
--
-- KEYS  the meta hashes of all shards; the first one counts the stock
-- ARGV  1 incarnation  2 values sent for the stock  3… values sent for each shard, as KEYS are
-- Returns {'open'}, again if it is open already; {'overtaken'}; {'lost'} when Redis does not hold
-- all that was sent.
local function ready(keys, args)
  for i, key in ipairs(keys) do
    local inc, state, loaded = unpack(redis.call('HMGET', key, 'inc', 'state', 'loaded'))
    if inc ~= args[1] or state == 'halted' then return { load_refusal(key, args[1]) } end
    if loaded ~= args[2 + i] then return { 'lost' } end
  end
  if redis.call('HGET', keys[1], 'loaded_stock') ~= args[2] then return { 'lost' } end
  for _, key in ipairs(keys) do redis.call('HSET', key, 'state', 'open') end
  return { 'open' }
end
redis.register_function('ready', ready)
