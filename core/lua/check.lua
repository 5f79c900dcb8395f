-- check: does Redis still hold what the ledger recorded last? The chain of random ids tells, where
-- numbers alone would not.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 id the ledger recorded last  3 its number  4 epoch: only the owner knows
--         what the ledger recorded last
-- Returns {'whole'}; {'behind'} when it is whole but has not received that the ledger has it;
--         {'lost'} when Redis has forgotten that entry (wiped, an older file, a lagging replica);
--         {'went_back'} when the ledger has: Redis received a later commit;
--         or {'not_ready'}, {'halted'}, {'fenced'}.
local function check(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[4])
  if not shard then return { refusal } end
  local base, base_n = unpack(redis.call('HMGET', keys[1], 'base', 'basen'))
  local last_n = tonumber(args[3])
  base_n = tonumber(base_n)
  if base_n > last_n then return { 'went_back' } end
  if base_n == last_n then return { base == args[2] and 'whole' or 'lost' } end
  local at = args[3] .. '-0'
  local found = redis.call('XRANGE', shard.prefix .. 'outbox', at, at)
  if found[1] and found[1][2][2] == args[2] then return { 'behind' } end
  return { 'lost' }
end
redis.register_function('check', check)
