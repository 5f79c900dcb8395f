-- check: does Redis still hold what the ledger recorded last? The chain of random ids shows it, as
-- numbers alone would not. And does anything in the shard wait for what a sweep could end?
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 id the ledger recorded last  3 its number  4 epoch: only the owner knows
--         what the ledger recorded last  5 the bounds of the clock (shared/shard.lua)
-- Returns {'whole', what waits}, with 'gaps', 'holds' and 'fx' for each such key that exists;
--         {'behind', what waits} when it is whole but has not received that the ledger has it;
--         {'lost'} when Redis has forgotten that entry (wiped, an older file, a lagging replica);
--         {'went_back'} when the ledger has: Redis received a later commit;
--         or {'not_ready'}, {'halted'}, {'fenced'}, {'clock'}.

local function what_waits(shard)
  local waits = {}
  for _, key in ipairs({ 'gaps', 'holds', 'fx' }) do
    if redis.call('EXISTS', shard.prefix .. key) == 1 then waits[#waits + 1] = key end
  end
  return waits
end

local function check(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[4])
  if not shard then return { refusal } end
  if not clock_fits(now_ms(), args[5]) then return { 'clock' } end
  local base, base_n = unpack(redis.call('HMGET', keys[1], 'base', 'basen'))
  local last_n = tonumber(args[3])
  base_n = tonumber(base_n)
  if base_n > last_n then return { 'went_back' } end
  if base_n == last_n then
    if base ~= args[2] then return { 'lost' } end
    return { 'whole', what_waits(shard) }
  end
  local at = args[3] .. '-0'
  local found = redis.call('XRANGE', shard.prefix .. 'outbox', at, at)
  if found[1] and found[1][2][2] == args[2] then return { 'behind', what_waits(shard) } end
  return { 'lost' }
end
redis.register_function('check', check)
