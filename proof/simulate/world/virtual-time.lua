-- Goes before a library of Redis functions, so that it runs on a virtual clock. Each call carries
-- the time as a further argument, the last one. Expiries follow that clock too: Redis keeps them
-- LATE further on, where its own clock never gets, and every call first deletes what has expired.
local LATE = 3e12
-- Keys that expire, by the time when they do.
local EXPIRING = '~expiring'

local now = 0

local function expire_at(key, at_ms)
  if at_ms <= now then return redis.call('DEL', key) end
  redis.call('ZADD', EXPIRING, string.format('%.0f', at_ms), key)
  return redis.call('PEXPIREAT', key, string.format('%.0f', at_ms + LATE))
end

local function expires_at(key)
  local at_ms = redis.call('PEXPIRETIME', key)
  return at_ms < 0 and at_ms or at_ms - LATE
end

local COMMANDS = {
  TIME = function()
    return { string.format('%d', math.floor(now / 1000)),
      string.format('%d', math.floor(now * 1000) % 1e6) }
  end,
  PEXPIREAT = function(key, at_ms) return expire_at(key, tonumber(at_ms)) end,
  PEXPIRETIME = expires_at,
  PTTL = function(key)
    local at_ms = expires_at(key)
    return at_ms < 0 and at_ms or at_ms - now
  end,
  SET = function(key, value, unit, ttl_ms)
    if unit == 'KEEPTTL' then return redis.call('SET', key, value, unit) end
    local reply = redis.call('SET', key, value)
    if unit == 'PX' then expire_at(key, now + tonumber(ttl_ms))
    elseif unit then error('SET ' .. unit .. ' has no virtual time') end
    return reply
  end,
}
-- Their times are durations, or in seconds: no function uses them.
local NOT_VIRTUAL = { EXPIRE = true, PEXPIRE = true, EXPIREAT = true, TTL = true, GETEX = true,
  EXPIRETIME = true, SETEX = true, PSETEX = true, PERSIST = true }

local function expire_due()
  -- Rounded down: a key that is due within this millisecond must stay in the list until it is.
  local due = string.format('%.0f', math.floor(now))
  local keys = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', due)
  for _, key in ipairs(keys) do
    local at_ms = expires_at(key)
    if at_ms >= 0 and at_ms <= now then redis.call('DEL', key) end
  end
  if #keys > 0 then redis.call('ZREMRANGEBYSCORE', EXPIRING, '-inf', due) end
end

-- Up to its end, `redis` is the real one; Lua has none of its own functions while a library loads.
local redis = {
  call = function(command, ...)
    if NOT_VIRTUAL[command] then error(command .. ' has no virtual time') end
    local virtual = COMMANDS[command]
    if virtual then return virtual(...) end
    return redis.call(command, ...)
  end,
  register_function = function(name, run)
    redis.register_function(name, function(keys, args)
      now = tonumber(table.remove(args))
      expire_due()
      return run(keys, args)
    end)
  end,
}
