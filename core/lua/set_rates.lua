-- set_rates: keeps exchange rates; a rate that is not newer than the one kept changes nothing.
--
-- KEYS  1 the rates hash
-- ARGV  pair, id, value, mantissa, scale, at (ms), expires (ms) of each
-- Returns {'set', how many were kept}.
local function set_rates(keys, args)
  local kept = 0
  for at = 1, #args, 7 do
    local known = redis.call('HGET', keys[1], args[at])
    local known_at = tonumber(known and string.match(known, ' (%d+) %d+$') or '0')
    if tonumber(args[at + 5]) > known_at then
      redis.call('HSET', keys[1], args[at], table.concat({ unpack(args, at + 1, at + 6) }, ' '))
      kept = kept + 1
    end
  end
  return { 'set', tostring(kept) }
end
redis.register_function('set_rates', set_rates)
