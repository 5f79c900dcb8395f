-- unpark: lets parked orders go whose missing number has been waited for long enough; that number
-- counts as passed.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 gaps that began at or before this time (Redis's clock, ms) are given up  7 at most so many users
--       8 the bounds of the clock (shared/shard.lua): {'clock'} beyond them
-- Returns {'decided', n or '' when no gap was that old, prev, time, released, steps} or
-- {'not_ready'}, {'halted'}, {'fenced'}.

local function lowest_parked(turn)
  local lowest
  for seq in pairs(turn.parked) do
    if not lowest or seq < lowest then lowest = seq end
  end
  return lowest
end

local function unpark(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return { refusal } end
  local now = now_ms()
  if not clock_fits(now, args[8]) then return { 'clock' } end
  local reply = { 'decided', '', shard.tip, string.format('%.0f', now), '[]', '[]' }
  local names = redis.call('ZRANGEBYSCORE', shard.prefix .. 'gaps', '-inf', args[6], 'LIMIT', 0, tonumber(args[7]))
  if #names == 0 then return reply end

  local wanted = {}
  for i, name in ipairs(names) do
    local sale, user = string.match(name, '^(%S+) (%S+)$')
    wanted[i] = { user, sale }
  end
  local turns = read_turns(shard, wanted)
  local batch = load_batch(shard, args[4], decode_parked(turns), turns, {}, now, tonumber(args[5]))
  -- The gap was waited for long enough, and so was a rate.
  batch.no_waits = true
  local decide_one = release_one(batch)
  for _, turn in pairs(turns) do
    local lowest = lowest_parked(turn)
    if lowest then
      local given_up = turn.parked[lowest] == 'skip'
      turn.next, turn.moved, turn.changed = lowest, true, true
      release(turn, decide_one)
      -- Behind a number that was given up nothing may have been let go: the entry must say how far
      -- it went.
      if given_up then batch.steps[#batch.steps + 1] = { 'passed', turn.user, turn.sale, turn.next } end
    end
  end
  reply[5], reply[6] = released_text(batch), steps_text(batch)
  store_batch(shard, args[4], batch, now, tonumber(args[5]))
  reply[2] = append_entry(shard, args[3], 'unpark', now, {}, reply[5], reply[6])
  return reply
end
redis.register_function('unpark', unpark)
