-- unpark: releases parked orders whose missing number has been waited for long enough; that number
-- counts as passed.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 gaps that began at or before this time (Redis's clock, ms) are given up
--       7 how many users at most  8 the bounds of the clock (shared/shard.lua)
--       9 the owner's last entry (shared/batch.lua)
-- Returns {'decided', n or '' when no gap was that old, prev, time, released, steps} or
-- {'not_ready'}, {'halted'}, {'fenced'}, {'clock'}, {'lost'}.

local function lowest_parked(turn)
  local lowest
  for seq in pairs(turn.parked) do
    if not lowest or seq < lowest then lowest = seq end
  end
  return lowest
end

local function give_up_gap(batch, turn, decide_one)
  local lowest = lowest_parked(turn)
  if not lowest then return end
  local given_up = turn.parked[lowest] == 'skip'
  turn.next, turn.moved, turn.changed = lowest, true, true
  release(turn, decide_one)
  -- Behind a number that was given up nothing may have been released: the entry must say how far it
  -- went.
  if given_up then
    batch.steps[#batch.steps + 1] =
      { what = 'passed', user = turn.user, saleId = turn.sale, next = turn.next }
  end
end

local function unpark(keys, args)
  local shard, reply, now = open_call(keys, args, args[8], args[9])
  if not shard then return reply end
  local gaps, most = shard.prefix .. 'gaps', tonumber(args[7])
  local names = redis.call('ZRANGEBYSCORE', gaps, '-inf', args[6], 'LIMIT', 0, most)
  if #names == 0 then return reply end

  local wanted, known = {}, {}
  for _, name in ipairs(names) do
    local sale, user = string.match(name, '^(%S+) (%S+)$')
    want_turn(wanted, known, sale, user)
  end
  local turns = read_turns(shard, wanted)
  local held = read_held_orders(turns)
  local batch = load_batch(shard, args, held, turns, {}, now)
  -- The gap was waited for long enough, and so was a rate.
  batch.no_waits = true
  local decide_one = release_one(batch)
  for _, turn in pairs(turns) do give_up_gap(batch, turn, decide_one) end
  return commit(batch, args, 'unpark', {}, reply)
end
redis.register_function('unpark', unpark)
