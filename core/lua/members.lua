-- Whether a lease runs. One that ends later than any worker would set it was set before Redis's
-- clock was put back: its holder may be long gone.
local LEASES_AHEAD = 20
local function runs(ends, now, lease)
  return ends > now and ends <= now + LEASES_AHEAD * lease
end

-- beat: a worker reports that it runs and which shards it holds, and learns who else does. All
-- times are Redis's.
--
-- KEYS  1 workers hash  2 owners hash  3 paused hash
-- ARGV  1 worker  2 lease, ms  3 report (JSON)  4… shards it holds
-- Returns {time, {worker, report, …} of those that run, {shard, worker, …} of leases that run, who
-- has paused this worker or ''}.
local function beat(keys, args)
  local now, lease_ms = now_ms(), tonumber(args[2])
  local ends = string.format('%.0f', now + lease_ms)
  redis.call('HSET', keys[1], args[1], ends .. ' ' .. args[3])
  for at = 4, #args do
    local lease = redis.call('HGET', keys[2], args[at])
    local lease_ends, holder = string.match(lease or '0 ', '^(%d+) (.*)$')
    if holder == args[1] or not runs(tonumber(lease_ends), now, lease_ms) then
      redis.call('HSET', keys[2], args[at], ends .. ' ' .. args[1])
    end
  end
  local running, held = {}, {}
  local all = redis.call('HGETALL', keys[1])
  for i = 1, #all, 2 do
    local runs_until, report = string.match(all[i + 1], '^(%d+) (.*)$')
    if runs(tonumber(runs_until), now, lease_ms) then
      running[#running + 1], running[#running + 2] = all[i], report
    else
      redis.call('HDEL', keys[1], all[i])
      redis.call('HDEL', keys[3], all[i])
    end
  end
  local leases = redis.call('HGETALL', keys[2])
  for i = 1, #leases, 2 do
    local runs_until, holder = string.match(leases[i + 1], '^(%d+) (.*)$')
    if runs(tonumber(runs_until), now, lease_ms) then
      held[#held + 1], held[#held + 2] = leases[i], holder
    end
  end
  return { string.format('%.0f', now), running, held, redis.call('HGET', keys[3], args[1]) or '' }
end
redis.register_function('beat', beat)

-- claim: takes the lease of a shard that nobody holds.
--
-- KEYS  1 owners hash   ARGV  1 worker  2 lease, ms  3 shard
-- Returns {'claimed'} or {'held'}.
local function claim(keys, args)
  local now = now_ms()
  local lease = redis.call('HGET', keys[1], args[3])
  local lease_ends, holder = string.match(lease or '0 ', '^(%d+) (.*)$')
  local lease_ms = tonumber(args[2])
  if holder ~= args[1] and runs(tonumber(lease_ends), now, lease_ms) then return { 'held' } end
  redis.call('HSET', keys[1], args[3], string.format('%.0f ', now + lease_ms) .. args[1])
  return { 'claimed' }
end
redis.register_function('claim', claim)

-- let_go: releases leases, and with leave = '1' the worker's own place, so that the others need not
-- wait until it lapses.
--
-- KEYS  1 workers hash  2 owners hash   ARGV  1 worker  2 leave  3… shards
-- Returns {'gone'}.
local function let_go(keys, args)
  for at = 3, #args do
    local lease = redis.call('HGET', keys[2], args[at])
    if lease and string.match(lease, '^%d+ (.*)$') == args[1] then
      redis.call('HDEL', keys[2], args[at])
    end
  end
  if args[2] == '1' then redis.call('HDEL', keys[1], args[1]) end
  return { 'gone' }
end
redis.register_function('let_go', let_go)
