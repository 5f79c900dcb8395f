-- set_rates: keeps exchange rates. One that is not newer than the last changes nothing. One that is
-- too far from the last waits for an operator (settle_rate.lua), and the last stays.
--
-- KEYS  1 the rates hash  2 the hash of rates that wait
-- ARGV  1 the largest step in percent  2 now (ms)
--       then pair, id, value, mantissa, scale, at (ms), expires (ms), last of each; last: the value
--       to compare with where Redis has none: '' for none at all, '?' if the caller does not know
-- Returns {'set', a word for each, joined by commas}: kept; back (kept, and none waits any more);
--         older; held (waits from now on); waits (it did already); refused (by the operator);
--         unknown (Redis has none to compare with, and the caller did not say)
local RATE_AT = '^%S+ (%S+) %d+ %d+ (%d+) %d+$'

local function judge(keys, args, at)
  local pair, value, its_at = args[at], args[at + 2], tonumber(args[at + 5])
  local last, last_at = string.match(redis.call('HGET', keys[1], pair) or '', RATE_AT)
  last = last or args[at + 7]
  if last == '?' then return 'unknown' end
  if its_at <= tonumber(last_at or 0) then return 'older' end
  local step, now = tonumber(args[1]), args[2]
  local text = table.concat({ unpack(args, at + 1, at + 6) }, ' ')
  if last == '' or not too_far(value, last, step) then
    redis.call('HSET', keys[1], pair, text)
    return redis.call('HDEL', keys[2], pair) == 1 and 'back' or 'kept'
  end
  local word, since = 'held', now
  local waiting = read_waiting_rate(keys[2], pair)
  if waiting then
    if its_at <= tonumber(waiting.at) then return 'older' end
    if not too_far(value, waiting.value, step) then
      if waiting.state == 'refused' then return 'refused' end
      word, since = 'waits', waiting.since
    end
  end
  redis.call('HSET', keys[2], pair, table.concat({ 'held', since, last, text }, ' '))
  return word
end

local function set_rates(keys, args)
  local words = {}
  for at = 3, #args, 8 do words[#words + 1] = judge(keys, args, at) end
  return { 'set', table.concat(words, ',') }
end
redis.register_function('set_rates', set_rates)
