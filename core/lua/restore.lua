-- restore: one step of a rebuild, refused unless the shard is loading under that incarnation: a rebuilder that was overtaken does
-- no harm.
--
-- KEYS  1 the shard's meta hash  2… the keys to write
-- ARGV  1 incarnation  2 what: clear (deletes KEYS 2…), hash (fields into KEYS 2), zset (scores into KEYS 2),
--       text (KEYS 2 is ARGV 4), list (appended to KEYS 2)
--       3 time at which KEYS 2 expires, Unix ms, 0 for never  4… field, value … or score, member …
-- Returns {'restored'} or {'overtaken'}.
local WRITES = { zset = 'ZADD', hash = 'HSET', list = 'RPUSH' }

local function restore(keys, args)
  local m = redis.call('HMGET', keys[1], 'inc', 'state')
  if m[1] ~= args[1] or m[2] ~= 'loading' then return { 'overtaken' } end
  if args[2] == 'clear' then
    redis.call('UNLINK', unpack(keys, 2))
    return { 'restored' }
  end
  local rest = {}
  for at = 4, #args do rest[at - 3] = args[at] end
  if args[2] == 'text' then redis.call('SET', keys[2], args[4])
  else call_in_chunks(WRITES[args[2]], keys[2], rest) end
  if args[3] ~= '0' then redis.call('PEXPIREAT', keys[2], args[3]) end
  return { 'restored' }
end
redis.register_function('restore', restore)

-- ready: ends the rebuild of one shard.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation
-- Returns {'open'} or {'overtaken'}.
local function ready(keys, args)
  local m = redis.call('HMGET', keys[1], 'inc', 'state')
  if m[1] ~= args[1] or m[2] == 'halted' then return { 'overtaken' } end
  redis.call('HSET', keys[1], 'state', 'open')
  return { 'open' }
end
redis.register_function('ready', ready)
