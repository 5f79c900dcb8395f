-- settle_rate: what an operator says of a rate that waits. An accepted one becomes the rate. A
-- refused one, and later ones that are near it, are ignored until the pair has a rate that fits.
--
-- KEYS  1 the rates hash  2 the hash of rates that wait
-- ARGV  1 accept or refuse  2 pair  3 the value the operator saw  4 the largest step in percent
-- Returns {'settled', done; already; not_waiting (none, or one that is far from that value)}
local function settle_rate(keys, args)
  local verdict, pair, value, step = args[1], args[2], args[3], tonumber(args[4])
  local waiting = read_waiting_rate(keys[2], pair)
  if not waiting or too_far(waiting.value, value, step) then
    local held = string.match(redis.call('HGET', keys[1], pair) or '', '^%S+ (%S+) ')
    local used = verdict == 'accept' and held and not too_far(held, value, step)
    return { 'settled', used and 'already' or 'not_waiting' }
  end
  if verdict == 'accept' then
    redis.call('HSET', keys[1], pair, waiting.rate)
    redis.call('HDEL', keys[2], pair)
    return { 'settled', 'done' }
  end
  if waiting.state == 'refused' then return { 'settled', 'already' } end
  local text = { 'refused', waiting.since, waiting.last, waiting.rate }
  redis.call('HSET', keys[2], pair, table.concat(text, ' '))
  return { 'settled', 'done' }
end
redis.register_function('settle_rate', settle_rate)
